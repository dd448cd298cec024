/**
 * What the admission knows of one directive.
 */
import type { RequestRow } from '../journal/journal.ts';

export interface Lane {
  readonly directive: string;
  slots: number;
  /** How many of it have ended. */
  settled: number;
  /** The next to be admitted, read in pages; a row that comes back, or a new worker, begins anew. */
  ahead: RequestRow[];
  /** Rows up to this sequence are admitted, settled, or in `ahead`. */
  after: number;
  /** Received, and not known to be on disk: not admitted, for the disk may refuse them. */
  readonly uncommitted: Set<number>;
  /** Cancels may wait on disk. */
  cancels: boolean;
}

export function newLane(directive: string): Lane {
  return { directive, slots: 0, settled: 0, ahead: [], after: 0, uncommitted: new Set(), cancels: true };
}

/** Everything that waits is looked at again. */
export function restart(lane: Lane): void {
  lane.ahead = [];
  lane.after = 0;
  lane.cancels = true;
}
