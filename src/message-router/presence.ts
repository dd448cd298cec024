/**
 * Comes to the broker, leaves it on purpose, and comes back.
 *
 * Owns when this host returns. Before it leaves on purpose it says so, the `disconnect` event and the offline status,
 * and waits for their acknowledgement, so that the server does not believe it is still there.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { within } from '../base/deadline.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { encodeEvent } from '../messages.ts';
import type { BrokerLink } from '../mqtt/broker-link.ts';
import type { ConnectionStatusPublisher } from './connection-status.ts';
import type { Publishing } from './publishing.ts';

export interface PresenceDeps {
  readonly link: Pick<BrokerLink, 'join' | 'leave' | 'renew' | 'state'>;
  readonly publishing: Pick<Publishing, 'say' | 'pause'>;
  readonly status: Pick<ConnectionStatusPublisher, 'offline'>;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds the goodbye may take. */
const goodbyeDeadline = 1_000;

export class Presence {
  readonly #deps: PresenceDeps;
  #leaving: Promise<void> | undefined;
  /** What the last one to leave wanted: milliseconds until the return, or to stay away. */
  #back: number | undefined;
  #return: Timer | undefined;
  #ended = false;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
  }

  /** Connects, also when this host was told to stay away. */
  resume(): void {
    this.#return?.cancel();
    this.#return = undefined;
    if (this.#ended) return;
    if (this.#leaving) void this.#leaving.then(() => this.resume());
    else this.#deps.link.join();
  }

  /** DISCONNECT, and connect at once; nothing is said about it, for this host does not go away. */
  async renew(): Promise<void> {
    const { link, publishing } = this.#deps;
    if (this.#leaving) return;
    if (link.state.kind === 'connected') publishing.pause();
    await link.renew();
  }

  /** Says goodbye and leaves; returns after `back` milliseconds, or stays away until `resume` when it is not set. */
  async leave(back?: number): Promise<void> {
    this.#return?.cancel();
    this.#return = undefined;
    this.#back = back;
    this.#leaving ??= this.#sayGoodbye().finally(() => {
      this.#leaving = undefined;
    });
    await this.#leaving;
    if (this.#back === undefined || this.#ended || this.#return) return;
    this.#return = this.#deps.clock.after(this.#back, () => this.resume());
  }

  /** Leaves for good. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.leave();
  }

  async #sayGoodbye(): Promise<void> {
    const { link, publishing, status, newId, clock, log } = this.#deps;
    if (link.state.kind === 'connected') {
      publishing.pause();
      const event = encodeEvent({ messageId: newId(), sent: clock.now() }, 'disconnect');
      try {
        await within({ step: 'the goodbye', ms: goodbyeDeadline, clock }, () =>
          Promise.all([publishing.say(event), status.offline()]),
        );
      } catch (error) {
        log.warn({ error: reasonOf(error) }, 'the goodbye was not acknowledged');
      }
    }
    await link.leave();
  }
}
