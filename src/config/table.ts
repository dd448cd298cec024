/**
 * Every option, once: the source of flags, TOML keys, help, the manual page, config.toml.example and
 * docs/configure.md.
 *
 * An option's name is its field in {@link Options} with hyphens. The order here is the order people read.
 */
import path from 'node:path';
import { type LogFormat, logLevels } from '../base/logger.ts';
import { checkBroker, checkClientId, checkHost, checkProtocol, checkTopicPrefix } from './checks.ts';
import { defaultRuntimeDir, defaultStateDir } from './directories.ts';
import {
  boolean,
  choice,
  count,
  duration,
  durationOrNever,
  type Kind,
  limit,
  list,
  optional,
  size,
  text,
} from './kinds.ts';
import type { Environment, Options } from './options.ts';

export interface OptionSpec<Value> {
  readonly kind: Kind<Value>;
  /** What it does, in a sentence without its full stop. */
  readonly help: string;
  /** Other names it has, in files and as a flag. */
  readonly aliases?: readonly string[];
  /** What holds when nobody says otherwise. */
  readonly initial: Initial<Value>;
  /** What stands for a default that depends on the host or is none. */
  readonly initialText?: string;
  /** Heading above it and those that follow. */
  readonly section?: string;
  /** How the example file shows it, in TOML; without it: the default. */
  readonly example?: string;
  /** Its value is one or more paths, which count from the current directory. */
  readonly path?: true;
  /** A reload applies it; any other needs a restart. */
  readonly reload?: true;
}

/** A default, or how it follows from the environment and the options above it. */
export type Initial<Value> = Value | ((environment: Environment, above: Options) => Value);

export type OptionTable = { readonly [Name in keyof Options]: OptionSpec<Options[Name]> };

const file = text({ placeholder: 'FILE', takes: 'a path' });
const directory = text({ placeholder: 'DIR', takes: 'a path' });
const host = text({ placeholder: 'HOST', takes: 'a host', check: checkHost });

const socket: Kind<string> = {
  ...text({ placeholder: 'SOCKET', takes: 'the path of a unix socket' }),
  read: (raw) => (typeof raw === 'string' ? raw.replace(/^unix:/, '') : undefined),
};

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

const bytes = size({ min: mebibyte, max: 1024 * gibibyte });
const age = duration({ min: minute, max: 3650 * day });

export const optionTable: OptionTable = {
  broker: {
    section: 'Server',
    kind: list(text({ placeholder: 'URL', takes: 'a URL', check: checkBroker })),
    help: 'MQTT brokers, tried in this order; "embedded" starts one inside the daemon',
    aliases: ['server'],
    initial: [],
    initialText: 'none',
    example: '["mqtts://broker.example.com:8883"]',
  },
  protocol: {
    kind: choice('PROTOCOL', ['mqtt', 'none'], checkProtocol),
    help: 'How servers are reached; "none" runs without any',
    initial: (_environment, above) => (above.broker.length > 0 ? 'mqtt' : 'none'),
    initialText: '"mqtt"; "none" without a broker',
    example: '"mqtt"',
  },
  clientId: {
    kind: optional(text({ placeholder: 'ID', takes: 'a text', check: checkClientId })),
    help: 'Name of this host on the broker',
    initial: undefined,
    initialText: 'the common name of cert-file, else <state-dir>/client-id, which is made when it is missing',
    example: '"host.example.com"',
  },
  certFile: {
    kind: optional(file),
    help: 'Client certificate, PEM',
    initial: undefined,
    initialText: 'none',
    example: '"/etc/pki/consumer/cert.pem"',
    path: true,
    reload: true,
  },
  keyFile: {
    kind: optional(file),
    help: 'Private key of the client certificate, PEM',
    initial: undefined,
    initialText: 'none',
    example: '"/etc/pki/consumer/key.pem"',
    path: true,
    reload: true,
  },
  caRoot: {
    kind: list(file),
    help: 'Certificate authorities trusted besides the usual ones, PEM',
    initial: [],
    initialText: 'none',
    example: '["/etc/pki/tls/certs/our-ca.pem"]',
    path: true,
    reload: true,
  },
  topicPrefix: {
    kind: text({ placeholder: 'PREFIX', takes: 'a text', check: checkTopicPrefix }),
    help: 'First part of the four topics',
    aliases: ['path-prefix'],
    initial: 'yggdrasil',
  },

  mqttVersion: {
    section: 'MQTT',
    kind: choice('VERSION', [4, 5]),
    help: 'MQTT version; 4 is MQTT 3.1.1',
    initial: 4,
    reload: true,
  },
  cleanSession: {
    kind: boolean,
    help: 'Let the broker forget what it holds for this host whenever the connection ends',
    initial: false,
    reload: true,
  },
  mqttKeepAlive: {
    kind: duration({ min: 5 * second, max: 65_535 * second }),
    help: 'Longest silence before the connection is checked',
    initial: 30 * second,
    reload: true,
  },
  mqttSessionExpiry: {
    kind: duration({ min: minute, max: 365 * day }),
    help: 'How long the broker keeps the session of an absent host (MQTT 5)',
    initial: 7 * day,
    reload: true,
  },
  mqttConnectTimeout: {
    kind: duration({ min: second, max: 10 * minute, zero: 10 * second }),
    help: 'How long one attempt to connect may take',
    initial: 10 * second,
    reload: true,
  },
  mqttPublishTimeout: {
    kind: duration({ min: second, max: hour, zero: 30 * second }),
    help: 'How long the broker may take to acknowledge a message before the connection is given up',
    initial: 30 * second,
    reload: true,
  },
  mqttReconnectDelay: {
    kind: duration({ min: 100, max: hour, zero: 500 }),
    help: 'Shortest wait between attempts to connect',
    initial: 500,
    reload: true,
  },
  mqttConnectRetryInterval: {
    kind: duration({ min: second, max: day, zero: minute }),
    help: 'Longest wait between attempts to connect',
    initial: minute,
    reload: true,
  },
  mqttPrimeTopic: {
    kind: boolean,
    help: 'Publish an empty message to data/out after connecting, for brokers that create a topic on its first use',
    initial: true,
    reload: true,
  },
  disconnectHold: {
    kind: durationOrNever({ min: second, max: 365 * day }),
    help: 'When to return after a disconnect command; "never" waits for SIGHUP or a restart',
    initial: Number.POSITIVE_INFINITY,
    reload: true,
  },
  maxMessageSize: {
    kind: size({ min: kibibyte, max: 256 * mebibyte }),
    help: 'Largest message taken from the broker',
    initial: 2 * mebibyte,
  },

  dataHost: {
    section: 'Content over HTTP',
    kind: optional(host),
    help: 'Host that replaces the host of every URL that content is fetched from or sent to',
    initial: undefined,
    initialText: 'none',
    example: '"cert.example.com"',
    reload: true,
  },
  contentHosts: {
    kind: list(host),
    help: 'Further hosts that may see the client certificate, be on this machine, or be reached by plain http',
    initial: [],
    initialText: 'none',
    example: '["files.example.com:8443"]',
    reload: true,
  },
  contentHostsOnly: {
    kind: boolean,
    help: 'Fetch from and send to no host but data-host, content-hosts and those of the brokers',
    initial: false,
    reload: true,
  },
  maxContentSize: {
    kind: size({ min: kibibyte, max: 64 * gibibyte }),
    help: 'Largest content that is fetched, or that a worker answers with',
    initial: 32 * mebibyte,
  },
  httpRetries: {
    kind: count({ min: 0, max: 1000 }),
    help: 'Further attempts at a fetch, and refusals of a delivery before it is given up',
    initial: 5,
    reload: true,
  },
  httpTimeout: {
    kind: duration({ min: second, max: day, zero: 10 * minute }),
    help: 'How long one HTTP request may take',
    initial: 10 * minute,
    reload: true,
  },
  httpRetryAge: {
    kind: duration({ min: minute, max: 365 * day }),
    help: 'How long a delivery by HTTP is tried',
    initial: day,
    reload: true,
  },

  workerDir: {
    section: 'Workers',
    kind: list(directory),
    help: 'Directories whose files named *worker are run as workers',
    initial: ['/usr/local/libexec/yggdrasil'],
    path: true,
  },
  excludeWorker: {
    kind: list(text({ placeholder: 'NAME', takes: 'a file name' })),
    help: 'Worker files that are not run',
    initial: [],
    initialText: 'none',
    example: '["echo-worker"]',
    reload: true,
  },
  workerGrace: {
    kind: duration({ min: second, max: 365 * day }),
    help: 'How long a message waits for a worker of its directive',
    initial: 5 * minute,
    reload: true,
  },
  workerWindow: {
    kind: count({ min: 1, max: 1024 }),
    help: 'Messages a worker is given before it has answered one',
    initial: 64,
    reload: true,
  },
  reportFailures: {
    kind: boolean,
    help: 'Tell the server of messages that could not be handled',
    initial: true,
    reload: true,
  },

  inboxLimit: {
    section: 'Limits',
    kind: limit('bytes', bytes),
    help: 'Messages, and bytes of them, that may wait for workers',
    initial: { messages: 250_000, bytes: 2 * gibibyte },
    reload: true,
  },
  outboxLimit: {
    kind: limit('bytes', bytes),
    help: 'Responses, and bytes of them, that may wait for the server',
    initial: { messages: 100_000, bytes: 256 * mebibyte },
    reload: true,
  },
  doneLimit: {
    kind: limit('age', age),
    help: 'Finished messages whose ids are remembered, and for how long',
    initial: { messages: 100_000, age: 7 * day },
    reload: true,
  },
  deadLimit: {
    kind: limit('age', age),
    help: 'Dead letters that are kept, and for how long',
    initial: { messages: 10_000, age: 30 * day },
    reload: true,
  },

  configDir: {
    section: 'Files',
    kind: directory,
    help: 'Where tags.toml and workers/<name>.toml are',
    initial: '/etc/yggdrasil',
    path: true,
  },
  runtimeDir: {
    kind: directory,
    help: 'Where sockets are; made with mode 0700',
    initial: defaultRuntimeDir,
    initialText: '$RUNTIME_DIRECTORY, else /run/yggdrasil; for users a directory of their own',
    example: '"/run/yggdrasil"',
    path: true,
  },
  stateDir: {
    kind: directory,
    help: 'Where messages on disk and the client id are; made with mode 0700',
    initial: defaultStateDir,
    initialText: '$STATE_DIRECTORY, else /var/lib/yggdrasil; for users ~/.local/state/yggdrasil',
    example: '"/var/lib/yggdrasil"',
    path: true,
  },
  socketAddr: {
    kind: socket,
    help: 'Socket for workers that others start',
    initial: (_environment, above) => path.join(above.runtimeDir, 'dispatcher.sock'),
    initialText: '<runtime-dir>/dispatcher.sock',
    example: '"/run/yggdrasil/dispatcher.sock"',
    path: true,
  },
  factsFile: {
    kind: optional(file),
    help: 'JSON object of facts about this host that replace those found',
    aliases: ['canonical-facts'],
    initial: undefined,
    initialText: 'none',
    example: '"/var/lib/yggdrasil/canonical-facts.json"',
    path: true,
    reload: true,
  },
  tagsFile: {
    kind: file,
    help: 'TOML file of tags sent with the status of the host',
    initial: (_environment, above) => path.join(above.configDir, 'tags.toml'),
    initialText: '<config-dir>/tags.toml',
    example: '"/etc/yggdrasil/tags.toml"',
    path: true,
    reload: true,
  },

  logLevel: {
    section: 'Log and end',
    kind: choice('LEVEL', logLevels),
    help: 'How much is logged',
    initial: 'info',
    reload: true,
  },
  logFormat: {
    kind: optional(choice<LogFormat>('FORMAT', ['text', 'journal', 'json'])),
    help: 'How log lines look',
    initial: undefined,
    initialText: '"journal" under systemd, else "text"',
    example: '"text"',
  },
  stopTimeout: {
    kind: duration({ min: second, max: hour }),
    help: 'How long a stop may take in all',
    initial: 20 * second,
    reload: true,
  },
};

/** Keys of the Go daemon that have nothing to change here; each says why. `false` means: only when set to false. */
export const keysWithoutEffect: ReadonlyMap<string, { readonly why: string; readonly only?: false }> =
  new Map<string, { readonly why: string; readonly only?: false }>([
    ['mqtt-connect-retry', { why: 'a broker that is away is always tried again', only: false }],
    ['mqtt-auto-reconnect', { why: 'a lost connection is always made again', only: false }],
    ['message-journal', { why: 'unfinished messages are always kept on disk, below state-dir' }],
    ['worker-config-dir', { why: 'the files of workers are read from <config-dir>/workers' }],
  ]);

/** `mqttKeepAlive` is `mqtt-keep-alive`. */
export function optionName(field: keyof Options): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The fields in the order of the table. */
export const optionFields: readonly (keyof Options)[] = Object.keys(optionTable) as (keyof Options)[];

/** The default as people read it. */
export function defaultText({ initial, initialText, kind }: OptionSpec<unknown>): string {
  return initialText ?? kind.write(initial);
}
