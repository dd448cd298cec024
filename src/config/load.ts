/**
 * The options of a daemon, out of flags, files and defaults. The first that says something holds: flags, the host's
 * file, the file of the distribution, defaults.
 *
 * Every mistake is told at once, each with its place, its value and the nearest known name.
 */
import path from 'node:path';
import { YggError } from '../base/errors.ts';
import { withoutSecrets } from './checks.ts';
import { type Kind, readValue } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { Environment, Options } from './options.ts';
import { keysWithoutEffect, type OptionSpec, optionFields, optionName, optionTable } from './table.ts';
import { readToml, shown, type TomlFile } from './toml-file.ts';

/** The file that the host's administrator writes. */
export const hostConfigFile = '/etc/yggdrasil/config.toml';
/** The file that a distribution brings. */
export const vendorConfigFile = '/usr/lib/yggdrasil/config.toml';

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
  /** Subjects of sentences about it: `file:line:column: key`, or `--key`. */
  readonly keyPlace: string;
  readonly valuePlace: string;
}

type Layer = ReadonlyMap<Field, Entry>;

interface Findings {
  readonly mistakes: string[];
  readonly warnings: string[];
}

/** Throws `YGG_USAGE` for mistakes in flags, else `YGG_CONFIG` for mistakes in files. */
export function loadOptions(request: LoadRequest): Loaded {
  const flags: Findings = { mistakes: [], warnings: [] };
  const flagLayer = layerOf(flagEntries(request.flags), flags);
  const flagValues = valuesOf(flagLayer, flags);
  if (flags.mistakes.length > 0) throw new YggError('YGG_USAGE', flags.mistakes.join('\n'));

  const files = filesOf(request);
  const found: Findings = { mistakes: [], warnings: flags.warnings };
  const layers = [flagLayer, ...files.map((file) => layerOf(fileEntries(file), found))];
  const values = Object.assign(
    {},
    ...layers
      .slice(1)
      .map((layer) => valuesOf(layer, found))
      .reverse(),
    flagValues,
  );
  const options = complete(values, request.environment);
  checkTogether(options, layers, found);
  if (found.mistakes.length > 0) throw new YggError('YGG_CONFIG', found.mistakes.join('\n'));
  return { options, warnings: found.warnings, files: files.map(({ file }) => file) };
}

/** The options of a daemon that a program puts together: what it does not give has its default. */
export function optionsWith(given: Partial<Options>, environment: Environment): Options {
  const options = complete(given, environment);
  const found: Findings = { mistakes: [], warnings: [] };
  checkTogether(options, [], found);
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
    yield { key, raw, keyPlace: `--${key}`, valuePlace: `--${key}` };
  }
}

function* fileEntries(file: TomlFile): Iterable<Entry> {
  for (const [key, raw] of Object.entries(file.table)) {
    yield {
      key,
      raw,
      keyPlace: `${file.place(key)}: ${key}`,
      valuePlace: `${file.place(key, 'value')}: ${key}`,
    };
  }
}

/** Sorts what is said by option; what is no option is a mistake, or a warning when the Go daemon knows it. */
function layerOf(entries: Iterable<Entry>, found: Findings): Layer {
  const layer = new Map<Field, Entry>();
  for (const entry of entries) {
    const { key, raw, keyPlace } = entry;
    const field = fieldsByKey.get(key);
    if (!field) {
      reportUnknown(entry, found);
    } else if (layer.has(field)) {
      found.mistakes.push(`${keyPlace} is another name of ${layer.get(field)?.key}; keep one of the two.`);
    } else if (field === 'socketAddr' && /^(?:unix:)?@/.test(String(raw))) {
      found.warnings.push(
        `${keyPlace} is not used: any local user can reach the abstract socket ${shown(raw)}, so workers are given a path.`,
      );
    } else if (raw !== '') {
      layer.set(field, entry);
    }
  }
  return layer;
}

function reportUnknown({ key, raw, keyPlace }: Entry, found: Findings): void {
  const known = keysWithoutEffect.get(key);
  if (known) {
    if (known.only === undefined || String(raw) === String(known.only)) {
      found.warnings.push(`${keyPlace} has no effect: ${known.why}.`);
    }
    return;
  }
  const likely = nearest(key, fieldsByKey.keys());
  const advice = likely ? `did you mean ${likely}?` : 'yggd --help lists them.';
  found.mistakes.push(`${keyPlace} (${shownSafely(raw)}) is not an option; ${advice}`);
}

function valuesOf(layer: Layer, found: Findings): Partial<Options> {
  const values: Partial<Record<Field, unknown>> = {};
  for (const [field, entry] of layer) {
    const kind: Kind<unknown> = optionTable[field].kind;
    const read = readValue(kind, entry.raw, shownSafely);
    if ('fault' in read) found.mistakes.push(`${entry.valuePlace} ${read.fault}.`);
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
    values[field] = Object.freeze(spec.path ? absolute(value, environment.currentDirectory) : value);
  }
  return Object.freeze(values) as Options;
}

function absolute(value: unknown, from: string): unknown {
  if (Array.isArray(value)) return value.map((each) => absolute(each, from));
  return typeof value === 'string' ? path.resolve(from, value) : value;
}

/** What options must be to each other. */
function checkTogether(options: Options, layers: readonly Layer[], found: Findings): void {
  const place = (field: Field): string => {
    const said = layers.map((layer) => layer.get(field)).find((entry) => entry !== undefined);
    return said?.keyPlace ?? optionName(field);
  };
  if (options.certFile && !options.keyFile) {
    found.mistakes.push(`${place('certFile')} needs key-file, the private key of the certificate.`);
  }
  if (options.keyFile && !options.certFile) {
    found.mistakes.push(`${place('keyFile')} needs cert-file, the certificate of the key.`);
  }
  if (options.broker.includes('embedded') && options.broker.length > 1) {
    found.mistakes.push(`${place('broker')} takes "embedded" alone, or the URLs of brokers elsewhere.`);
  }
  if (options.mqttReconnectDelay > options.mqttConnectRetryInterval) {
    found.mistakes.push(
      `${place('mqttReconnectDelay')} is the shortest wait and must not be longer than mqtt-connect-retry-interval.`,
    );
  }
  if (options.protocol === 'mqtt' && options.broker.length === 0) {
    found.mistakes.push(
      `${place('protocol')} is "mqtt" but there is no broker; add broker = ["mqtts://HOST:8883"], or set protocol = "none".`,
    );
  }
  if (options.mqttVersion === 5) {
    found.warnings.push(
      `${place('mqttVersion')} has no effect: MQTT 3.1.1 is spoken, which brokers of MQTT 5 know.`,
    );
  }
  if (options.protocol === 'none' && options.broker.length > 0) {
    found.warnings.push(`${place('broker')} has no effect: protocol is "none".`);
  }
  if (options.broker.length === 0 && !layers.some((layer) => layer.has('protocol'))) {
    found.warnings.push(
      'No broker is configured, so nothing is received; add broker = ["mqtts://HOST:8883"], or protocol = "none" if that is meant.',
    );
  }
}

/** Every name an option goes by, with hyphens. */
const fieldsByKey: ReadonlyMap<string, Field> = new Map(
  optionFields.flatMap((field) => {
    const spec: OptionSpec<unknown> = optionTable[field];
    return [optionName(field), ...(spec.aliases ?? [])].map((key) => [key, field] as const);
  }),
);
