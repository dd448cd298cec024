/**
 * The words that records hold, each list whole: the types come from the lists, and a record with another word is
 * damaged.
 */

export const states = { received: true, fetched: true, offered: true, 'in-hand': true } as const;
export type RequestState = keyof typeof states;

/** What becomes of a message whose worker accepted it and did not finish it (docs/reliability.md). */
export const redeliveries = { 'until-accepted': true, 'until-done': true } as const;
export type Redelivery = keyof typeof redeliveries;

/** Where a request came from: the broker, or this host. */
export const origins = { broker: true, local: true } as const;
export type Origin = keyof typeof origins;

export const responseKinds = { response: true, report: true } as const;
export type ResponseKind = keyof typeof responseKinds;

export const deadKinds = { request: true, response: true } as const;

/** What the server was told of a dead letter. */
export const reportStates = { none: true, reported: true, unreported: true } as const;
export type ReportState = keyof typeof reportStates;

export const reasons = {
  refused: true,
  'worker-error': true,
  'outcome-unknown': true,
  'worker-died': true,
  'daemon-died': true,
  'timed-out': true,
  failed: true,
  'no-worker': true,
  'inbox-full': true,
  'content-failed': true,
  'too-large': true,
  cancelled: true,
  internal: true,
  'publish-refused': true,
  'delivery-failed': true,
} as const;
export type DeadReason = keyof typeof reasons;
