/**
 * Log lines for people: `2026-11-20T10:00:00.000Z WARN  sentence field=value`, and for the journal of systemd, which
 * knows the time and takes the level as a number in front (sd-daemon(3)): `<4>sentence field=value`.
 */
import type { LogFields, LogLevel } from './log.ts';
import { printable } from './printable.ts';

/** Turns one event into its line. */
export type LogFormatter = (level: LogLevel, fields: LogFields, sentence: string) => string;

export interface TextFormatOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether level words are coloured; they can be read without. */
  readonly colour: boolean;
}

const words: Readonly<Record<LogLevel, string>> = {
  error: 'ERROR',
  warn: 'WARN ',
  info: 'INFO ',
  debug: 'DEBUG',
  trace: 'TRACE',
};

/** SGR colour numbers. */
const colours: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 32, debug: 36, trace: 90 };

/** Priorities of syslog(3). */
const priorities: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7, trace: 7 };

export function textFormatter({ now, colour }: TextFormatOptions): LogFormatter {
  return (level, fields, sentence) => {
    const word = colour ? `\u001b[${colours[level]}m${words[level]}\u001b[0m` : words[level];
    return `${new Date(now()).toISOString()} ${word} ${printable(sentence)}${fieldText(fields)}`;
  };
}

export function journalFormatter(): LogFormatter {
  return (level, fields, sentence) => `<${priorities[level]}>${printable(sentence)}${fieldText(fields)}`;
}

function fieldText(fields: LogFields): string {
  let text = '';
  for (const [name, value] of Object.entries(fields)) text += ` ${name}=${valueText(value)}`;
  return text;
}

/** Bare while it is one plain word, in JSON otherwise. */
function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[\w.,:;/@%+~-]+$/.test(value)) return value;
  return printable(JSON.stringify(value) ?? String(value));
}
