/**
 * Events and the way of a dispatched message, as people and as programs read them.
 */
import { printable } from '../base/printable.ts';
import { cyan, dim, paint, type Screen } from '../base/printer.ts';
import { timeOfDay } from '../base/time-text.ts';
import type { DaemonEvent } from '../control-api.ts';
import { isoOrNull } from './message-text.ts';

/** The longest name there is, so that what follows is aligned. */
const nameWidth = 'worker-unregister'.length;

export function eventText(event: DaemonEvent, screen: Screen): string {
  const { at, name, sequence, messageId, responseTo, directive, pid, file, attempts } = event;
  const { outcome, explanation, dropped } = event;
  const parts = [
    directive,
    messageId,
    responseTo === '' ? '' : `in answer to ${responseTo}`,
    sequence === 0 ? '' : `number ${sequence}`,
    file,
    pid === 0 ? '' : `process ${pid}`,
    attempts === 0 ? '' : `attempt ${attempts}`,
    outcome,
    explanation,
    dropped === 0 ? '' : `${dropped} events were dropped, they were not read in time`,
  ];
  const words = parts.filter((part) => part !== '').map(printable);
  const head = `${paint(screen, dim, timeOfDay(at))}  ${paint(screen, cyan, name.padEnd(nameWidth))}`;
  return `${head}  ${words.join('  ')}`.trimEnd();
}

/** What does not belong to an event is left out. */
export function eventFields(event: DaemonEvent): Readonly<Record<string, unknown>> {
  const fields = {
    at: isoOrNull(event.at),
    name: event.name,
    number: event.sequence,
    message_id: event.messageId,
    response_to: event.responseTo,
    directive: event.directive,
    pid: event.pid,
    file: event.file,
    attempts: event.attempts,
    outcome: event.outcome,
    explanation: event.explanation,
    dropped: event.dropped,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== 0));
}
