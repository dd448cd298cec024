/**
 * What was left to the broker because there was no room for it.
 *
 * MQTT never sends a message again inside a connection, so once there is room the connection is made anew.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Journal } from '../journal/journal.ts';

export interface LeftBehindDeps {
  readonly journal: Pick<Journal, 'inbox' | 'trouble'>;
  /** DISCONNECT, and connect at once. */
  readonly renew: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds between two looks for room. */
const interval = 1_000;
/** Milliseconds between two new connections: a disk that comes and goes must not make one each second. */
const pace = 5_000;
/** The inbox has room again below this part of its limit. */
const roomBelow = 0.9;

export class LeftBehind {
  readonly #deps: LeftBehindDeps;
  #count = 0;
  /** Runs if and only if something was left on this connection. */
  #looking: Timer | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: LeftBehindDeps) {
    this.#deps = deps;
  }

  /** One more message with QoS 1 was left. */
  add(): void {
    const { clock, journal, log } = this.#deps;
    this.#count += 1;
    if (this.#looking) return;
    const { messages, bytes, limit } = journal.inbox.fill();
    const fields = { trouble: journal.trouble, messages, bytes, limit };
    log.warn(fields, 'the inbox takes no more; messages are left to the broker');
    this.#looking = clock.every(interval, () => this.#look());
  }

  /** The connection is gone; the next one brings what was left. */
  onDown(): void {
    this.#looking?.cancel();
    this.#looking = undefined;
    this.#count = 0;
  }

  #look(): void {
    const { journal, clock, log, renew } = this.#deps;
    const { messages, bytes, limit } = journal.inbox.fill();
    const room = messages < limit.messages * roomBelow && bytes < limit.bytes * roomBelow;
    if (!room || journal.trouble !== undefined || clock.monotonic() - this.#renewedAt < pace) return;
    log.info({ left: this.#count }, 'the inbox has room again; connecting anew for what was left');
    this.#renewedAt = clock.monotonic();
    this.onDown();
    renew();
  }
}
