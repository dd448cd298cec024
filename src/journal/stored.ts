/**
 * What the journal's tables hold, in memory; how it lies on disk says tables.ts.
 */
import type { RequestRow, ResponseRow } from './journal.ts';
import type { MessageRecord } from './message-record.ts';
import type { DeadReason, ReportState } from './words.ts';

/** A request as it is kept: the row everybody sees, and what only the journal needs. */
export interface StoredRequest extends RequestRow {
  readonly responseTo: string;
  /** Bytes it counts for: metadata, content, fetched content. */
  readonly weight: number;
  /** As {@link StoredId} has it; empty when its id has a row of its own. */
  readonly hash: string;
}

export interface StoredResponse extends ResponseRow {
  readonly weight: number;
}

export interface StoredDead {
  readonly was:
    | { readonly kind: 'request'; readonly row: StoredRequest }
    | { readonly kind: 'response'; readonly row: StoredResponse };
  readonly reason: DeadReason;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly diedAt: number;
  readonly report: ReportState;
}

export interface StoredBody {
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly content: Uint8Array;
  /** Both as they lie on disk. */
  readonly record: Uint8Array;
}

export interface StoredId {
  readonly sequence: number;
  readonly directive: string;
  readonly hash: string;
}

export interface StoredDone {
  /** Key in `ids`. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** What is remembered of a finished request; not set for what was never finished, and for commands. */
  readonly was?: FinishedRequest | undefined;
  /** As {@link StoredId} has it; empty when its id has a row of its own. */
  readonly hash: string;
}

/** Some that are done, in the order of their sequences. */
export interface DoneBlock {
  readonly sequences: readonly number[];
  readonly ids: readonly string[];
  /** One for each; read when it is asked for, and not kept. */
  entries(): readonly StoredDone[];
}

/** As {@link MessageRecord} has it. */
export type FinishedRequest = Pick<
  MessageRecord,
  'directive' | 'size' | 'queuedAt' | 'startedAt' | 'attempts' | 'cancel' | 'origin' | 'redelivery'
>;

/** How many, and of what weight. */
export interface Tally {
  readonly messages: number;
  readonly bytes: number;
  readonly waiting: number;
  readonly cancels: number;
}
