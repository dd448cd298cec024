/**
 * One request between `data-process` and its settlement.
 */
import type { WorkingMessage } from '../datastore.ts';
import type { RequestRow } from '../journal/journal.ts';
import type { LiveWorker } from './live-worker.ts';

/**
 * Where a job is. Its moves:
 *
 *   waiting -> offering -> calling -> in-hand | unclear -> settled
 *   offering, calling -> resting -> waiting        (to be handed over again)
 *   any -> settled                                 (answered, dead, or given back to the inbox)
 */
export type Phase =
  /** In its lane, not offered yet. */
  | 'waiting'
  /** Being written to the journal as offered, or its content being read. */
  | 'offering'
  /** The call is under way. */
  | 'calling'
  /** The call ended without saying what became of it; the worker's end, or a while, will. */
  | 'unclear'
  /** Accepted, not answered. */
  | 'in-hand'
  /** Waits a while before it is handed over again. */
  | 'resting'
  | 'settled';

export interface Job {
  readonly doc: WorkingMessage;
  /** Bytes of its content as it is handed over. */
  readonly size: number;
  phase: Phase;
  /** Whom it was offered to; set while it is `offering` to `in-hand`. */
  worker: LiveWorker | undefined;
  /** Its content is in memory, or about to be. */
  loaded: boolean;
  /** It was there when worker or daemon died: nothing else is in hand while it is. */
  suspect: boolean;
  /** Its response is on the way to the disk and finishes it. */
  answering: boolean;
  /** It was cancelled while a worker had it: it is not handed over again. */
  calledOff: boolean;
  /** How often it was offered, this time included; 0 before. */
  attempt: number;
  /** An attached worker took it upon itself, and that is in the journal. */
  accepted: boolean;
  /** It was said that its worker accepted it. */
  announced: boolean;
  /** Monotonic milliseconds of the last move to `unclear` or `in-hand`. */
  since: number;
}

/** `row` is what its journal row says, where that is not the same as in its document. */
export function createJob(
  doc: WorkingMessage,
  row: Pick<RequestRow, 'size' | 'suspect' | 'calledOff'> | undefined,
): Job {
  const { size = doc.size, suspect = false } = row ?? {};
  return {
    doc,
    size,
    phase: 'waiting',
    worker: undefined,
    loaded: false,
    suspect,
    answering: false,
    calledOff: row?.calledOff ?? false,
    attempt: 0,
    accepted: false,
    announced: false,
    since: 0,
  };
}
