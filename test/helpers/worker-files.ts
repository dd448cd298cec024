/**
 * Worker files as an operator would install them: small executables in the worker directory, each with its TOML.
 *
 * Programs are never copied: a file runs one by its path with the interpreter it needs, because a worker's own PATH
 * is fixed and need not lead to this Node.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const fixtures = path.resolve(import.meta.dirname, '../fixtures/workers');
const examples = path.resolve(import.meta.dirname, '../../workers/examples');
const builtWorkers = path.resolve(import.meta.dirname, '../../dist/workers');
const builtEcho = path.join(builtWorkers, 'echo', 'worker.js');

export interface WorkerFile {
  /** File name in the worker directory; ends in `worker`. */
  readonly name: string;
  /** The executable's text. */
  readonly text: string;
  /** Lines of `<config-dir>/workers/<name>.toml`; no file when there are none. */
  readonly config: readonly string[];
}

interface WorkerOptions {
  readonly name?: string;
  readonly handler?: string;
  readonly redelivery?: 'until-accepted' | 'until-done';
  /** Further lines of its TOML. */
  readonly config?: readonly string[];
}

/** How the Node fixture misbehaves; see its own comments (`test/fixtures/workers/node-worker.mjs`). */
export type Behaviour =
  | 'crash-at-start'
  | 'never-register'
  | 'register-twice'
  | 'hang'
  | 'silent'
  | 'unknown-response-to'
  | 'answer-twice'
  | 'deaf'
  | 'grandchild'
  | 'flood'
  | 'dial-anew'
  | 'go-like'
  | 'throw'
  | 'exhausted'
  | 'die-on-message'
  | 'die-when-full'
  | 'answer-and-exit'
  | 'invalid-bytes'
  | 'bad-headers'
  | 'answer-content'
  | 'answer-early'
  | 'numbered'
  | 'signed'
  | 'persistent'
  | 'poisoned';

export interface NodeWorkerOptions extends WorkerOptions {
  readonly behaviours?: readonly Behaviour[];
  readonly detached?: boolean;
  readonly features?: Readonly<Record<string, string>>;
  /** File that gets one JSON line per event, across incarnations. */
  readonly ledger?: string;
  /** Milliseconds before it answers. */
  readonly delay?: number;
  /** File with the milliseconds it waits before it registers. */
  readonly startDelay?: string;
  /** Directive of its answers, when not the handler. */
  readonly answerTo?: string;
}

/** The echo worker of this project, as it is built. */
export function echoWorker({ name = 'echoworker', redelivery, config = [] }: WorkerOptions = {}): WorkerFile {
  return { name, text: nodeScript(builtEcho), config: [...policy(redelivery), ...config] };
}

/** Another worker of this project, as it is built, with its TOML. */
export function builtWorker(name: string, toml: string): WorkerFile {
  return {
    name: `${name}.worker`,
    text: nodeScript(path.join(builtWorkers, name, 'worker.js')),
    config: toml.split('\n'),
  };
}

/** An echo worker on grpc-js that can misbehave. */
export function nodeWorker(options: NodeWorkerOptions = {}): WorkerFile {
  const { handler = 'node', name = `${handler}-worker`, behaviours = [], redelivery, config = [] } = options;
  const env: Record<string, string> = { FIXTURE_HANDLER: handler, FIXTURE_BEHAVIOURS: behaviours.join() };
  if (options.detached) env['FIXTURE_DETACHED'] = 'true';
  if (options.features) env['FIXTURE_FEATURES'] = JSON.stringify(options.features);
  if (options.ledger !== undefined) env['FIXTURE_LEDGER'] = options.ledger;
  if (options.delay !== undefined) env['FIXTURE_DELAY'] = String(options.delay);
  if (options.startDelay !== undefined) env['FIXTURE_START_DELAY'] = options.startDelay;
  if (options.answerTo !== undefined) env['FIXTURE_ANSWER_TO'] = options.answerTo;
  return {
    name,
    text: nodeScript(path.join(fixtures, 'node-worker.mjs')),
    config: [...policy(redelivery), environment(env), ...config],
  };
}

export interface AttachedWorkerOptions extends WorkerOptions {
  /** See its own comments (`test/fixtures/workers/attached-worker.mjs`). */
  readonly behaviours?: readonly string[];
  readonly ledger?: string;
  readonly concurrency?: number;
  /** Milliseconds before it answers. */
  readonly delay?: number;
  /** File with the faults that are to happen. */
  readonly faults?: string;
}

/** An echo worker on Attach and grpc-js that breaks when told to. */
export function attachedWorker(options: AttachedWorkerOptions = {}): WorkerFile {
  const {
    handler = 'attached',
    name = `${handler}-worker`,
    behaviours = [],
    redelivery,
    config = [],
  } = options;
  const env: Record<string, string> = { FIXTURE_HANDLER: handler, FIXTURE_BEHAVIOURS: behaviours.join() };
  if (options.ledger !== undefined) env['FIXTURE_LEDGER'] = options.ledger;
  if (options.concurrency !== undefined) env['FIXTURE_CONCURRENCY'] = String(options.concurrency);
  if (options.delay !== undefined) env['FIXTURE_DELAY'] = String(options.delay);
  if (options.faults !== undefined) env['FIXTURE_FAULTS'] = options.faults;
  return {
    name,
    text: nodeScript(path.join(fixtures, 'attached-worker.mjs')),
    config: [...policy(redelivery), environment(env), ...config],
  };
}

/** The echo worker on the SDK that writes down what it runs, to be started by its author and not by a daemon. */
export const sdkProgram: string = path.join(fixtures, 'sdk-worker.mjs');

/** An echo worker that dials anew for every answer and gives the daemon a second for it, at little cost of its own. */
export function leanGoWorker(options: WorkerOptions = {}): WorkerFile {
  const { handler = 'go', name = `${handler}-worker`, redelivery, config = [] } = options;
  return {
    name,
    text: nodeScript(path.join(fixtures, 'lean-go-worker.mjs')),
    config: [...policy(redelivery), environment({ FIXTURE_HANDLER: handler }), ...config],
  };
}

/** The examples of this project: Python on python3-grpcio, Ruby on ruby-grpc. */
export function exampleWorker(language: 'python' | 'ruby', options: WorkerOptions = {}): WorkerFile {
  const { handler = language, name = `${handler}-worker`, redelivery, config = [] } = options;
  const [interpreter, file] =
    language === 'python' ? ['/usr/bin/python3', 'worker.py'] : ['/usr/bin/ruby', 'worker.rb'];
  const program = path.join(examples, language, file);
  return {
    name,
    text: `#!/bin/sh\nexec ${interpreter} ${quote(program)} ${handler}\n`,
    config: [...policy(redelivery), ...config],
  };
}

/** A program of its own, run by its path. */
export function programWorker(
  program: string,
  options: WorkerOptions & { readonly name: string },
): WorkerFile {
  const { name, redelivery, config = [] } = options;
  return { name, text: `#!/bin/sh\nexec ${quote(program)}\n`, config: [...policy(redelivery), ...config] };
}

/** The same worker behind a shell that stays: the pid that registers is not the child's. */
export function wrapped(worker: WorkerFile): WorkerFile {
  return { ...worker, text: `${worker.text.replace(/^exec /m, '')}status=$?\nexit $status\n` };
}

/** Writes it beside its place and renames it in, as a package manager does. */
export function install(worker: WorkerFile, workerDir: string, configDir: string): void {
  if (worker.config.length > 0) writeWorkerConfig(worker, configDir);
  const file = path.join(workerDir, worker.name);
  writeFileSync(`${file}.new`, worker.text, { mode: 0o755 });
  renameSync(`${file}.new`, file);
}

export function writeWorkerConfig(worker: Pick<WorkerFile, 'name' | 'config'>, configDir: string): void {
  const folder = path.join(configDir, 'workers');
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const file = path.join(folder, `${worker.name.replace(/\.worker$/, '')}.toml`);
  writeFileSync(`${file}.new`, `${worker.config.join('\n')}\n`, { mode: 0o644 });
  renameSync(`${file}.new`, file);
}

export function uninstall(name: string, workerDir: string): void {
  rmSync(path.join(workerDir, name));
}

function policy(redelivery: WorkerOptions['redelivery']): string[] {
  return redelivery === undefined ? [] : [`redelivery = "${redelivery}"`];
}

function environment(variables: Readonly<Record<string, string>>): string {
  return `env = ${JSON.stringify(Object.entries(variables).map(([key, value]) => `${key}=${value}`))}`;
}

export function nodeScript(program: string): string {
  return `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(program)}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
