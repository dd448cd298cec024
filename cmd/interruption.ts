/**
 * Ctrl-C and its like, for a program that has to leave things in order.
 *
 * From `watch` on, the first such signal is only told; another one, at least a second after it, ends the process at once
 * (a terminal and npm deliver one Ctrl-C twice). `end` ends it as the signal would have, so that a shell sees which.
 */
import { YggError } from '../src/base/errors.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Milliseconds. */
const patience = 1_000;

/** The process, as far as it is needed here. */
export interface Interruptible {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
  readonly pid: number;
}

export class Interruption {
  readonly #controller = new AbortController();
  readonly #process: Interruptible;
  readonly #now: () => number;
  #first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  #watched = false;

  /** `now` in milliseconds. */
  constructor(process: Interruptible, now: () => number) {
    this.#process = process;
    this.#now = now;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  watch(): AbortSignal {
    if (!this.#watched) for (const signal of signals) this.#process.on(signal, this.#onSignal);
    this.#watched = true;
    return this.signal;
  }

  /** Does nothing when no signal came. */
  end(): void {
    if (!this.#first) return;
    for (const signal of signals) this.#process.off(signal, this.#onSignal);
    this.#process.kill(this.#process.pid, this.#first.signal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#first) {
      if (this.#now() - this.#first.at >= patience) this.end();
      return;
    }
    this.#first = { signal, at: this.#now() };
    this.#controller.abort(new YggError('YGG_CLOSED', 'Interrupted.'));
  };
}
