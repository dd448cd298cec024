/**
 * What the journal shows of its messages to somebody who looks into it: every message in one form, whatever became
 * of it, the latest first.
 *
 * Nothing is moved by looking, and nothing but this page knows all tables at once.
 */
import type { DeadReason, Origin, Redelivery, ReportState, RequestState } from './words.ts';

/** `returned`: a response or report that is not delivered yet. */
export type MessageState = RequestState | 'returned' | 'done' | 'dead';

export const messageStates: readonly MessageState[] = [
  'received',
  'fetched',
  'offered',
  'in-hand',
  'returned',
  'done',
  'dead',
];

export type MessageKind = 'request' | 'response' | 'report';

/** Times are milliseconds since the epoch, 0 for what has not happened. */
export interface MessageRecord {
  readonly sequence: number;
  readonly kind: MessageKind;
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly state: MessageState;
  /** Of a dead letter; empty for every other message. */
  readonly reason: DeadReason | '';
  /** What happened to a dead letter, for people. */
  readonly explanation: string;
  /** What the server was told of a dead letter. */
  readonly report: ReportState;
  /** Bytes of its content. */
  readonly size: number;
  /** When it came, or when its worker returned it. */
  readonly queuedAt: number;
  /** When it was last offered. */
  readonly startedAt: number;
  /** When its state last changed; of a message that is done or dead, its end. */
  readonly updatedAt: number;
  /** How often it was offered; of a response, how often its delivery failed. */
  readonly attempts: number;
  readonly cancel: boolean;
  /** Empty for responses. */
  readonly origin: Origin | '';
  /** The policy of the worker it was last offered to; empty when it never was. */
  readonly redelivery: Redelivery | '';
  /** File of fetched content below the journal's `contentDirectory`, or empty. */
  readonly contentFile: string;
}

export interface MessagePage {
  readonly records: readonly MessageRecord[];
  /** Where the next page begins, or `undefined` when nothing is older. */
  readonly next: number | undefined;
}

export interface Messages {
  /**
   * Newest first, before sequence `before` (all when left out). Looks at `limit` entries and shows those that are
   * messages: a page may be empty and not the last.
   */
  page(limit: number, before?: number): MessagePage;
  get(sequence: number): MessageRecord | undefined;
}
