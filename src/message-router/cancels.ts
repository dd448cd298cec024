/**
 * The control command `cancel`: gives up a message that still waits, and tells the others about one that does not.
 *
 * Owns the cancels of messages that have not come yet; they are remembered for a while.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Inbox } from '../journal/journal.ts';

export interface CancelsDeps {
  readonly inbox: Pick<Inbox, 'find' | 'bury'>;
  readonly messages: Pick<Datastore['messages'], 'get'>;
  /** The message is in the working set: whoever has it ends it. */
  readonly onWorking: (directive: string, messageId: string) => void;
  /** The message waits, and is about to be given up. */
  readonly onDropped: (sequence: number, directive: string) => void;
  readonly counters: Pick<Counters, 'count'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
}

/** Milliseconds and number of the messages that are cancelled before they come. */
const remembered = 5 * 60_000;
const maxRemembered = 1_024;

export class Cancels {
  readonly #deps: CancelsDeps;
  /** Until when, by directive and id; oldest first. */
  readonly #early = new Map<string, number>();

  constructor(deps: CancelsDeps) {
    this.#deps = deps;
  }

  cancel(directive: string, messageId: string): void {
    const { inbox, messages, onWorking, onDropped, counters, log } = this.#deps;
    const known = inbox.find(messageId);
    const fields = { message_id: messageId, directive };
    if (!known || known.directive !== directive) {
      this.#remember(directive, messageId);
      log.info(fields, 'a cancel came for a message that is not known; remembered for five minutes');
    } else if (messages.get(known.sequence)) {
      onWorking(directive, messageId);
    } else if (known.state === 'waiting' || known.state === 'offered') {
      onDropped(known.sequence, directive);
      inbox.bury(known.sequence, 'cancelled', 'It was cancelled while it waited.');
      counters.count('messages_dead');
      log.info(fields, 'a waiting message was cancelled');
    } else {
      log.info({ ...fields, state: known.state }, 'a cancel came for a message that is over');
    }
  }

  /** Whether a message that comes now was cancelled before; asked once for each. */
  cameBefore(directive: string, messageId: string): boolean {
    const key = keyOf(directive, messageId);
    const until = this.#early.get(key);
    if (until === undefined) return false;
    this.#early.delete(key);
    return until > this.#deps.clock.monotonic();
  }

  #remember(directive: string, messageId: string): void {
    const key = keyOf(directive, messageId);
    this.#early.delete(key);
    this.#early.set(key, this.#deps.clock.monotonic() + remembered);
    for (const oldest of this.#early.keys()) {
      if (this.#early.size <= maxRemembered) break;
      this.#early.delete(oldest);
    }
  }
}

function keyOf(directive: string, messageId: string): string {
  return `${directive}\n${messageId}`;
}
