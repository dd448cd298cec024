/** `docs/errors.md` lists every code with what the table says of it, and no other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorTable } from '../../../src/base/errors.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

test('docs/errors.md is equal to the table, in its order', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `YGG_'));
  const expected = Object.entries(errorTable).map(
    ([code, { sentence, grpc, http, exit, retry }]) =>
      `| \`${code}\` | ${sentence} | ${grpc} | ${http} | ${exit} | ${retry ? 'yes' : 'no'} |`,
  );
  expect(rows).toEqual(expected);
});

test('what counts as a retry is told of no code that cannot have one', () => {
  for (const [code, { exit, retry }] of Object.entries(errorTable)) {
    if (exit === 75) expect(retry, code).toBe(true);
    if (exit === 2 || exit === 70) expect(retry, code).toBe(false);
  }
});
