/** The page beside this file names tests that there are, and leaves out no file of them. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const here = import.meta.dirname;
const page = readFileSync(path.join(here, 'README.md'), 'utf8');

/** What is relied on, and the test that holds it. */
const rows = [...page.matchAll(/\| `([\w./-]+\.test\.ts)`: (.+) \|$/gm)].map(([, file = '', name = '']) => ({
  file,
  name,
}));

test('every row names a test', () => {
  expect(rows.length).toBe(page.split('\n').filter((line) => line.startsWith('|')).length - 2);
  const missing = rows.filter(
    ({ file, name }) => !readFileSync(path.join(here, file), 'utf8').includes(name),
  );
  expect(missing).toEqual([]);
});

test('every file is on the page', () => {
  const files = readdirSync(here).filter((file) => file.endsWith('.test.ts') && file !== 'table.test.ts');
  expect(files.filter((file) => !rows.some((row) => row.file === file))).toEqual([]);
});
