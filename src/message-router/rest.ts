/**
 * A rest that grows each time the other side says that it takes nothing for now.
 */
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';

export interface RestDeps {
  readonly clock: Pick<Clock, 'after'>;
  readonly random: () => number;
  /** It is over by itself. */
  readonly onOver: () => void;
}

/** Milliseconds. */
const floor = 1_000;
const cap = 60_000;

export class Rest {
  readonly #deps: RestDeps;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;

  constructor(deps: RestDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ floor, cap, random: deps.random });
  }

  get taken(): boolean {
    return this.#timer !== undefined;
  }

  /** Begins one; how many milliseconds it takes. */
  begin(): number {
    this.end();
    const wait = this.#backoff.next();
    this.#timer = this.#deps.clock.after(wait, () => {
      this.end();
      this.#deps.onOver();
    });
    return wait;
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Something was taken: the next rest is a short one again. */
  reset(): void {
    this.#backoff.reset();
  }
}
