/**
 * What every part logs through: one event per line, fields first, then a sentence.
 *
 * Field names are snake_case, and every line about a message carries `message_id`, so that one search tells a
 * message's whole story. Content, environment, keys and passwords are never fields.
 */
export interface Logger {
  error(fields: LogFields, sentence: string): void;
  warn(fields: LogFields, sentence: string): void;
  info(fields: LogFields, sentence: string): void;
  debug(fields: LogFields, sentence: string): void;
  trace(fields: LogFields, sentence: string): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** A logger whose level can be changed while it runs; that holds at once, for every child too. */
export interface LeveledLogger extends Logger {
  level: LogLevel;
}

export function isLeveled(log: Logger): log is LeveledLogger {
  return 'level' in log;
}

export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

const silence = (): void => {};

/** Logs nothing: the default of a library. */
export const silentLogger: Logger = {
  error: silence,
  warn: silence,
  info: silence,
  debug: silence,
  trace: silence,
  child: () => silentLogger,
};
