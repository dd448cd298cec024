/** `docs/operate.md` lists every counter with what the table says of it, and no other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { counterTable } from '../../src/counters.ts';

const page = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');

test('docs/operate.md is equal to the table of counters, in its order', () => {
  const section = page.slice(page.indexOf('## Counters'));
  const rows = Object.entries(counterTable).map(([name, sentence]) => `| \`${name}\` | ${sentence} |`);
  expect(section.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
});
