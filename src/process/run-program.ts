/**
 * Runs a Node program of this package to its end: for small tasks that must not take the daemon down with them.
 */
import { execFile } from 'node:child_process';

export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** It was ended because it took longer than the deadline. */
  readonly timedOut: boolean;
}

/** What a program may print before it is cut off; nobody reads it. */
const outputLimit = 64 * 1024;

/** Runs `file` with its `words` and an empty environment; ends it after `deadline` milliseconds. */
export function runProgram(file: string, words: readonly string[], deadline: number): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const options = { env: {}, timeout: deadline, killSignal: 'SIGKILL', maxBuffer: outputLimit } as const;
    const child = execFile(process.execPath, [...process.execArgv, file, ...words], options, (error) => {
      if (error && typeof error.code === 'string' && child.pid === undefined) reject(error);
      else resolve({ exitCode: child.exitCode, signal: child.signalCode, timedOut: error?.killed === true });
    });
  });
}
