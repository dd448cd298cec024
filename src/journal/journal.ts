/**
 * What the parts may ask of the journal: the messages on disk that are not finished, and what became of the others.
 *
 *   requests:  received -> (fetched) -> offered -> in-hand -> done | dead      (offered, in-hand -> received: `back`)
 *   responses: returned -> delivered | dead
 *
 * Each method is one transaction and returns at once. Reads see every write made before them. A {@link Receipt}
 * tells when a write survives a killed process (`committed`) and when it survives a power cut (`flushed`).
 *
 * *Adds* (`receive`, `respond`) may be refused: their receipt rejects with `YGG_JOURNAL_FULL` or `YGG_JOURNAL_IO`
 * and the write is as if never made. *Transitions* (everything else) are never refused: what the disk does not take
 * is kept and tried again, in order, until it does; their receipt waits for that.
 */

import type { Messages } from './message-record.ts';
import type { DeadReason, Origin, Redelivery, ReportState, RequestState, ResponseKind } from './words.ts';

export type { DeadReason, Redelivery, RequestState } from './words.ts';

export interface Receipt {
  readonly sequence: number;
  readonly committed: Promise<void>;
  readonly flushed: Promise<void>;
}

/** A request as it arrives. */
export interface NewRequest {
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  /** `null` when the envelope had none. */
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The exact bytes between the braces of the envelope. */
  readonly content: Uint8Array;
  /** A data message that cancels another (Foreman): own lane, no slot. */
  readonly cancel: boolean;
  /** Where it came from: the broker, or this host. */
  readonly origin: Origin;
}

/** The small, changing part of a request. */
export interface RequestRow {
  readonly sequence: number;
  readonly messageId: string;
  readonly directive: string;
  readonly cancel: boolean;
  readonly origin: Origin;
  readonly state: RequestState;
  /** Bytes of its content as handed over: fetched content once it is there. */
  readonly size: number;
  /** File of fetched content below `contentDirectory`, or empty. */
  readonly contentFile: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly startedAt: number;
  readonly updatedAt: number;
  /** How often it was offered. */
  readonly attempt: number;
  /** Charges, each counted apart (docs/reliability.md). */
  readonly workerDeaths: number;
  readonly daemonDeaths: number;
  readonly workerErrors: number;
  readonly internalErrors: number;
  /** It was in hand with others when their worker died, or when the daemon died: hand it over alone. */
  readonly suspect: boolean;
  /** It was cancelled while a worker had it: it is not handed over again. */
  readonly calledOff: boolean;
  /** The policy of the worker it was last offered to. */
  readonly redelivery: Redelivery;
}

/** What a transition back to waiting changes besides the state; numbers are added to what the row has. */
export interface RequestCharge {
  readonly workerDeaths?: number;
  readonly daemonDeaths?: number;
  readonly workerErrors?: number;
  readonly internalErrors?: number;
  readonly suspect?: boolean;
}

/** The large, constant part of a request. */
export interface RequestBody {
  readonly responseTo: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly content: Uint8Array;
}

/** What is remembered of a message id. */
export interface KnownId {
  /**
   * `waiting`: taken, never offered; `offered`: offered at least once and unfinished; `done`; `dead-offered` and
   * `dead-unoffered`: a dead letter that was, or was never, offered to a worker; `cancelled`.
   */
  readonly state: 'waiting' | 'offered' | 'done' | 'dead-offered' | 'dead-unoffered' | 'cancelled';
  /** Whom it was given to, or is for. */
  readonly directive: string;
  /** Over directive, metadata and content ({@link requestHash}). */
  readonly hash: string;
  /** Journal sequence of the request, dead letter, or former request. */
  readonly sequence: number;
}

export interface NewResponse {
  readonly messageId: string;
  readonly responseTo: string;
  /** A name, answered by MQTT, or a URL, answered by POST. */
  readonly directive: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly content: Uint8Array;
  /** Handler of the worker that sent it: the directive it counts against. */
  readonly handler: string;
}

export interface ResponseRow {
  readonly sequence: number;
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly handler: string;
  /** A failure report of a dead letter is never itself reported. */
  readonly kind: ResponseKind;
  readonly size: number;
  readonly returnedAt: number;
  /** Failed deliveries that looked permanent (HTTP). */
  readonly failures: number;
  /** Connections that closed while it was in flight. */
  readonly closes: number;
}

export interface ResponseBody {
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly content: Uint8Array;
}

export interface DeadLetter {
  readonly sequence: number;
  readonly kind: 'request' | 'response';
  readonly messageId: string;
  readonly directive: string;
  readonly responseTo: string;
  readonly reason: DeadReason;
  /** What happened, for people. */
  readonly message: string;
  readonly size: number;
  readonly receivedAt: number;
  readonly diedAt: number;
  readonly attempt: number;
  /** `reported`: its report is in the outbox or was delivered; `unreported`: no place yet, sent later. */
  readonly report: ReportState;
}

export interface Fill {
  readonly messages: number;
  readonly bytes: number;
}

/** How full, against its limit. */
export interface Gauge extends Fill {
  readonly limit: Fill;
}

export interface Inbox {
  /** Adds a request; with `offered` it is committed as offered at once (free slot, nothing to fetch). */
  receive(request: NewRequest, offered?: { readonly redelivery: Redelivery }): Receipt;
  /** Adds a request that is given up on arrival (too large, share full). */
  refuse(request: NewRequest, reason: DeadReason, message: string): Receipt;
  /** Its content lies in `contentFile` now. */
  fetched(sequence: number, contentFile: string, size: number): Receipt;
  /** It is about to be handed over; counts an attempt. */
  offer(sequence: number, redelivery: Redelivery): Receipt;
  /** A worker accepted it. `soon`: nobody waits for the receipt, and it may go with a later write. */
  accept(sequence: number, when?: 'now' | 'soon'): Receipt;
  /** Back to waiting, with what is charged. A fetched content stays. */
  back(sequence: number, charge?: RequestCharge): Receipt;
  /** It was cancelled, and a worker has it: it is not to be handed over again, whatever becomes of the worker. */
  callOff(sequence: number): Receipt;
  /** Finished: its id joins the done ids. */
  finish(sequence: number): Receipt;
  /** Given up; with its report, unless reports are off or it came from this host. */
  bury(sequence: number, reason: DeadReason, message: string): Receipt;

  row(sequence: number): RequestRow | undefined;
  body(sequence: number): RequestBody | undefined;
  /** What is known of a message id of a request. */
  find(messageId: string): KnownId | undefined;
  /**
   * Waiting requests (received or fetched, not cancels) of a directive, oldest first, by sequence after `after`
   * (0 when left out).
   */
  waiting(directive: string, limit: number, after?: number): readonly RequestRow[];
  /** Waiting cancels of a directive, oldest first. */
  cancels(directive: string, limit: number): readonly RequestRow[];
  /** Rows left `offered` or `in-hand`, by sequence after `after`: after a start, what a crash left. */
  unsettled(after: number, limit: number): readonly RequestRow[];
  /** Directives with something waiting, cancels included. */
  directives(): Iterable<string>;
  /** Everything not finished, of one directive or in all. */
  fill(directive?: string): Gauge;
  /** How many wait for a slot, of one directive. */
  waitingCount(directive: string): number;
}

export interface Outbox {
  /**
   * Adds a response; with `finishes` the request it answers is finished in the same transaction. Throws
   * `YGG_OUTBOX_FULL` when the outbox, or the handler's share of it, is full.
   */
  respond(response: NewResponse, finishes?: number): Receipt;
  /** Delivered. */
  remove(sequence: number): Receipt;
  /** Counts a failed delivery. */
  charge(sequence: number, charge: { readonly failures?: number; readonly closes?: number }): Receipt;
  /** Given up; a response's death is reported too, a report's is not. */
  bury(sequence: number, reason: DeadReason, message: string): Receipt;

  row(sequence: number): ResponseRow | undefined;
  body(sequence: number): ResponseBody | undefined;
  /**
   * Responses by sequence after `after`, oldest first; reports have their own list. Both tell only of what is on the
   * disk, for what they tell of goes out.
   */
  responses(after: number, limit: number): readonly ResponseRow[];
  reports(after: number, limit: number): readonly ResponseRow[];
  fill(handler?: string): Gauge;
}

/** Ids of carried out commands; what became of requests says `inbox.find`. */
export interface DoneIds {
  /** Remembers a carried out command. */
  add(messageId: string): Receipt;
  has(messageId: string): boolean;
}

export interface DeadLetters {
  /** Newest first, before sequence `before`. */
  list(before: number, limit: number): readonly DeadLetter[];
  get(sequence: number): DeadLetter | undefined;
  body(sequence: number): RequestBody | ResponseBody | undefined;
  /** Back into the inbox or outbox as if new; its id runs again. */
  retry(sequence: number): Receipt | undefined;
  drop(sequence: number): Receipt | undefined;
  /** Calls back when a message has become a dead letter; returns the function that stops it. */
  onDead(listener: (letter: DeadLetter) => void): () => void;
  readonly count: number;
}

export interface Journal {
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly done: DoneIds;
  readonly dead: DeadLetters;
  /** All of them, and what is done, for those who look. */
  readonly messages: Messages;
  /** Where fetched content is kept; files nobody refers to are removed at the start. */
  readonly contentDirectory: string;
  /** Why the journal takes no adds at the moment, or `undefined` when it does. */
  readonly trouble: 'full' | 'failing' | 'slow' | undefined;
  /** Milliseconds for which the oldest write under way has waited for an answer of the disk; 0 while there is none. */
  readonly stalledFor: number;
  /** Whether the last end was clean (decides who is charged at the start). */
  readonly cleanStart: boolean;
  /** Calls back when `trouble` changes; returns the function that stops it. */
  onTrouble(listener: (trouble: Journal['trouble']) => void): () => void;
  /** Calls back when `outbox.reports` tells of more; returns the function that stops it. */
  onReport(listener: () => void): () => void;
  /** Everything written so far is on the disk; rejects when the deadline of the caller's signal passes first. */
  flush(abort?: AbortSignal): Promise<void>;
  /** Flushes, says the end was clean, and closes. */
  close(): Promise<void>;
}

export interface JournalLimits {
  readonly inbox: Fill;
  readonly outbox: Fill;
  /** Places for failure reports beside the outbox. */
  readonly reports: number;
  /** `age` in milliseconds. */
  readonly done: { readonly messages: number; readonly age: number };
  readonly dead: { readonly messages: number; readonly age: number };
}
