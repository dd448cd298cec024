/**
 * The kinds of values options take, each with the one place that reads it, from a flag's text or from TOML.
 */
import { parseDuration, parseSize, writeDuration, writeSize } from './units.ts';

export interface Kind<Value> {
  /** Stands for the value in the help: `DURATION`. */
  readonly placeholder: string;
  /** What it takes, as the end of a sentence: `a duration such as "30s"`. */
  readonly takes: string;
  /** The words it may be, if there are only a few. */
  readonly choices?: readonly string[];
  /** Given several times, or as an array, it is a list; otherwise an array of one is that one. */
  readonly repeatable: boolean;
  /** The value; `undefined` when it is none of this kind; throws {@link ValueFault} to say why. */
  read(raw: unknown): Value | undefined;
  /** As it stands in TOML. */
  write(value: Value): string;
}

/** Why a value cannot be taken, as a sentence that begins with the option's name: ` is ...`. */
export class ValueFault extends Error {}

/**
 * The value, or what is wrong with it as the end of a sentence that begins with its name. `show` says the value in
 * that sentence; it must not tell secrets.
 */
export function readValue<Value>(
  kind: Kind<Value>,
  raw: unknown,
  show: (raw: unknown) => string,
): { readonly value: Value } | { readonly fault: string } {
  const single = !kind.repeatable && Array.isArray(raw) && raw.length === 1 ? raw[0] : raw;
  try {
    const value = kind.read(single);
    return value === undefined ? { fault: `takes ${kind.takes}, not ${show(raw)}` } : { value };
  } catch (error) {
    if (error instanceof ValueFault) return { fault: error.message };
    throw error;
  }
}

/** A text as it is; empty counts as not set. */
export function text(options: {
  readonly placeholder: string;
  readonly takes: string;
  /** Throws {@link ValueFault}. */
  readonly check?: (value: string) => void;
}): Kind<string> {
  return {
    placeholder: options.placeholder,
    takes: options.takes,
    repeatable: false,
    read(raw) {
      if (typeof raw !== 'string') return undefined;
      options.check?.(raw);
      return raw;
    },
    write: JSON.stringify,
  };
}

/** A value that may be left out. */
export function optional<Value>(kind: Kind<Value>): Kind<Value | undefined> {
  return { ...kind, write: (value) => (value === undefined ? '' : kind.write(value)) };
}

/** Any number of values of a kind; one alone need not be an array. */
export function list(kind: Kind<string>): Kind<readonly string[]> {
  return {
    placeholder: kind.placeholder,
    takes: `${kind.takes}, or a list of them`,
    repeatable: true,
    read(raw) {
      const values: string[] = [];
      for (const each of Array.isArray(raw) ? raw : [raw]) {
        const value = kind.read(each);
        if (value === undefined) return undefined;
        if (value !== '') values.push(value);
      }
      return values;
    },
    write: (values) => `[${values.map((value) => kind.write(value)).join(', ')}]`,
  };
}

export const boolean: Kind<boolean> = {
  placeholder: 'BOOL',
  takes: 'true or false',
  repeatable: false,
  read(raw) {
    if (typeof raw === 'boolean') return raw;
    return raw === 'true' ? true : raw === 'false' ? false : undefined;
  },
  write: String,
};

/** One of a few words or numbers; words in any case. */
export function choice<Value extends string | number>(
  placeholder: string,
  values: readonly Value[],
  /** Throws {@link ValueFault} for a word that deserves a sentence of its own. */
  check?: (word: string) => void,
): Kind<Value> {
  return {
    placeholder,
    takes: `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
    choices: values.map(String),
    repeatable: false,
    read(raw) {
      if (typeof raw !== 'string' && typeof raw !== 'number') return undefined;
      const word = String(raw).toLowerCase();
      check?.(word);
      return values.find((value) => String(value) === word);
    },
    write: (value) => (typeof value === 'number' ? String(value) : JSON.stringify(value)),
  };
}

export function count({ min, max }: { readonly min: number; readonly max: number }): Kind<number> {
  return {
    placeholder: 'N',
    takes: `a whole number from ${min} to ${max}`,
    repeatable: false,
    read(raw) {
      const value = typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : raw;
      return Number.isInteger(value) && typeof value === 'number' && value >= min && value <= max
        ? value
        : undefined;
    },
    write: String,
  };
}

export interface DurationBounds {
  /** Milliseconds. */
  readonly min: number;
  readonly max: number;
  /** What 0 stands for; without it 0 is refused like anything else below `min`. */
  readonly zero?: number;
}

const nanosecondsPerMs = 1_000_000;

/** Milliseconds. A bare number is nanoseconds, as in the TOML files of the Go daemon. */
export function duration({ min, max, zero }: DurationBounds): Kind<number> {
  return {
    placeholder: 'DURATION',
    takes: `a duration such as "30s" or "5m", from ${writeDuration(min)} to ${writeDuration(max)}`,
    repeatable: false,
    read(raw) {
      const ms = readDuration(raw);
      if (ms === 0 && zero !== undefined) return zero;
      return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
    },
    write: (value) => JSON.stringify(writeDuration(value)),
  };
}

function readDuration(raw: unknown): number | undefined {
  if (typeof raw === 'string' && !/^\d+$/.test(raw)) return parseDuration(raw.trim());
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'bigint') return undefined;
  const nanoseconds = Number(raw);
  if (nanoseconds > 0 && nanoseconds < nanosecondsPerMs) {
    const likely = nanoseconds < 1000 ? `${nanoseconds}s` : `${nanoseconds}ms`;
    throw new ValueFault(
      `is ${nanoseconds} nanoseconds, for a bare number means nanoseconds; write "${likely}" if that is meant`,
    );
  }
  return Math.round(nanoseconds / nanosecondsPerMs);
}

/** A duration, or `never`, which is infinite: no timer takes that. */
export function durationOrNever(bounds: DurationBounds): Kind<number> {
  const kind = duration(bounds);
  return {
    ...kind,
    takes: `${kind.takes}, or "never"`,
    read: (raw) => (raw === 'never' ? Number.POSITIVE_INFINITY : kind.read(raw)),
    write: (value) => (Number.isFinite(value) ? kind.write(value) : '"never"'),
  };
}

/** Bytes. A bare number is bytes. */
export function size({ min, max }: { readonly min: number; readonly max: number }): Kind<number> {
  return {
    placeholder: 'SIZE',
    takes: `a size such as "2MiB", from ${writeSize(min)} to ${writeSize(max)}`,
    repeatable: false,
    read(raw) {
      const bytes = readSize(raw);
      return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
    },
    write: (value) => JSON.stringify(writeSize(value)),
  };
}

function readSize(raw: unknown): number | undefined {
  if (typeof raw === 'number') return Number.isInteger(raw) ? raw : undefined;
  if (typeof raw !== 'string') return undefined;
  return /^\d+$/.test(raw) ? Number(raw) : parseSize(raw.trim());
}

/** A number of messages and how much they may be, or how old: `250000 / 2GiB`. */
export function limit<Second extends string>(
  second: Second,
  kind: Kind<number>,
): Kind<Readonly<Record<'messages' | Second, number>>> {
  const messages = count({ min: 1, max: 100_000_000 });
  const example = second === 'age' ? '10000 / 30d' : '250000 / 2GiB';
  return {
    placeholder: 'LIMIT',
    takes: `a number of messages and their ${second} such as "${example}"`,
    repeatable: false,
    read(raw) {
      if (typeof raw !== 'string') return undefined;
      const [first, last, ...more] = raw.split('/').map((part) => part.trim());
      const many = messages.read(first);
      const much = kind.read(last);
      if (many === undefined || much === undefined || more.length > 0) return undefined;
      return { messages: many, [second]: much } as Readonly<Record<'messages' | Second, number>>;
    },
    write: (value) => JSON.stringify(`${value.messages} / ${JSON.parse(kind.write(value[second]))}`),
  };
}
