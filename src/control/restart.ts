/**
 * What the call Restart asks for: the daemon ends in order at a moment when that costs nobody anything, so that whoever
 * started it starts it anew.
 *
 * Owns the timer that looks for the moment. A worker that answers a message several times has it off the daemon's books
 * with the first answer, and may be in the middle of its work (such as replacing this very program); so the moment has
 * come only when nothing has been in hand, and no worker has sent anything, for a while.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Restarting, RestartRequest } from '../control-api.ts';
import type { Counters } from '../counters.ts';
import { loadByDirective, type WorkersDeps } from './workers.ts';

export interface RestartDeps extends WorkersDeps {
  readonly counters: Pick<Counters, 'all'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the daemon in order; not set: it belongs to a program that cannot be asked for that. */
  readonly onRestart: (() => void) | undefined;
}

/** Milliseconds that hold when a request does not say. */
const defaults = { idleFor: 30_000, within: 3_600_000 };
/** Milliseconds between two looks. */
const lookInterval = 500;

export class Restart {
  readonly #deps: RestartDeps;
  #timer: Timer | undefined;
  #latestAt = 0;

  constructor(deps: RestartDeps) {
    this.#deps = deps;
  }

  /** When a restart that is wanted comes at the latest, milliseconds since the epoch; 0: none is wanted. */
  get latestAt(): number {
    return this.#latestAt;
  }

  /** The latest request holds. Throws `YGG_USAGE` when nobody would carry it out. */
  want({ whenIdle, idleFor, within }: RestartRequest): Restarting {
    const { clock, log, onRestart } = this.#deps;
    if (!onRestart) {
      throw new YggError(
        'YGG_USAGE',
        'This daemon is part of another program, which has to be restarted itself.',
      );
    }
    this.close();
    const inHand = this.#busy();
    if (!whenIdle) {
      this.#latestAt = clock.now();
      log.info({ in_hand: inHand }, 'a restart is wanted at once');
      // After the answer to whoever asked.
      this.#timer = clock.after(0, () => this.#carryOut('it was wanted at once', onRestart));
      return { latestAt: this.#latestAt, inHand };
    }
    const idle = idleFor > 0 ? idleFor : defaults.idleFor;
    const span = within > 0 ? within : defaults.within;
    this.#latestAt = clock.now() + span;
    log.info({ in_hand: inHand, idle_for_ms: idle, within_ms: span }, 'a restart is wanted');
    this.#look({ idle, end: clock.monotonic() + span, onRestart });
    return { latestAt: this.#latestAt, inHand };
  }

  /** Takes the wish back. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#latestAt = 0;
  }

  #look(wish: { readonly idle: number; readonly end: number; readonly onRestart: () => void }): void {
    const { clock } = this.#deps;
    let quietSince = clock.monotonic();
    let returned = this.#returned();
    this.#timer = clock.every(lookInterval, () => {
      const now = clock.monotonic();
      const before = returned;
      returned = this.#returned();
      if (this.#busy() > 0 || returned !== before) quietSince = now;
      if (now - quietSince >= wish.idle) this.#carryOut('nothing is in hand', wish.onRestart);
      else if (now >= wish.end) this.#carryOut('it cannot wait any longer', wish.onRestart);
    });
  }

  #carryOut(reason: string, onRestart: () => void): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#deps.log.info({ reason, in_hand: this.#busy() }, 'ending for the restart that is wanted');
    onRestart();
  }

  /** Messages that workers have, or are being given. */
  #busy(): number {
    let messages = 0;
    for (const { offered, inHand } of loadByDirective(this.#deps).values()) messages += offered + inHand;
    return messages;
  }

  #returned(): number {
    return this.#deps.counters.all().responses_returned;
  }
}
