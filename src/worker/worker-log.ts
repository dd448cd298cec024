/**
 * Log lines of a worker: the level, the sentence, then the fields. The daemon reads them line by line and adds the
 * time and the name of the worker.
 */
import { reasonOf } from '../base/errors.ts';
import type { LogFields, Logger, LogLevel } from '../base/log.ts';
import { cut, printable } from '../base/printable.ts';

const levels: readonly string[] = ['error', 'warn', 'info', 'debug', 'trace'];

/** Characters of a field that are shown. */
const longestField = 8192;

/** `level` in any case, as in `YGG_LOG_LEVEL`; what is none counts as `info`. */
export function workerLog(write: (line: string) => void, level = 'info'): Logger {
  const asked = levels.indexOf(level.toLowerCase());
  const threshold = asked < 0 ? levels.indexOf('info') : asked;
  const at =
    (name: LogLevel, inherited: LogFields) =>
    (fields: LogFields, sentence: string): void => {
      if (levels.indexOf(name) > threshold) return;
      let line = `${name.toUpperCase().padEnd(5)} ${printable(sentence)}`;
      for (const [field, value] of Object.entries({ ...inherited, ...fields })) {
        if (value !== undefined) line += ` ${field}=${shown(value)}`;
      }
      write(`${line}\n`);
    };
  const withFields = (inherited: LogFields): Logger => ({
    error: at('error', inherited),
    warn: at('warn', inherited),
    info: at('info', inherited),
    debug: at('debug', inherited),
    trace: at('trace', inherited),
    child: (fields) => withFields({ ...inherited, ...fields }),
  });
  return withFields({});
}

/** Bare while it is one plain word, in JSON otherwise. */
function shown(value: unknown): string {
  const plain = value instanceof Error ? reasonOf(value) : value;
  if (typeof plain === 'string' && /^[\w.,:;/@%+~-]+$/.test(plain)) return plain;
  let json: string | undefined;
  try {
    json = JSON.stringify(plain);
  } catch {
    json = undefined;
  }
  return printable(cut(json ?? String(plain), longestField));
}
