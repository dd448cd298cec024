/** A child process of a test: its output by lines, its end, and no way to survive its scope. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Scope } from './scope.ts';
import { waitFor } from './wait-for.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export class Child {
  readonly pid: number;
  /** Complete lines of stdout and stderr, in order of arrival. */
  readonly lines: string[] = [];
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  readonly #process: ChildProcess;

  constructor(scope: Scope, program: string, words: readonly string[], options: ChildOptions = {}) {
    const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.pid = child.pid ?? 0;
    this.#collect(child.stdout, this.stdout);
    this.#collect(child.stderr, this.stderr);
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.lines.push(error.message);
        this.exit ??= { code: 127, signal: null };
        resolve(this.exit);
      });
      child.once('exit', (code, signal) => {
        const end = (): void => {
          this.exit ??= { code, signal };
          resolve(this.exit);
        };
        // Its last words may still be in the pipes; something it started may hold them open.
        child.once('close', end);
        setTimeout(end, 500).unref();
      });
    });
    scope.defer(async () => {
      if (this.exit) return;
      this.kill('SIGKILL');
      await this.exited;
    });
  }

  /** What it printed last, for messages of failed tests. */
  get output(): string {
    return this.lines.slice(-60).join('\n');
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.exit) this.#process.kill(signal);
  }

  /** Its end, or an error with its output when it does not end in time. */
  async ended(deadline = 10_000): Promise<Exit> {
    return await waitFor(() => this.exit, {
      what: `end of process ${this.pid}`,
      deadline,
      detail: () => this.output,
    });
  }

  #collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
    let rest = '';
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      into.push(...lines);
      this.lines.push(...lines);
    });
  }
}
