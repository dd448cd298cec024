/**
 * What the host's administrator says about one worker: `<config-dir>/workers/<file name>.toml`.
 *
 * The environment it gives a worker cannot change what the daemon promises the worker, nor what code is loaded into
 * it (docs/configure.md, "Workers"). Values of the environment are never repeated in a message.
 */
import path from 'node:path';
import { YggError } from '../base/errors.ts';
import type { WorkerConfig } from '../datastore.ts';
import type { Redelivery } from '../journal/journal.ts';
import { directivePattern } from '../messages.ts';
import { choice, count, duration, type Kind, list, readValue, text, ValueFault } from './kinds.ts';
import { nearest } from './nearest.ts';
import { readToml, shown, type TomlFile } from './toml-file.ts';

const hour = 3_600_000;

type WorkerKinds = { readonly [Name in keyof WorkerConfig]: Kind<NonNullable<WorkerConfig[Name]>> };

const kinds: WorkerKinds = {
  env: list(text({ placeholder: 'NAME=value', takes: 'a text "NAME=value"', check: checkVariable })),
  handlers: list(text({ placeholder: 'NAME', takes: 'a handler name', check: checkHandler })),
  user: text({ placeholder: 'NAME', takes: 'the name of a user', check: checkAccount }),
  group: text({ placeholder: 'NAME', takes: 'the name of a group', check: checkAccount }),
  redelivery: choice<Redelivery>('WHEN', ['until-accepted', 'until-done']),
  concurrency: count({ min: 1, max: 1024 }),
  timeout: duration({ min: 1000, max: 365 * 24 * hour }),
};

/** What holds for a worker about which nothing is said. */
export const defaultWorkerConfig: WorkerConfig = {
  env: [],
  handlers: [],
  user: undefined,
  group: undefined,
  redelivery: undefined,
  concurrency: undefined,
  timeout: hour,
};

/** Keys that workers of the Go daemon have in their files, and what holds here instead. */
const keysWithoutEffect: ReadonlyMap<string, string> = new Map([
  ['exec', 'the worker file itself is run'],
  ['protocol', 'workers always speak gRPC'],
]);

/** A table for the worker itself, which reads it from the same file. */
const ownSettings = 'settings';

/** Names that decide what is executed or where the worker reports. */
const variablesRefused: ReadonlySet<string> = new Set(['PATH', 'NODE_OPTIONS', 'BASH_ENV', 'ENV', 'IFS']);

/**
 * Reads what is said about the worker file `fileName`: from `<file name>.toml`, else from the name without `.worker`;
 * defaults where nothing is said. Throws `YGG_WORKER_FILE` with file, line and column.
 */
export function loadWorkerConfig(
  configDir: string,
  fileName: string,
  warn: (sentence: string) => void = () => {},
): WorkerConfig {
  try {
    const file = workerConfigFiles(configDir, fileName)
      .map(readToml)
      .find((read) => read !== undefined);
    return file ? { ...defaultWorkerConfig, ...valuesOf(file, warn) } : defaultWorkerConfig;
  } catch (error) {
    if (!(error instanceof YggError)) throw error;
    throw new YggError('YGG_WORKER_FILE', error.message, { cause: error });
  }
}

/** Where the configuration of a worker file may be, the first that is there holds. */
export function workerConfigFiles(configDir: string, fileName: string): readonly string[] {
  const names = new Set([fileName, fileName.replace(/\.worker$/, '')]);
  return [...names].map((name) => path.join(configDir, 'workers', `${name}.toml`));
}

function valuesOf(file: TomlFile, warn: (sentence: string) => void): Partial<WorkerConfig> {
  const values: Partial<Record<keyof WorkerConfig, unknown>> = {};
  const mistakes: string[] = [];
  for (const [key, raw] of Object.entries(file.table)) {
    const place = (of?: 'value'): string => `${file.place(key, of)}: ${key}`;
    if (isField(key)) {
      const kind: Kind<unknown> = kinds[key];
      const read = readValue(kind, raw, key === 'env' ? () => 'this' : shown);
      if ('fault' in read) mistakes.push(`${place('value')} ${read.fault}.`);
      else values[key] = read.value;
    } else if (key === ownSettings) {
      if (!isTable(raw)) mistakes.push(`${place('value')} takes a table, for the worker itself.`);
    } else if (keysWithoutEffect.has(key)) {
      warn(`${place()} has no effect: ${keysWithoutEffect.get(key)}.`);
    } else {
      const known = [...Object.keys(kinds), ownSettings];
      const likely = nearest(key, known);
      mistakes.push(
        `${place()} is not known here; ${likely ? `did you mean ${likely}?` : `known are ${known.join(', ')}.`}`,
      );
    }
  }
  if (mistakes.length > 0) throw new YggError('YGG_WORKER_FILE', mistakes.join('\n'));
  // Each value was read by the kind of its own field.
  return values as Partial<WorkerConfig>;
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isField(key: string): key is keyof WorkerConfig {
  return Object.hasOwn(kinds, key);
}

function checkVariable(entry: string): void {
  const [, name] = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(entry) ?? [];
  if (name === undefined) throw new ValueFault('takes texts of the form "NAME=value"; one has no name');
  if (variablesRefused.has(name) || /^(?:YGG|LD)_/.test(name)) {
    throw new ValueFault(
      `must not set ${name}: the daemon decides what code a worker runs and whom it answers`,
    );
  }
  if (/[\0\n]/.test(entry)) throw new ValueFault(`sets ${name} to a value with a line break or NUL`);
}

/** No name begins with a hyphen, so that none is an option of a program that looks it up. */
function checkAccount(name: string): void {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/.test(name)) {
    throw new ValueFault(
      `takes a name of letters, digits, dot, underscore, hyphen and at sign, not ${JSON.stringify(name)}`,
    );
  }
}

function checkHandler(name: string): void {
  if (!directivePattern.test(name)) {
    throw new ValueFault(
      `takes names of letters, digits, dot, underscore and hyphen, at most 128 characters, not ${JSON.stringify(name)}`,
    );
  }
}
