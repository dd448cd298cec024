/**
 * The words that records hold, each list whole: the compiler finds a word that is missing here, and a record with
 * another one is damaged.
 */
import type { DeadReason, Redelivery, RequestRow, RequestState, ResponseRow } from './journal.ts';
import type { StoredDead } from './stored.ts';

export const states: Readonly<Record<RequestState, true>> = {
  received: true,
  fetched: true,
  offered: true,
  'in-hand': true,
};
export const redeliveries: Readonly<Record<Redelivery, true>> = {
  'until-accepted': true,
  'until-done': true,
};
export const origins: Readonly<Record<RequestRow['origin'], true>> = { broker: true, local: true };
export const responseKinds: Readonly<Record<ResponseRow['kind'], true>> = { response: true, report: true };
export const deadKinds: Readonly<Record<StoredDead['was']['kind'], true>> = { request: true, response: true };
export const reportStates: Readonly<Record<StoredDead['report'], true>> = {
  none: true,
  reported: true,
  unreported: true,
};
export const reasons: Readonly<Record<DeadReason, true>> = {
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
};
