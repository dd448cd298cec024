/**
 * Holds the parser of a connection while too much waits for the disk, and to the end of a turn of the event loop that has
 * seen many messages: everything else waits for that turn.
 *
 * The parser is serial: PINGRESP and PUBACKs wait behind what is held, so a hold ends before the keep-alive does.
 * From then on, until the disk has caught up, the connection is `pressed`: nothing is held and the receiver takes
 * nothing large.
 */
import type { Clock, Timer } from '../base/clock.ts';

export interface ParserHoldDeps {
  readonly clock: Pick<Clock, 'after'>;
  /** Milliseconds. */
  readonly longest: number;
  /** Whether too much is received and not settled. */
  readonly overfull: () => boolean;
}

/** Messages in one turn. */
const perTurn = 1_024;

export class ParserHold {
  readonly #deps: ParserHoldDeps;
  /** Set if and only if parsing is held: goes on. */
  #resume: (() => void) | undefined;
  /** Set if and only if it is held for the disk. */
  #timer: Timer | undefined;
  /** How many came in this turn. */
  #turn = 0;
  #pressed = false;

  constructor(deps: ParserHoldDeps) {
    this.#deps = deps;
  }

  get pressed(): boolean {
    return this.#pressed;
  }

  /** Goes on with the next packet, at once or when it may. */
  next(resume: () => void): void {
    const { clock, longest, overfull } = this.#deps;
    if (this.#turn === 0) setImmediate(() => this.#onTurn());
    this.#turn += 1;
    if (this.#pressed || !overfull()) {
      if (this.#turn < perTurn) resume();
      else this.#resume = resume;
      return;
    }
    this.#resume = resume;
    this.#timer = clock.after(longest, () => {
      this.#pressed = true;
      this.end();
    });
  }

  /** Something was settled. */
  relax(): void {
    if ((!this.#pressed && !this.#timer) || this.#deps.overfull()) return;
    this.#pressed = false;
    this.end();
  }

  /** Ends a hold, if there is one. */
  end(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    resume?.();
  }

  #onTurn(): void {
    this.#turn = 0;
    if (!this.#timer) this.end();
  }
}
