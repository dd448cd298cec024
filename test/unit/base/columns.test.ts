import { expect, test } from 'vitest';
import { inColumns } from '../../../src/base/columns.ts';

test('columns are as wide as their widest cell, and lines have no end of spaces', () => {
  const rows = [
    ['NAME', 'COUNT', 'WHY'],
    ['a', '1', ''],
    ['longer', '1000', 'so'],
  ];
  expect(inColumns(rows, [1])).toEqual(['NAME    COUNT  WHY', 'a           1', 'longer   1000  so']);
});

test('what is in a cell cannot leave it', () => {
  expect(
    inColumns([
      ['a\nb', 'c'],
      ['\u001b[2J', 'd'],
    ]),
  ).toEqual(['a\\nb       c', '\\u001b[2J  d']);
});

test('nothing is nothing', () => {
  expect(inColumns([])).toEqual([]);
});
