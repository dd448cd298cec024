import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { packageVersion } from '../../../src/package-version.ts';
import { addProjectCommands } from '../../../src/worker-project/commands.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

async function worker(...words: string[]): Promise<string> {
  const program = new Command('yggctl').exitOverride();
  let said = '';
  const write = async (text: string): Promise<void> => {
    said += text;
  };
  const out = { terminal: false, colour: false, write };
  addProjectCommands(program, { version: packageVersion, out });
  await program.parseAsync(['worker', ...words], { from: 'user' });
  return said;
}

test('a new worker is a folder with everything a project needs', async () => {
  const folder = path.join(tempDir(testScope()), 'here');
  const said = await worker('new', 'disk-usage', folder);
  expect(readdirSync(folder).sort()).toEqual([
    '.gitignore',
    'README.md',
    'disk-usage.toml',
    'package.json',
    'src',
    'tsconfig.json',
  ]);
  expect(readdirSync(path.join(folder, 'src')).sort()).toEqual(['main.ts', 'worker.test.ts', 'worker.ts']);
  expect(JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))).toMatchObject({
    name: 'disk-usage-worker',
    dependencies: { yggd: `^${packageVersion}` },
  });
  expect(said).toContain(`Next: cd ${folder} && npm install && npm test`);
});

test('a folder that is there is left alone', async () => {
  const folder = tempDir(testScope());
  await expect(worker('new', 'disk-usage', folder)).rejects.toMatchObject({
    code: 'YGG_USAGE',
    message: `${folder} is there already: name another folder.`,
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('a place that cannot be written is said', async () => {
  const folder = path.join(tempDir(testScope()), 'not', 'there');
  await expect(worker('new', 'disk-usage', folder)).rejects.toThrow(`${folder} cannot be written: `);
});

test.each(['../up', 'a b', 'Disk', '.hidden', '', '-x', 'a/b', 'a'.repeat(65)])(
  '%j is no name, and nothing is written',
  async (name) => {
    const folder = path.join(tempDir(testScope()), 'here');
    await expect(worker('new', '--', name, folder)).rejects.toThrow('is no name for a worker');
    expect(existsSync(folder)).toBe(false);
  },
);
