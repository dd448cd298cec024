/** Manual pages, read by groff where it is here; the whole suite has it, the unit tests alone need only Node. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { daemonCommand } from '../../../src/config/flags.ts';
import { configPage } from '../../../src/config/reference.ts';
import { optionFields, optionName } from '../../../src/config/table.ts';
import { manPage } from '../../../src/manual/man-page.ts';
import { programTree } from '../../../src/manual/program-tree.ts';
import { exampleProgram } from './program.ts';

function read(page: string): { readonly text: string; readonly warnings: string } {
  const words = ['-man', '-ww', '-Tascii', '-P-cbou', '-rLL=110n'];
  const { stdout, stderr, error } = spawnSync('groff', words, { input: page, encoding: 'utf8' });
  if (error) throw error;
  return { text: stdout, warnings: stderr };
}

const readable = test.skipIf(spawnSync('groff', ['--version']).error !== undefined);

readable('a page says what the program takes, and nothing that is hidden', () => {
  const { text, warnings } = read(manPage(exampleProgram(), '1.2.3'));
  expect(warnings).toBe('');
  expect(text).toMatch(/^DEMO\(1\)/);
  expect(text).toContain("Shows what there is, 'quoted' and with a \\ in it.");
  expect(text).toContain('\nHERE\n');
  expect(text).toContain('demo boxes open [options] <file...>');
  expect(text).toContain('Also called st.');
  expect(text).toContain('-f, --format format\n');
  expect(text).toContain('Say less.\n');
  expect(text).not.toContain('secret');
});

test('the page of the daemon has every option of the table', () => {
  const page = manPage(programTree(daemonCommand('1.2.3')), '1.2.3');
  for (const field of optionFields) {
    expect(page).toContain(`.TP\n\\fB${`--${optionName(field)}`.replaceAll('-', '\\-')}\\fR `);
  }
});

readable.each([
  ['of the daemon', () => manPage(programTree(daemonCommand('1.2.3')), '1.2.3')],
  ['of the configuration', () => configPage('1.2.3')],
])('the page %s has no mistake', (_, page) => {
  expect(read(page()).warnings).toBe('');
});
