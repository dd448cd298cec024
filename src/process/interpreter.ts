/**
 * What the first line of a script names: the programs that are run whenever the script is.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { workerPath } from './worker-environment.ts';

/** Linux takes a script for the interpreter of a script, and of that one, so many times (execve(2)). */
const maxScripts = 5;

/**
 * The first line of a script, without `#!`; undefined for anything else, and for files we may execute but not read.
 */
export function interpreterLine(file: string): string | undefined {
  // Linux looks at 256 bytes.
  const head = readHead(file, 256);
  if (!head?.startsWith('#!')) return undefined;
  return (head.split('\n')[0] ?? '').slice(2).trimStart();
}

/**
 * Every program that running the file runs first and that is there: its interpreter, what `env` finds in the PATH of a
 * worker, and the interpreters of those.
 */
export function interpretersOf(file: string): readonly string[] {
  const found: string[] = [];
  let scripts: readonly string[] = [file];
  for (let depth = 0; depth < maxScripts && scripts.length > 0; depth += 1) {
    scripts = scripts.flatMap((script) => namedBy(interpreterLine(script)));
    found.push(...scripts);
  }
  return found;
}

function namedBy(line: string | undefined): string[] {
  const [interpreter = '', ...words] = (line ?? '').split(/\s+/);
  if (interpreter === '') return [];
  // Workers are started in the root directory.
  const program = path.resolve('/', interpreter);
  const wanted = path.basename(program) === 'env' ? envProgram(words) : undefined;
  const found = wanted?.includes('/') ? path.resolve('/', wanted) : wanted && inWorkerPath(wanted);
  return [program, found ?? ''].filter(isProgram);
}

/** What `env` is to run: it takes options and NAME=value before it. */
export function envProgram(words: readonly string[]): string | undefined {
  return words.find((word) => !word.startsWith('-') && !word.includes('='));
}

/** Where a worker finds a program of this name. */
export function inWorkerPath(name: string): string | undefined {
  return workerPath
    .split(':')
    .map((folder) => path.join(folder, name))
    .find(isProgram);
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The first bytes of a file as characters; undefined where it may not be read. */
export function readHead(file: string, bytes: number): string | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    const head = Buffer.alloc(bytes);
    return head.toString('latin1', 0, readSync(handle, head, 0, bytes, 0));
  } finally {
    closeSync(handle);
  }
}
