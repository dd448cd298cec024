import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseProcessStat } from '../../../src/base/process-stat.ts';

const rest = '42 41 40 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 987654 0 0';

test('a name may hold spaces and parentheses', () => {
  expect(parseProcessStat(`7 (a) R 1 (b) S ${rest}`)).toEqual({
    parent: 42,
    group: 41,
    startTime: '987654',
  });
});

test.each(['Z', 'X'])('in state %s only the exit status is left', (state) => {
  expect(parseProcessStat(`7 (sh) ${state} ${rest}`)).toBeUndefined();
});

test.each(['', '7 (sh)', '7 (sh) S 42'])('%j is no such text', (text) => {
  expect(parseProcessStat(text)).toBeUndefined();
});

test('this process is as Node knows it', () => {
  expect(parseProcessStat(readFileSync('/proc/self/stat', 'utf8'))?.parent).toBe(process.ppid);
});
