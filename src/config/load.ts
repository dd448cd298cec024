/**
 * The options of a daemon, out of flags, files and defaults. The first that says something holds: flags, the host's
 * file, the file of the distribution, defaults.
 *
 * Every mistake is told at once, each with its place, its value and the nearest known name.
 */
import path from 'node:path';
import { YggError } from '../base/errors.ts';
import { withoutSecrets } from './checks.ts';
import { type Findings, findContradictions } from './contradictions.ts';
import { type Kind, readValue } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { Environment, Options } from './options.ts';
import { keysWithoutEffect, type OptionSpec, optionFields, optionName, optionTable } from './table.ts';
import { readToml, shown, type TomlFile } from './toml-file.ts';

/** The file that the host's administrator writes. */
export const hostConfigFile = '/etc/yggdrasil/config.toml';
/** The file that a distribution brings. */
const vendorConfigFile = '/usr/lib/yggdrasil/config.toml';

export interface LoadRequest {
  /** Values of flags by name, aliases included; a flag given twice has two. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly environment: Environment;
  /** A file named on the command line in place of the host's; it must be there. */
  readonly file?: string | undefined;
  readonly hostFile?: string;
  readonly vendorFile?: string;
}

export interface Loaded {
  readonly options: Options;
  /** Sentences to be logged, each with its place. */
  readonly warnings: readonly string[];
  /** The files that were read. */
  readonly files: readonly string[];
}

type Field = keyof Options;

/** One thing that a flag or a file says. */
interface Entry {
  readonly key: string;
  readonly raw: unknown;
  /** The subject of a sentence about it: `file:line:column: key`, or `--key`. Looked for only when it is needed. */
  place(of?: 'key' | 'value'): string;
}

type Layer = ReadonlyMap<Field, Entry>;

/** Throws `YGG_USAGE` for mistakes in flags, else `YGG_CONFIG` for mistakes in files. */
export function loadOptions(request: LoadRequest): Loaded {
  const ofFlags: Findings = { mistakes: [], warnings: [] };
  const flags = layerOf(flagEntries(request.flags), ofFlags);
  const values = valuesOf(flags, ofFlags);
  if (ofFlags.mistakes.length > 0) throw new YggError('YGG_USAGE', ofFlags.mistakes.join('\n'));

  const found: Findings = { mistakes: [], warnings: ofFlags.warnings };
  const files = filesOf(request);
  const layers = [flags];
  for (const file of files) {
    const layer = layerOf(fileEntries(file), found);
    layers.push(layer);
    Object.assign(values, { ...valuesOf(layer, found), ...values });
  }
  const options = complete(values, request.environment);
  const said = (field: Field): Entry | undefined => layers.find((layer) => layer.has(field))?.get(field);
  // What could not be read would only seem to be missing.
  const unread = optionFields.some((field) => said(field) && values[field] === undefined);
  if (!unread) findContradictions(options, (field) => said(field)?.place() ?? optionName(field), found);
  if (found.mistakes.length > 0) throw new YggError('YGG_CONFIG', found.mistakes.join('\n'));
  if (options.broker.length === 0 && !said('protocol')) {
    found.warnings.push(
      'No broker is configured, so nothing is received; add broker = ["mqtts://HOST:8883"], or protocol = "none" if that is meant.',
    );
  }
  return { options, warnings: found.warnings, files: files.map(({ file }) => file) };
}

/** The options of a daemon that a program puts together: what it does not give has its default. */
export function optionsWith(given: Partial<Options>, environment: Environment): Options {
  const options = complete(given, environment);
  const found: Findings = { mistakes: [], warnings: [] };
  findContradictions(options, optionName, found);
  if (found.mistakes.length > 0) throw new YggError('YGG_CONFIG', found.mistakes.join('\n'));
  return options;
}

function filesOf(request: LoadRequest): TomlFile[] {
  const { file, hostFile = hostConfigFile, vendorFile = vendorConfigFile } = request;
  const first = readToml(file ?? hostFile);
  if (!first && file !== undefined) {
    throw new YggError('YGG_CONFIG', `${file} is not there; it was named with --config.`);
  }
  return [first, readToml(vendorFile)].filter((read) => read !== undefined);
}

function* flagEntries(flags: LoadRequest['flags']): Iterable<Entry> {
  for (const [key, values] of Object.entries(flags)) {
    const field = fieldsByKey.get(key);
    const raw = field && optionTable[field].kind.repeatable ? values : values.at(-1);
    yield { key, raw, place: () => `--${key}` };
  }
}

function* fileEntries(file: TomlFile): Iterable<Entry> {
  for (const [key, raw] of Object.entries(file.table)) {
    yield { key, raw, place: (of) => `${file.place(key, of)}: ${key}` };
  }
}

/** Sorts what is said by option; what is no option is a mistake, or a warning when the Go daemon knows it. */
function layerOf(entries: Iterable<Entry>, found: Findings): Layer {
  const layer = new Map<Field, Entry>();
  for (const entry of entries) {
    const { key, raw } = entry;
    const field = fieldsByKey.get(key);
    if (!field) {
      reportUnknown(entry, found);
    } else if (layer.has(field)) {
      found.mistakes.push(
        `${entry.place()} is another name of ${layer.get(field)?.key}; keep one of the two.`,
      );
    } else if (field === 'socketAddr' && /^(?:unix:)?@/.test(String(raw))) {
      found.warnings.push(
        `${entry.place()} is not used: any local user can reach the abstract socket ${shown(raw)}, so workers are given a path.`,
      );
    } else if (raw !== '') {
      layer.set(field, entry);
    }
  }
  return layer;
}

function reportUnknown({ key, raw, place }: Entry, found: Findings): void {
  const known = keysWithoutEffect.get(key);
  if (known) {
    if (known.only === undefined || String(raw) === String(known.only)) {
      found.warnings.push(`${place()} has no effect: ${known.why}.`);
    }
    return;
  }
  const likely = nearest(key, fieldsByKey.keys());
  const advice = likely ? `did you mean ${likely}?` : 'yggd --help lists them.';
  found.mistakes.push(`${place()} (${shownSafely(raw)}) is not an option; ${advice}`);
}

function valuesOf(layer: Layer, found: Findings): Partial<Options> {
  const values: Partial<Record<Field, unknown>> = {};
  for (const [field, entry] of layer) {
    const kind: Kind<unknown> = optionTable[field].kind;
    const read = readValue(kind, entry.raw, shownSafely);
    if ('fault' in read) found.mistakes.push(`${entry.place('value')} ${read.fault}.`);
    else values[field] = read.value;
  }
  // Each value was read by its own kind, whose type the table ties to the field.
  return values as Partial<Options>;
}

function shownSafely(raw: unknown): string {
  return withoutSecrets(shown(raw));
}

/** Fills in the defaults, in the order of the table: one may follow from those above it. */
function complete(given: Partial<Options>, environment: Environment): Options {
  const values: Partial<Record<Field, unknown>> = {};
  for (const field of optionFields) {
    const spec: OptionSpec<unknown> = optionTable[field];
    const { initial } = spec;
    const value =
      given[field] ?? (typeof initial === 'function' ? initial(environment, values as Options) : initial);
    values[field] = Object.freeze(fixed(value, spec.path ? environment.currentDirectory : undefined));
  }
  return Object.freeze(values) as Options;
}

/** A list is copied, so that it can be frozen; paths count `from` a directory. */
function fixed(value: unknown, from: string | undefined): unknown {
  if (Array.isArray(value)) return value.map((each) => fixed(each, from));
  return typeof value === 'string' && from !== undefined ? path.resolve(from, value) : value;
}

/** Every name an option goes by, with hyphens. */
const fieldsByKey: ReadonlyMap<string, Field> = new Map(
  optionFields.flatMap((field) => {
    const spec: OptionSpec<unknown> = optionTable[field];
    return [optionName(field), ...(spec.aliases ?? [])].map((key) => [key, field] as const);
  }),
);
