/**
 * The command of yggctl that begins a new worker.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';
import type { Screen } from '../base/printer.ts';
import { projectFiles } from './files.ts';

export interface ProjectCommandsDeps {
  /** Of this package. */
  readonly version: string;
  readonly out: Screen;
}

export function addProjectCommands(program: Command, deps: ProjectCommandsDeps): void {
  const worker = program.command('worker').summary('write a worker');
  worker
    .command('new')
    .summary('begin a worker: a project in TypeScript with a test')
    .description('Writes a project with a worker in TypeScript, its test and its TOML into a new folder.')
    .argument('<name>', 'the directive it takes messages for')
    .argument('[folder]', 'where; must not be there yet (a folder of that name, here)')
    .action((name: string, folder: string | undefined) => writeProject(name, folder ?? name, deps));
}

/** @throws YggError `YGG_USAGE` */
async function writeProject(name: string, folder: string, deps: ProjectCommandsDeps): Promise<void> {
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name)) {
    throw new YggError(
      'YGG_USAGE',
      `${JSON.stringify(name)} is no name for a worker: lower-case letters, digits, hyphen and underscore, at most 64.`,
    );
  }
  const files = Object.entries(projectFiles({ name, version: deps.version }));
  try {
    mkdirSync(folder);
    for (const [file, text] of files) {
      mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
      writeFileSync(path.join(folder, file), text, { flag: 'wx' });
    }
  } catch (error) {
    const reason =
      systemCodeOf(error) === 'EEXIST'
        ? `${folder} is there already: name another folder.`
        : `${folder} cannot be written: ${reasonOf(error)}.`;
    throw new YggError('YGG_USAGE', reason, { cause: error });
  }
  await deps.out.write(
    `${files.map(([file]) => path.join(folder, file)).join('\n')}\n\nNext: cd ${folder} && npm install && npm test\n`,
  );
}
