/**
 * How long to wait before trying again: exponential with full jitter, between a floor and a cap.
 *
 * The n-th wait is drawn evenly from `floor` to `min(cap, floor x 2^n)`, so that many hosts that lost the same
 * server do not come back together.
 */

export interface BackoffOptions {
  /** Milliseconds of the shortest wait; at least 1. */
  readonly floor: number;
  /** Milliseconds of the longest wait; a cap below the floor counts as the floor. */
  readonly cap: number;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Milliseconds to wait after `failures` attempts failed in a row (1 or more). */
export function backoffDelay(options: BackoffOptions, failures: number): number {
  const { floor, cap, random } = options;
  const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** failures));
  return Math.round(floor + random() * (ceiling - floor));
}

/** Counts the failures of one thing that is tried again and again. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures in a row since the start or the last reset. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts one more failure and returns the milliseconds to wait after it. */
  next(): number {
    this.#failures += 1;
    return backoffDelay(this.#options, this.#failures);
  }

  /** It works again: the next wait is a short one. */
  reset(): void {
    this.#failures = 0;
  }
}
