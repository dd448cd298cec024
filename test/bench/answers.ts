/**
 * Which messages have their answer: mosquitto_sub takes what a host publishes, and only the ids are looked at, so that
 * counting a mebibyte costs hardly more than counting a word.
 */
import { spawn } from 'node:child_process';
import type { Scope } from '../helpers/scope.ts';

const mark = Buffer.from('"response_to":"');
/** Bytes of a UUID. */
const idLength = 36;

export class Answers {
  /** How often each id was answered. */
  readonly #times = new Map<string, number>();
  #total = 0;
  /** Bytes at the end of what came last, that may be the beginning of a mark and its id. */
  #rest: Buffer = Buffer.alloc(0);

  /** `words`: which broker, which topic. Ends with its scope. */
  constructor(scope: Scope, words: readonly string[]) {
    const child = spawn('mosquitto_sub', [...words, '-F', '%p'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdout.on('data', (bytes: Buffer) => this.#take(bytes));
    scope.defer(async () => {
      child.kill('SIGKILL');
      await ended;
    });
  }

  /** All answers so far, the second ones to a message included. */
  get total(): number {
    return this.#total;
  }

  timesOf(id: string): number {
    return this.#times.get(id) ?? 0;
  }

  #take(bytes: Buffer): void {
    const text = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let from = 0;
    for (;;) {
      const at = text.indexOf(mark, from);
      if (at < 0 || at + mark.length + idLength > text.length) {
        const open = at < 0 ? Math.max(from, text.length - mark.length + 1) : at;
        this.#rest = Buffer.from(text.subarray(open));
        return;
      }
      from = at + mark.length + idLength;
      const id = text.toString('latin1', at + mark.length, from);
      this.#times.set(id, this.timesOf(id) + 1);
      this.#total += 1;
    }
  }
}
