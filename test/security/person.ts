/**
 * A user of this host who tries things: a process under its ids that does what it is told and says what came of it.
 *
 * What it may do is decided by the kernel and by the daemon, not by this file: the same program runs as the user the
 * daemon runs as, to prove that an attempt would be noticed if it worked.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Scope } from '../helpers/scope.ts';

export type Said =
  | { readonly ok: true; readonly got: unknown }
  /** `error` is the name of the system's error: `EACCES`. */
  | { readonly ok: false; readonly error: string; readonly sentence: string };

const text = readFileSync(path.resolve(import.meta.dirname, '../fixtures/local_user.py'), 'utf8');

/** Of `nobody` on every Linux. */
export const nobody = 65_534;

export class Person {
  readonly uid: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  #error = '';

  constructor(scope: Scope, uid: number) {
    this.uid = uid;
    const python = ['/usr/bin/python3', '-c', text] as const;
    const ids = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
    this.#process = spawn('setpriv', [...ids, ...python], { cwd: '/', env: { PATH: '/usr/bin:/bin' } });
    this.#process.stderr.on('data', (chunk) => {
      this.#error += String(chunk);
    });
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface(this.#process.stdout);
    scope.defer(async () => {
      const { exitCode, signalCode } = this.#process;
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.stdin.end();
      if (exitCode === null && signalCode === null) await ended;
    });
  }

  /** One thing at a time. Throws when the process is gone: then nothing was tried. */
  async tries(operation: string, ...words: readonly unknown[]): Promise<Said> {
    const answer = new Promise<Said>((resolve, reject) => {
      const onLine = (line: string): void => {
        this.#process.off('exit', onExit);
        resolve(JSON.parse(line));
      };
      const onExit = (): void => {
        this.#lines.off('line', onLine);
        reject(new Error(`uid ${this.uid} could not try ${operation}: ${this.#error}`));
      };
      this.#lines.once('line', onLine);
      this.#process.once('exit', onExit);
    });
    this.#process.stdin.write(`${JSON.stringify({ do: operation, with: words })}\n`);
    return await answer;
  }

  /** For what has to work so that an attempt can be made at all. */
  async does(operation: string, ...words: readonly unknown[]): Promise<unknown> {
    const said = await this.tries(operation, ...words);
    if (said.ok) return said.got;
    throw new Error(`uid ${this.uid} could not ${operation} ${JSON.stringify(words)}: ${said.sentence}`);
  }
}
