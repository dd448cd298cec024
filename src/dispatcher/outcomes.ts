/**
 * What becomes of a request when its hand-over, its worker or its daemon fails: the table of docs/reliability.md.
 *
 * Pure: knows facts and gives verdicts, changes nothing.
 */
import type { DeadReason, Redelivery, RequestCharge, RequestRow } from '../journal/journal.ts';

/** What happened to a request that was offered, or is about to be. */
export type Happening =
  /** The call was never written. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  /** The worker will never take it, or it is too large for any worker. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The worker's own code failed on it. */
  | { readonly kind: 'worker-error'; readonly reason: string }
  /** Offered, and nobody can say whether it was taken, though the worker lives. */
  | { readonly kind: 'unclear'; readonly reason: string }
  /** The worker ended by itself; `alone`: with nothing else in hand. */
  | { readonly kind: 'worker-died'; readonly alone: boolean }
  /** The worker was ended by us, or the daemon ended cleanly. */
  | { readonly kind: 'stopped' }
  /** Found at the start after the daemon was killed. */
  | { readonly kind: 'daemon-died' }
  /** Accepted, and no response within the worker's timeout or the number it may leave unanswered. */
  | { readonly kind: 'unanswered'; readonly reason: string }
  /** Called off, before it was handed over or while a worker had it. */
  | { readonly kind: 'cancelled'; readonly begun: boolean }
  /** An attached worker said so; it asks for another run `again` milliseconds later, or for none. */
  | { readonly kind: 'failed'; readonly reason: string; readonly again: number | undefined }
  /** A fault of the daemon itself. */
  | { readonly kind: 'internal'; readonly reason: string };

export type Verdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly message: string }
  /** Handed over again, `rest` milliseconds later at the earliest; `charge` is added to what it has. */
  | { readonly kind: 'again'; readonly charge: RequestCharge; readonly rest: number };

/** The part of a request's row that verdicts look at. */
export type Charges = Pick<RequestRow, 'workerDeaths' | 'daemonDeaths' | 'workerErrors' | 'internalErrors'>;

/** The last of so many ends the request. */
const most = { workerErrors: 3, workerDeaths: 3, daemonDeaths: 5, internalErrors: 2 } as const;

/** Milliseconds before a worker that failed on a request gets it again; times four for each further failure. */
const errorRest = 1_000;
const shortRest = 100;

export function judge(happening: Happening, redelivery: Redelivery, charges: Charges): Verdict {
  switch (happening.kind) {
    case 'not-sent':
      return again({}, shortRest);
    case 'refused':
      return dead('refused', `The worker refused it: ${happening.reason}`);
    case 'cancelled':
      return dead(
        'cancelled',
        happening.begun ? cancelledAtWork : 'It was cancelled before it was handed over.',
      );
    case 'failed':
      return happening.again === undefined ? dead('failed', happening.reason) : again({}, happening.again);
    case 'unanswered':
      if (redelivery === 'until-accepted') return { kind: 'done' };
      return dead('timed-out', `The worker accepted it and did not answer: ${happening.reason}`);
    case 'worker-error':
      return afterWorkerError(happening.reason, redelivery, charges);
    case 'internal':
      return afterInternalError(happening.reason, redelivery, charges);
    default:
      return redelivery === 'until-accepted'
        ? dead('outcome-unknown', `It may or may not have been carried out: ${sentences[happening.kind]}`)
        : afterLoss(happening, charges);
  }
}

const cancelledAtWork = 'It was cancelled while its worker had it.';

const sentences = {
  unclear: 'the worker gave no clear answer.',
  'worker-died': 'the worker ended while it had the message.',
  stopped: 'the worker or the daemon was stopped while the worker had the message.',
  'daemon-died': 'the daemon ended while the worker had the message.',
} as const;

type Loss = Extract<Happening, { kind: keyof typeof sentences }>;

/** The worker is to have it again (`until-done`), unless it was the death of too many. */
function afterLoss(loss: Loss, charges: Charges): Verdict {
  switch (loss.kind) {
    case 'unclear':
    case 'stopped':
      return again({});
    case 'daemon-died': {
      const daemonDeaths = charges.daemonDeaths + 1;
      if (daemonDeaths < most.daemonDeaths) return again({ daemonDeaths: 1, suspect: true });
      return dead('daemon-died', `The daemon ended ${daemonDeaths} times while a worker had it.`);
    }
    case 'worker-died': {
      // In company nobody knows who was to blame: suspects are handed over one at a time from now on.
      if (!loss.alone) return again({ suspect: true });
      const workerDeaths = charges.workerDeaths + 1;
      if (workerDeaths < most.workerDeaths) return again({ workerDeaths: 1, suspect: true });
      return dead('worker-died', `Its worker ended ${workerDeaths} times while it had this message alone.`);
    }
  }
}

function afterWorkerError(reason: string, redelivery: Redelivery, charges: Charges): Verdict {
  const workerErrors = charges.workerErrors + 1;
  if (redelivery === 'until-done' && workerErrors < most.workerErrors) {
    return again({ workerErrors: 1 }, errorRest * 4 ** (workerErrors - 1));
  }
  return dead('worker-error', `The worker failed on it: ${reason}`);
}

function afterInternalError(reason: string, redelivery: Redelivery, charges: Charges): Verdict {
  const internalErrors = charges.internalErrors + 1;
  if (redelivery === 'until-done' && internalErrors < most.internalErrors) {
    return again({ internalErrors: 1 }, shortRest);
  }
  return dead('internal', `The daemon failed on it: ${reason}`);
}

function dead(reason: DeadReason, message: string): Verdict {
  return { kind: 'dead', reason, message };
}

function again(charge: RequestCharge, rest = 0): Verdict {
  return { kind: 'again', charge, rest };
}
