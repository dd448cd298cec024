/**
 * Log lines for machines: one JSON object each, `level` and `time` first, the sentence last as `msg`.
 *
 * Loaded only when JSON is asked for: pino costs start-up time that the other formats do not need.
 */
import pino from 'pino';
import { printable } from './printable.ts';
import type { LogFormatter } from './text-log.ts';

export interface JsonFormatOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function jsonFormatter({ now }: JsonFormatOptions): LogFormatter {
  let line = '';
  const logger = pino(
    {
      level: 'trace',
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(text) {
        line = text;
      },
    },
  );
  return (level, fields, sentence) => {
    logger[level](fields, sentence);
    // JSON leaves the controls above ASCII as they are; their escapes mean the same.
    return printable(line.trimEnd());
  };
}
