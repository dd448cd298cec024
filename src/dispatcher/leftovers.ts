/**
 * Settles what the last run of the daemon left offered or in hand, before anything new is handed over.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Journal, RequestRow } from '../journal/journal.ts';
import { type Happening, judge } from './outcomes.ts';

export interface LeftoversDeps {
  readonly journal: Journal;
  readonly counters: Counters;
  readonly log: Logger;
}

const page = 256;

/** By each row's recorded policy; only a daemon that was killed charges them. */
export async function settleLeftovers(deps: LeftoversDeps, abort: AbortSignal): Promise<void> {
  const { inbox } = deps.journal;
  let after = 0;
  let count = 0;
  for (let rows = inbox.unsettled(after, page); rows.length > 0; rows = inbox.unsettled(after, page)) {
    abort.throwIfAborted();
    for (const row of rows) {
      settle(deps, row);
      after = row.sequence;
    }
    count += rows.length;
    await turn();
  }
  if (count > 0) deps.log.info({ messages: count }, 'settled what the last run left in hand');
}

function settle({ journal, counters, log }: LeftoversDeps, row: RequestRow): void {
  const { sequence, messageId, directive, redelivery } = row;
  const happening: Happening = { kind: journal.cleanStart ? 'stopped' : 'daemon-died' };
  const judged = judge(happening, redelivery, row);
  const verdict =
    judged.kind === 'again' && row.calledOff
      ? judge({ kind: 'cancelled', begun: true }, redelivery, row)
      : judged;
  if (verdict.kind === 'dead') {
    journal.inbox.bury(sequence, verdict.reason, verdict.message);
    counters.count('messages_dead');
    log.warn(
      { message_id: messageId, directive, reason: verdict.reason, error: verdict.message },
      'dead letter',
    );
  } else if (verdict.kind === 'again') {
    journal.inbox.back(sequence, verdict.charge);
  }
}
