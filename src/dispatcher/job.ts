/**
 * One request between `data-process` and its settlement.
 */
import type { WorkingMessage } from '../datastore.ts';
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
  phase: Phase;
  /** Whom it was offered to; set while it is `offering` to `in-hand`. */
  worker: LiveWorker | undefined;
  /** It was there when worker or daemon died: nothing else is in hand while it is. */
  suspect: boolean;
  /** Its response is on the way to the disk and finishes it. */
  answering: boolean;
  /** Monotonic milliseconds of the last move to `unclear` or `in-hand`. */
  since: number;
}

export function createJob(doc: WorkingMessage, suspect: boolean): Job {
  return { doc, phase: 'waiting', worker: undefined, suspect, answering: false, since: 0 };
}
