/**
 * Whether a file may be started as a worker: what it is, whose it is, and who could change it.
 *
 * Synchronous, so that the last check and the start of the program follow each other with nothing between.
 */
import { accessSync, closeSync, constants, openSync, readSync, type Stats, statSync } from 'node:fs';
import { reasonOf, YggError } from '../base/errors.ts';

export interface WorkerFileDeps {
  /** Throws when others could change or replace what the path names. */
  readonly checkPath: (path: string) => void;
}

/** Throws `YGG_WORKER_FILE`, or what `checkPath` throws, with a sentence that names the file. */
export function checkWorkerFile(file: string, { checkPath }: WorkerFileDeps): void {
  const stats = statFile(file);
  if (!stats.isFile()) throw refused(`${file} is not a regular file`);
  checkPath(file);
  try {
    accessSync(file, constants.X_OK);
  } catch (error) {
    throw refused(`${file} may not be executed; run: chmod +x ${file}`, error);
  }
  const head = readHead(file, 4);
  if (head !== undefined && !head.startsWith('#!') && head !== '\x7fELF') {
    throw refused(
      `${file} is neither a program nor a script: its first line has to be like #!/usr/bin/python3`,
    );
  }
}

/**
 * The first line of a script, without `#!`; undefined for anything else, and for files we may execute but not read.
 */
export function interpreterLine(file: string): string | undefined {
  // Linux looks at 256 bytes (execve(2)).
  const head = readHead(file, 256);
  if (!head?.startsWith('#!')) return undefined;
  return (head.split('\n')[0] ?? '').slice(2).trimStart();
}

function statFile(file: string): Stats {
  try {
    return statSync(file);
  } catch (error) {
    throw refused(`${file} cannot be looked at: ${reasonOf(error)}`, error);
  }
}

function readHead(file: string, bytes: number): string | undefined {
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

function refused(sentence: string, cause?: unknown): YggError {
  return new YggError('YGG_WORKER_FILE', `${sentence}.`, { cause });
}
