/**
 * Messages as people and as programs read them.
 */
import { inColumns } from '../base/columns.ts';
import { dateAndTime, sizeText } from '../base/time-text.ts';
import type { MessageRecord } from '../journal/message-record.ts';

/** A list with its heading. */
export function messageLines(records: readonly MessageRecord[]): string[] {
  const heading = ['NUMBER', 'ID', 'DIRECTIVE', 'STATE', 'QUEUED', 'UPDATED', 'ATTEMPTS', 'REASON'];
  const rows = records.map((record) => [
    String(record.sequence),
    record.messageId,
    record.directive,
    stateOf(record),
    timeOr(record.queuedAt),
    timeOr(record.updatedAt),
    String(record.attempts),
    record.reason,
  ]);
  return inColumns([heading, ...rows], [0, 6]);
}

/** One message, everything that is known of it but its content. */
export function messageDetails(record: MessageRecord): string[] {
  const { sequence, kind, messageId, responseTo, directive, reason, explanation, report, size } = record;
  const rows: Array<readonly [name: string, value: string]> = [
    ['number', String(sequence)],
    ['id', messageId],
    ['kind', record.cancel ? `${kind} that cancels another` : kind],
    ['answers', responseTo],
    ['directive', directive],
    ['state', stateOf(record)],
    ['reason', explanation === '' ? reason : `${reason}: ${explanation}`],
    ['reported', report === 'none' ? '' : report],
    ['size', sizeText(size)],
    ['came from', record.origin],
    ['queued', timeOr(record.queuedAt)],
    ['started', timeOr(record.startedAt)],
    ['updated', timeOr(record.updatedAt)],
    ['attempts', String(record.attempts)],
    ['redelivery', record.redelivery],
  ];
  return inColumns(rows.filter(([, value]) => value !== ''));
}

/** Exact times; `null` for what has not happened. */
export function messageFields(record: MessageRecord): Readonly<Record<string, unknown>> {
  return {
    number: record.sequence,
    kind: record.kind,
    message_id: record.messageId,
    response_to: record.responseTo,
    directive: record.directive,
    state: record.state,
    reason: record.reason,
    explanation: record.explanation,
    report: record.report,
    size: record.size,
    queued: isoOrNull(record.queuedAt),
    started: isoOrNull(record.startedAt),
    updated: isoOrNull(record.updatedAt),
    attempts: record.attempts,
    cancel: record.cancel,
    origin: record.origin,
    redelivery: record.redelivery,
  };
}

export function timeOr(at: number, nothing = ''): string {
  return at > 0 ? dateAndTime(at) : nothing;
}

export function isoOrNull(at: number): string | null {
  return at > 0 ? new Date(at).toISOString() : null;
}

function stateOf({ state, kind }: MessageRecord): string {
  return kind === 'request' ? state : `${state} ${kind}`;
}
