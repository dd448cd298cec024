/**
 * What travels on Attach, as it looks in memory, and its limits: protocol/attach.md.
 *
 * The fields are those of protocol/yggdrasil.proto. A decoded frame has all of them; one that is written leaves out
 * what it does not say.
 */
/** Of this protocol. */
export const attachVersion = 1;

/** What the daemon knows beyond the version. */
export const dispatcherFeatures: readonly AttachFeature[] = [
  'chunks',
  'cancel',
  'files',
  'progress',
  'results',
  'health',
];

export type AttachFeature = 'chunks' | 'cancel' | 'files' | 'progress' | 'results' | 'health';

/** Bytes of the largest frame: what every gRPC library receives without being told. Of a worker, it may be less. */
export const largestFrame: number = 4 * 1024 * 1024;
/** Bytes of content from which on it goes in chunks; no chunk is larger, and a frame that holds as much is closed. */
export const inlineContent: number = 256 * 1024;
/** Messages after which a frame is closed. */
export const mostPerFrame = 64;
/** Bytes of what a handler says about its progress. */
export const mostProgress: number = 4 * 1024;

/** By its number on the wire. */
export const redeliveries = { unsaid: 0, 'until-accepted': 1, 'until-done': 2 } as const;

/** By its number on the wire; a number that is not listed counts as `failed`. */
export const outcomeResults = { done: 0, failed: 1, cancelled: 2, returned: 3 } as const;

export interface HandlerOffer {
  readonly name: string;
  readonly detached: boolean;
  readonly features: Readonly<Record<string, string>>;
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

/** What happened to the connection to the broker, as workers hear it. */
export interface EventNotification {
  readonly name: number;
  readonly detail: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An answer, or a message of the worker's own accord. */
export interface Answer {
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
  readonly delivery: number;
  readonly totalSize: number;
  readonly wantsResult: boolean;
}

export interface Outcome {
  readonly delivery: number;
  readonly result: number;
  readonly code: string;
  readonly text: string;
  readonly retry: boolean;
  readonly delayMs: number;
}

export interface HealthResult {
  readonly name: string;
  readonly healthy: boolean;
  readonly status: string;
}

export interface WorkerFrame {
  readonly hello: Hello | null;
  readonly accepted: readonly number[];
  readonly progress: ReadonlyArray<{ readonly delivery: number; readonly data: Uint8Array }>;
  readonly answers: readonly Answer[];
  readonly chunks: ReadonlyArray<{ readonly messageId: string; readonly content: Uint8Array }>;
  readonly outcomes: readonly Outcome[];
  readonly pulls: ReadonlyArray<{ readonly delivery: number; readonly until: number }>;
  readonly credit: number;
  readonly health: { readonly results: readonly HealthResult[] } | null;
  readonly goodbye: { readonly reason: string } | null;
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

export interface Delivery {
  readonly number: number;
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
  readonly attempt: number;
  readonly totalSize: number;
  readonly file: string;
  readonly cancel: boolean;
}

export interface AnswerReceipt {
  readonly messageId: string;
  readonly code?: string;
  readonly text?: string;
  readonly retry?: boolean;
  readonly result?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Uint8Array;
  };
}

/** The repeated fields of a frame to a worker. */
export interface DispatcherLists {
  readonly drops: number;
  readonly receipts: AnswerReceipt;
  readonly recorded: number;
  readonly settled: number;
  readonly deliveries: Delivery;
  readonly chunks: { readonly delivery: number; readonly content: Uint8Array };
  readonly pulls: { readonly messageId: string; readonly until: number };
  readonly cancels: { readonly delivery: number; readonly messageId: string };
  readonly events: EventNotification;
}

export type DispatcherListFields = { [List in keyof DispatcherLists]?: Array<DispatcherLists[List]> };

export interface DispatcherFrame extends DispatcherListFields {
  welcome?: Welcome;
  credit?: { answers: number; bytes: number };
  drain?: { readonly reason: string; readonly patienceMs: number };
  goodbye?: { readonly reason: string };
}
