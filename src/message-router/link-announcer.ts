/**
 * Tells everybody what becomes of the connection to the broker: log, counters, signals.
 */
import { codeOf, reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { LinkDown, LinkFailure, LinkUp } from '../mqtt/broker-link.ts';
import type { Signals } from '../signals.ts';

export interface LinkAnnouncerDeps {
  readonly signals: Pick<Signals, 'emit'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
}

export class LinkAnnouncer {
  readonly #deps: LinkAnnouncerDeps;
  #wasConnected = false;

  constructor(deps: LinkAnnouncerDeps) {
    this.#deps = deps;
  }

  onUp({ broker, sessionPresent }: LinkUp): void {
    const { signals, counters, log } = this.#deps;
    counters.count('broker_connects');
    log.info({ broker, session_present: sessionPresent }, 'connected to the broker');
    void signals.emit('client-connect', { broker, restored: this.#wasConnected });
    void signals.emit('topic-subscribe', { broker });
    this.#wasConnected = true;
  }

  onDown({ asked, reason }: LinkDown): void {
    const { signals, counters, log } = this.#deps;
    const code = codeOf(reason);
    if (asked) {
      log.info({}, 'disconnected from the broker');
    } else {
      counters.count('broker_losses');
      if (code === 'YGG_BROKER_PROTOCOL') counters.count('broker_protocol_errors');
      log.warn({ error: reason.message, code }, 'the connection to the broker was lost');
    }
    void signals.emit('client-disconnect', { asked });
  }

  onFailure({ error, wait, attempts }: LinkFailure): void {
    const { counters, log } = this.#deps;
    const code = codeOf(error);
    const fields = { error: reasonOf(error), code, attempts, wait_ms: wait };
    if (code === 'YGG_BROKER_REFUSED') {
      counters.count('broker_refusals');
      log.error(fields, 'the broker refuses this host');
    } else {
      log.warn(fields, 'no broker could be reached');
    }
  }
}
