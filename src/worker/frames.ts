/**
 * What travels on Attach, as it looks in memory to a worker, and its limits: protocol/attach.md.
 *
 * A decoded frame has all fields; one that is written leaves out what it does not say.
 */

import type { HttpResult } from './http-result.ts';

/** Of this protocol. */
export const attachVersion = 1;

/** What a worker of this SDK knows beyond the version. */
export const workerFeatures: readonly string[] = ['chunks', 'cancel', 'files'];

/** Bytes of content from which on it goes in chunks when the daemon has not said, and that close a frame. */
export const inlineContent: number = 256 * 1024;
/** Bytes of the largest frame when the daemon has not said. */
export const largestFrame: number = 4 * 1024 * 1024;
/** Messages after which a frame is closed. */
export const mostPerFrame = 64;
/** Bytes of progress that are told. */
export const mostProgress: number = 4 * 1024;

/** By its number on the wire. */
export const redeliveries = { 'until-accepted': 1, 'until-done': 2 } as const;

export type Redelivery = keyof typeof redeliveries;

/** By its number on the wire. */
export const results = { done: 0, failed: 1, cancelled: 2, returned: 3 } as const;

export type Result = keyof typeof results;

/** By its number on the wire; the last word is what the handler is told. */
export const brokerEvents: Readonly<Record<number, BrokerEvent>> = {
  1: 'received-disconnect',
  2: 'unexpected-disconnect',
  3: 'connection-restored',
};

/** What became of the daemon's connection to its broker. */
export type BrokerEvent = 'received-disconnect' | 'unexpected-disconnect' | 'connection-restored';

export type Metadata = Readonly<Record<string, string>>;

export interface HandlerOffer {
  readonly name: string;
  readonly detached: boolean;
  readonly features: Metadata;
  readonly redelivery: number;
  readonly concurrency: number;
  readonly accepts: boolean;
}

export interface Hello {
  readonly version: number;
  readonly features: readonly string[];
  readonly library: string;
  readonly pid: number;
  readonly startTime: string;
  readonly handlers: readonly HandlerOffer[];
  readonly inWork: readonly number[];
  readonly unreceipted: readonly string[];
}

export interface Answer {
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Metadata;
  readonly content: Uint8Array;
  /** The delivery it answers, or 0. */
  readonly delivery: number;
  readonly totalSize?: number;
  /** A second receipt is to tell what the server said that it is posted to. */
  readonly wantsResult?: boolean;
}

export interface Outcome {
  readonly delivery: number;
  readonly result: number;
  readonly code?: string;
  readonly text?: string;
  readonly retry?: boolean;
  readonly delayMs?: number;
}

export interface HealthResult {
  readonly name: string;
  readonly healthy: boolean;
  readonly status: string;
}

/** The repeated fields of a frame to the daemon. */
export interface WorkerLists {
  readonly accepted: number;
  readonly progress: { readonly delivery: number; readonly data: Uint8Array };
  readonly answers: Answer;
  readonly chunks: { readonly messageId: string; readonly content: Uint8Array };
  readonly outcomes: Outcome;
  readonly pulls: { readonly delivery: number; readonly until: number };
}

export type WorkerListFields = { [List in keyof WorkerLists]?: Array<WorkerLists[List]> };

export interface WorkerFrame extends WorkerListFields {
  hello?: Hello;
  credit?: number;
  health?: { readonly results: readonly HealthResult[] };
  goodbye?: { readonly reason: string };
}

export interface HandlerGrant {
  readonly name: string;
  readonly slots: number;
  readonly redelivery: number;
  readonly timeoutMs: number;
}

export interface HandlerRefusal {
  readonly name: string;
  readonly code: string;
  readonly reason: string;
}

export interface Welcome {
  readonly version: number;
  readonly features: readonly string[];
  readonly clientId: string;
  readonly configDirectory: string;
  readonly maxContentSize: number;
  readonly largestFrame: number;
  readonly inlineContent: number;
  readonly handlers: readonly HandlerGrant[];
  readonly refused: readonly HandlerRefusal[];
  readonly repeat: readonly string[];
}

/** A message to the worker. */
export interface Delivery {
  readonly number: number;
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Metadata;
  readonly content: Uint8Array;
  readonly attempt: number;
  readonly totalSize: number;
  readonly file: string;
  readonly cancel: boolean;
}

export interface AnswerReceipt {
  readonly messageId: string;
  readonly code: string;
  readonly text: string;
  readonly retry: boolean;
  readonly result: HttpResult | null;
}

export interface DispatcherFrame {
  readonly welcome: Welcome | null;
  readonly drops: readonly number[];
  readonly receipts: readonly AnswerReceipt[];
  readonly recorded: readonly number[];
  readonly settled: readonly number[];
  readonly deliveries: readonly Delivery[];
  readonly chunks: ReadonlyArray<{ readonly delivery: number; readonly content: Uint8Array }>;
  readonly pulls: ReadonlyArray<{ readonly messageId: string; readonly until: number }>;
  readonly cancels: ReadonlyArray<{ readonly delivery: number; readonly messageId: string }>;
  readonly credit: { readonly answers: number; readonly bytes: number } | null;
  readonly events: ReadonlyArray<{ readonly name: number; readonly detail: string }>;
  readonly drain: { readonly reason: string; readonly patienceMs: number } | null;
  readonly goodbye: { readonly reason: string } | null;
}
