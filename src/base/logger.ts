/**
 * The logger of a program: checks the level, adds the fields of children, and writes whole lines to one stream.
 *
 * Owns the level, which can be changed while it runs and then holds for every child, and the line writer. Never
 * throws, whatever the fields and whatever became of the stream.
 */
import { reasonOf } from './errors.ts';
import { type LineStream, LineWriter } from './line-writer.ts';
import type { LeveledLogger, LogFields, Logger, LogLevel } from './log.ts';
import { cut } from './printable.ts';
import { journalFormatter, type LogFormatter, textFormatter } from './text-log.ts';

export const logLevels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace'];

/** `text` for people, `journal` for the journal of systemd, `json` for machines. */
export type LogFormat = 'text' | 'journal' | 'json';

export interface LoggerOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly stream: LineStream;
  /** Colours the level words of the format `text`. */
  readonly colour?: boolean;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The logger a program begins with; its children share level and stream. */
export interface RootLogger extends LeveledLogger {
  /** Resolves when every line is out, or after `ms`. */
  flush(ms: number): Promise<void>;
  /** Leaves the stream. */
  close(): void;
}

/** Characters of a text field that are shown. */
const fieldLimit = 8192;

export async function createLogger(options: LoggerOptions): Promise<RootLogger> {
  const format = await formatterOf(options);
  const lines = new LineWriter({
    stream: options.stream,
    droppedLine: (count) => format('warn', { lines: count }, 'log lines were dropped, nobody read them'),
  });
  let threshold = logLevels.indexOf(options.level);

  function log(level: LogLevel, inherited: LogFields, fields: LogFields, sentence: string): void {
    if (logLevels.indexOf(level) > threshold) return;
    lines.write(format(level, presentable({ ...inherited, ...fields }), sentence));
  }

  function loggerWith(inherited: LogFields): Logger {
    return {
      error: (fields, sentence) => log('error', inherited, fields, sentence),
      warn: (fields, sentence) => log('warn', inherited, fields, sentence),
      info: (fields, sentence) => log('info', inherited, fields, sentence),
      debug: (fields, sentence) => log('debug', inherited, fields, sentence),
      trace: (fields, sentence) => log('trace', inherited, fields, sentence),
      child: (fields) => loggerWith({ ...inherited, ...fields }),
    };
  }

  return {
    ...loggerWith({}),
    get level() {
      return logLevels[threshold] ?? options.level;
    },
    set level(level) {
      threshold = logLevels.indexOf(level);
    },
    flush: (ms) => lines.flush(ms),
    close: () => lines.close(),
  };
}

async function formatterOf({ format, colour = false, now = Date.now }: LoggerOptions): Promise<LogFormatter> {
  switch (format) {
    case 'text':
      return textFormatter({ now, colour });
    case 'journal':
      return journalFormatter();
    case 'json':
      return (await import('./json-log.ts')).jsonFormatter({ now });
  }
}

function presentable(fields: LogFields): LogFields {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) shown[name] = presentableValue(value);
  }
  return shown;
}

/** Bytes are never shown, texts are cut, and what JSON cannot say becomes a text. */
function presentableValue(value: unknown): unknown {
  if (typeof value === 'string') return cut(value, fieldLimit);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return cut(reasonOf(value), fieldLimit);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== 'object' || value === null) return value;
  try {
    const json = JSON.stringify(value);
    return json.length > fieldLimit ? cut(json, fieldLimit) : value;
  } catch {
    return String(value);
  }
}
