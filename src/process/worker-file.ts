/**
 * Whether a file may be started as a worker: what it is, whose it is, and who could change it or what runs it.
 *
 * Synchronous, so that the last check and the start of the program follow each other with nothing between.
 */
import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { reasonOf, YggError } from '../base/errors.ts';
import { interpretersOf, readHead } from './interpreter.ts';

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
  for (const program of interpretersOf(file)) {
    // Whoever could change the program that this daemon is has the daemon already.
    if (program !== process.execPath) checkPath(program);
  }
}

function statFile(file: string): Stats {
  try {
    return statSync(file);
  } catch (error) {
    throw refused(`${file} cannot be looked at: ${reasonOf(error)}`, error);
  }
}

function refused(sentence: string, cause?: unknown): YggError {
  return new YggError('YGG_WORKER_FILE', `${sentence}.`, { cause });
}
