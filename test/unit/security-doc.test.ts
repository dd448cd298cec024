/** `docs/security.md` has all of its rows, and every one names tests that are there. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { isThere, namedTests } from '../helpers/named-tests.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/security.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('has its twenty rows, each with threat, protection and tests', () => {
  expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  for (const row of rows) {
    expect(row, row.join('|')).toHaveLength(4);
    expect(row.every((cell) => cell !== '')).toBe(true);
  }
});

test('names only tests that are there', () => {
  const missing = rows.flatMap(([number, , , tests = '']) =>
    namedTests(tests)
      .filter((named) => !isThere(named))
      .map(({ file, name }) => `${number}: ${file} ${name}`),
  );
  expect(missing).toEqual([]);
});

test('names every suite of test/security', () => {
  for (const suite of ['local-user', 'egress', 'hostile-broker', 'hostile-worker']) {
    expect(page).toContain(`\`security/${suite}\``);
  }
});
