/**
 * What the ledger gathers for one transaction, and what takes part in it.
 */
import { Outcome } from './outcome.ts';
import type { Write } from './store.ts';

/** What takes part in transactions: a table, or what is made from tables. */
export interface Transacted {
  /** Adds what it writes to the next transaction. */
  send(writes: Write[]): void;
  committed(): void;
  /** Nothing that was not committed holds. */
  undo(): void;
}

export interface Batch {
  /** Somebody waits for it: it goes out at the end of this turn. Else it may wait for company. */
  urgent: boolean;
  /** In order; made again when the transaction fails. */
  readonly changes: Array<() => void>;
  /** What waits for the commit, each once. */
  readonly afterwards: Set<() => void>;
  /** What waits for the flush: fetched content is removed after what named it, also for a power cut. */
  readonly afterFlush: Array<() => void>;
  /** Told when the adds of this batch are on the disk or refused. */
  adds: Outcome | undefined;
  /** Told when its changes are on the disk. */
  readonly outcome: Outcome;
  /** Of batches that failed before and whose changes are in this one now. */
  readonly earlier: Outcome[];
}

export function emptyBatch(): Batch {
  return {
    urgent: false,
    changes: [],
    afterwards: new Set(),
    afterFlush: [],
    adds: undefined,
    outcome: new Outcome(),
    earlier: [],
  };
}
