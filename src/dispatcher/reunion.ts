/**
 * What becomes of the deliveries and answers that an attached process names in its hello and nobody here has on the
 * books: the daemon was restarted, or decided on them while the stream was broken.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal, RequestRow } from '../journal/journal.ts';
import { createJob } from './job.ts';
import type { LiveWorker } from './live-worker.ts';

/** Rows of the outbox read in one turn of the event loop. */
const page = 256;

export interface AdoptionDeps {
  readonly journal: Journal;
  readonly datastore: Pick<Datastore, 'messages'>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Messages of the worker that wait to be handed over again, and that its process still has, stay with it. */
export function adopt(
  { journal, datastore, clock }: AdoptionDeps,
  worker: LiveWorker,
  inWork: readonly number[],
): void {
  const { handler, facts } = worker;
  for (const row of adoptable(journal, handler, inWork)) {
    const { sequence, messageId, directive, cancel, size } = row;
    journal.inbox.offer(sequence, facts.redelivery);
    const doc = datastore.messages.add({
      ...{ sequence, messageId, directive, cancel, size },
      ...{ state: 'in-hand', slot: false },
    });
    // It has outlived what made a suspect of it.
    const job = createJob(doc, { ...row, suspect: false });
    job.attempt = row.attempt;
    worker.offer(job);
    worker.accept(job, clock.monotonic());
  }
}

/** Messages of a handler that wait to be handed over again and that its process still has. */
function adoptable({ inbox }: Journal, handler: string, inWork: readonly number[]): readonly RequestRow[] {
  const rows = inWork.map((number) => inbox.row(number));
  return rows
    .filter((row) => row !== undefined)
    .filter(({ directive, state, calledOff }) => {
      return directive === handler && !calledOff && (state === 'received' || state === 'fetched');
    });
}

/**
 * A delivery that is not on the books: `settled`, `drops`, or nothing to be said, because what comes of it is wanted
 * still: nobody knew, and the server was told so.
 */
export function fateOf({ inbox, dead }: Journal, number: number): 'settled' | 'drops' | undefined {
  if (inbox.row(number)) return 'drops';
  switch (dead.get(number)?.reason) {
    case 'outcome-unknown':
      return undefined;
    case undefined:
    case 'failed':
    case 'cancelled':
      return 'settled';
    default:
      return 'drops';
  }
}

/** Those of the ids that are in the outbox. */
export async function answersOnDisk({ outbox }: Journal, messageIds: readonly string[]): Promise<string[]> {
  const wanted = new Set(messageIds);
  const found: string[] = [];
  let after = 0;
  for (let rows = outbox.responses(after, page); rows.length > 0; rows = outbox.responses(after, page)) {
    for (const { sequence, messageId } of rows) {
      if (wanted.has(messageId)) found.push(messageId);
      after = sequence;
    }
    await turn();
  }
  return found;
}
