/**
 * What becomes of a message when the signal handler that had it throws.
 *
 * Owns nothing. The fault is logged and counted, and the message, if there is one, is given up, so that its slot does
 * not stay taken.
 */
import { reasonOf } from './base/errors.ts';
import type { Logger } from './base/log.ts';
import type { Counters } from './counters.ts';
import type { Datastore } from './datastore.ts';
import type { Journal } from './journal/journal.ts';
import type { RequestSignal, SignalFault, Signals } from './signals.ts';

export interface SignalFaultDeps {
  readonly signals: Pick<Signals, 'emit'>;
  readonly datastore: Pick<Datastore, 'messages'>;
  readonly journal: Pick<Journal, 'inbox'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
}

export function settleFault({ signal, consumer, payload, error }: SignalFault, deps: SignalFaultDeps): void {
  const { signals, datastore, journal, counters, log } = deps;
  counters.count('signal_faults');
  const isRequest = signal === 'data-recv' || signal === 'data-process';
  const sequence = isRequest ? (payload as RequestSignal).sequence : undefined;
  const doc = sequence === undefined ? undefined : datastore.messages.get(sequence);
  log.error(
    { message_id: doc?.messageId, signal, consumer, error: reasonOf(error) },
    'a signal handler failed, this is a fault of the program',
  );
  if (!doc) return;
  journal.inbox.bury(doc.sequence, 'internal', `The daemon failed on it: ${reasonOf(error)}`);
  datastore.messages.remove(doc.sequence);
  counters.count('messages_dead');
  void signals.emit('message-settle', {
    sequence: doc.sequence,
    directive: doc.directive,
    outcome: 'dead',
  });
}
