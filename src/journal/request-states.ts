/**
 * How the row of a request begins, and what each move makes of it.
 *
 * Pure: a move looks at the row as it is when it is made, for it may be made again. Time in milliseconds since the
 * epoch.
 */
import type { NewRequest, Redelivery, RequestCharge } from './journal.ts';
import type { FinishedRequest, StoredRequest } from './stored.ts';

export interface Arrival {
  readonly sequence: number;
  readonly at: number;
  readonly weight: number;
  /** Set: it is offered at once, to a worker with this policy. */
  readonly redelivery: Redelivery | undefined;
  /** Set: its id stays with it. */
  readonly hash: string;
}

/** Written out, as spreading is dear here: one for each message. */
export function arrived(
  request: NewRequest,
  { sequence, at, weight, redelivery, hash }: Arrival,
): StoredRequest {
  return {
    sequence,
    messageId: request.messageId,
    responseTo: request.responseTo,
    directive: request.directive,
    cancel: request.cancel,
    origin: request.origin,
    state: redelivery ? 'offered' : 'received',
    size: request.content.length,
    contentFile: '',
    receivedAt: at,
    startedAt: redelivery ? at : 0,
    updatedAt: at,
    attempt: redelivery ? 1 : 0,
    workerDeaths: 0,
    daemonDeaths: 0,
    workerErrors: 0,
    internalErrors: 0,
    suspect: false,
    calledOff: false,
    redelivery: redelivery ?? 'until-accepted',
    weight,
    hash,
  };
}

/** A dead letter taken back, as if it had just arrived; what was fetched for it stays. */
export function restored(was: StoredRequest, sequence: number, at: number): StoredRequest {
  return {
    ...was,
    sequence,
    state: waitingState(was),
    receivedAt: at,
    startedAt: 0,
    updatedAt: at,
    attempt: 0,
    workerDeaths: 0,
    daemonDeaths: 0,
    workerErrors: 0,
    internalErrors: 0,
    suspect: false,
    calledOff: false,
  };
}

export function fetched(row: StoredRequest, at: number, contentFile: string, size: number): StoredRequest {
  const weight = row.weight - (row.contentFile === '' ? 0 : row.size) + size;
  const state = row.state === 'received' ? 'fetched' : row.state;
  return { ...row, state, contentFile, size, weight, updatedAt: at };
}

export function offered(row: StoredRequest, at: number, redelivery: Redelivery): StoredRequest {
  const attempt = row.attempt + 1;
  return { ...row, state: 'offered', redelivery, attempt, startedAt: at, updatedAt: at };
}

/** One that went back to waiting meanwhile stays there. */
export function accepted(row: StoredRequest, at: number): StoredRequest {
  return isWaiting(row) ? row : { ...row, state: 'in-hand', updatedAt: at };
}

export function calledOff(row: StoredRequest, at: number): StoredRequest {
  return { ...row, calledOff: true, updatedAt: at };
}

export function givenBack(row: StoredRequest, at: number, charge: RequestCharge): StoredRequest {
  return {
    ...row,
    state: waitingState(row),
    updatedAt: at,
    workerDeaths: row.workerDeaths + (charge.workerDeaths ?? 0),
    daemonDeaths: row.daemonDeaths + (charge.daemonDeaths ?? 0),
    workerErrors: row.workerErrors + (charge.workerErrors ?? 0),
    internalErrors: row.internalErrors + (charge.internalErrors ?? 0),
    suspect: charge.suspect ?? row.suspect,
  };
}

/** What is remembered of it when it is done. */
export function finished(row: StoredRequest): FinishedRequest {
  return {
    directive: row.directive,
    size: row.size,
    queuedAt: row.receivedAt,
    startedAt: row.startedAt,
    attempts: row.attempt,
    cancel: row.cancel,
    origin: row.origin,
    redelivery: row.redelivery,
  };
}

export function isWaiting({ state }: Pick<StoredRequest, 'state'>): boolean {
  return state === 'received' || state === 'fetched';
}

function waitingState({ contentFile }: StoredRequest): 'received' | 'fetched' {
  return contentFile === '' ? 'received' : 'fetched';
}
