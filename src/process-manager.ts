/**
 * Keeps every worker in the worker directories running, and everything else out.
 *
 * Owns the datastore's `processes`, one supervisor for each worker file, and the watch on the directories.
 * In: `dispatcher-listen`, `socket-listen`, `worker-register`, `worker-unregister`.
 * Out: `process-prepare`, `process-spawn`, `process-bootstrap`, `process-die`.
 * Never talks to a worker: that is the Dispatcher's.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from './base/clock.ts';
import { within } from './base/deadline.ts';
import { reasonOf, YggError } from './base/errors.ts';
import type { Logger } from './base/log.ts';
import { defaultWorkerConfig, loadWorkerConfig, workerConfigFiles } from './config/worker-config.ts';
import type { Counters } from './counters.ts';
import type { Datastore, WorkerConfig, WorkerProcess } from './datastore.ts';
import { checkSafePath, checkSafePlace } from './host/safe-path.ts';
import type { DrainStage, Part } from './lifecycle.ts';
import { findAccount } from './process/account.ts';
import { type Child, type Exit, startChild } from './process/child.ts';
import { createLauncher, type Launcher } from './process/launcher.ts';
import { Leftovers } from './process/leftovers.ts';
import type { ProcessManagerOptions } from './process/manager-options.ts';
import { endOrphans } from './process/orphans.ts';
import { StartGate } from './process/start-gate.ts';
import { Supervisor, type Surroundings } from './process/supervisor.ts';
import { workerEnvironment } from './process/worker-environment.ts';
import { checkWorkerFile } from './process/worker-file.ts';
import { type ListedWorker, listWorkers, quietSpan, shortName } from './process/worker-listing.ts';
import { WorkerWatch } from './process/worker-watch.ts';
import type { SignalMap, Signals } from './signals.ts';

export interface ProcessManagerDeps {
  readonly signals: Pick<Signals, 'on' | 'emit'>;
  readonly datastore: Pick<Datastore, 'processes'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** The daemon's own environment, for the proxy variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: ProcessManagerOptions;
}

/** Workers that start at the same time. */
const gateWidth = 4;
/** Milliseconds the Dispatcher has to open a socket. */
const socketDeadline = 5_000;
/** Milliseconds between SIGTERM and SIGKILL. */
const stopGrace = 10_000;
/** The same, for those that a stop without draining still finds. */
const forcedGrace = 1_000;

export interface ProcessManager extends Part {
  /** The options have changed: the directories are compared with what runs. */
  reconsider(): void;
}

export function createProcessManager(deps: ProcessManagerDeps): ProcessManager {
  return new Manager(deps);
}

class Manager implements ProcessManager {
  readonly name = 'process-manager';
  readonly #deps: ProcessManagerDeps;
  readonly #supervisors = new Map<string, Supervisor>();
  readonly #gate = new StartGate(gateWidth);
  readonly #leftovers = new Leftovers();
  /** Whoever waits for a socket, by worker file. */
  readonly #sockets = new Map<string, (answer: SignalMap['socket-listen']) => void>();
  /** Files of which was said that they are not started because another has their name. */
  readonly #shadowed = new Set<string>();
  readonly #watch: WorkerWatch;
  #launcher: Launcher | undefined;
  #listening = false;
  #closing = false;

  constructor(deps: ProcessManagerDeps) {
    this.#deps = deps;
    const { signals, clock, log, options } = deps;
    this.#watch = new WorkerWatch({
      paths: [...options.workerDirs, path.join(options.configDir, 'workers')],
      clock,
      log,
      onChange: () => this.#look(),
    });
    signals.on('dispatcher-listen', this.name, () => {
      this.#listening = true;
      this.#bootstrap();
    });
    signals.on('socket-listen', this.name, (answer) => this.#sockets.get(answer.file)?.(answer));
    signals.on('worker-register', this.name, ({ file }) => this.#supervisors.get(file)?.registered());
    signals.on('worker-unregister', this.name, ({ file }) => this.#supervisors.get(file)?.unregistered());
  }

  async init(): Promise<void> {
    const { log, options } = this.#deps;
    const [launcher] = await Promise.all([createLauncher(), endOrphans({ ...options, log })]);
    if (launcher.guard.length === 0) {
      log.info(
        {},
        'this host has no setpriv with --pdeathsig; workers of a killed daemon end at its next start',
      );
    }
    this.#launcher = launcher;
    this.#bootstrap();
  }

  async drain(stage: DrainStage, abort: AbortSignal): Promise<void> {
    if (stage === 'quiet') {
      this.#closing = true;
      await this.#watch.close();
      for (const supervisor of this.#supervisors.values()) supervisor.retire();
    }
    if (stage === 'workers') {
      abort.addEventListener('abort', () => void this.#endAll(0), { once: true });
      await this.#endAll(stopGrace);
    }
  }

  async stop(): Promise<void> {
    this.#closing = true;
    await this.#watch.close();
    await this.#endAll(forcedGrace);
  }

  reconsider(): void {
    if (this.#listening && this.#launcher) this.#look();
  }

  async #endAll(grace: number): Promise<void> {
    await Promise.all([...this.#supervisors.values()].map((supervisor) => supervisor.end(grace)));
    await this.#leftovers.ended();
  }

  /** Starts what is there, once the Dispatcher takes calls and nothing of an earlier daemon runs any longer. */
  #bootstrap(): void {
    if (!this.#listening || !this.#launcher || this.#closing) return;
    const { signals, log } = this.#deps;
    const { workers } = this.#list();
    let untried = workers.length;
    const onTried = (): void => {
      untried -= 1;
      if (untried <= 0) void signals.emit('process-bootstrap', { files: workers.length });
    };
    for (const worker of workers) this.#add(worker, onTried);
    if (workers.length === 0) onTried();
    this.#watch.open().catch((error: unknown) => {
      log.warn(
        { error: reasonOf(error) },
        'worker directories cannot be watched; they are looked at every 10 s',
      );
    });
  }

  /** Compares the directories with what runs. */
  #look(): void {
    if (this.#closing) return;
    const { workers } = this.#list();
    for (const worker of workers) {
      const supervisor = this.#supervisors.get(worker.file);
      if (supervisor?.stamp === worker.stamp) continue;
      if (!worker.quiet) this.#watch.lookSoon(quietSpan);
      else if (supervisor) supervisor.renew(worker.stamp);
      else this.#add(worker, () => {});
    }
    const listed = new Set(workers.map(({ file }) => file));
    for (const file of this.#supervisors.keys()) if (!listed.has(file)) void this.#remove(file);
  }

  #list(): ReturnType<typeof listWorkers> {
    const { clock, log, counters, options } = this.#deps;
    const listing = listWorkers({
      workerDirs: options.workerDirs,
      excludeWorkers: options.excludeWorkers,
      configFiles: (fileName) => workerConfigFiles(options.configDir, fileName),
      now: clock.now(),
    });
    for (const { file, by } of listing.shadowed) {
      if (this.#shadowed.has(file)) continue;
      this.#shadowed.add(file);
      counters.count('worker_files_refused');
      log.error({ file, by }, 'the worker is not started: one of the same name in an earlier directory is');
    }
    return listing;
  }

  #add({ file, stamp }: ListedWorker, onTried: () => void): void {
    const { clock, random, counters, datastore, signals } = this.#deps;
    const log = this.#deps.log.child({ worker: shortName(path.basename(file)) });
    const document = datastore.processes.add({
      file,
      // Until its own is read.
      config: defaultWorkerConfig,
      pid: 0,
      state: 'starting',
      startedAt: 0,
      restarts: 0,
      reason: '',
    });
    const warned = new Set<string>();
    const warn = (sentence: string): void => {
      if (!warned.has(sentence)) log.warn({}, sentence);
      warned.add(sentence);
    };
    const supervisor = new Supervisor(document, stamp, {
      clock,
      random,
      log,
      gate: this.#gate,
      checkFile: (candidate) => checkWorkerFile(candidate, { checkPath: checkSafePath }),
      loadConfig: (fileName) => this.#loadConfig(fileName, warn),
      prepare: (process, abort) => this.#prepare(process, abort),
      start: (process, surroundings) => this.#start(process, surroundings, log),
      onTried,
      onRefused: () => counters.count('worker_files_refused'),
      onSpawn: (pid) => {
        counters.count('worker_starts');
        void signals.emit('process-spawn', { file, pid });
      },
      onDie: (pid, exit) => this.#onDie(file, pid, exit),
    });
    this.#supervisors.set(file, supervisor);
  }

  /** The environment in it decides what code a worker loads, so it is trusted no more than the worker file. */
  #loadConfig(fileName: string, warn: (sentence: string) => void): WorkerConfig {
    const { configDir } = this.#deps.options;
    for (const file of workerConfigFiles(configDir, fileName)) checkSafePlace(file);
    return loadWorkerConfig(configDir, fileName, warn);
  }

  /** Its place is taken until it has ended, so that a file that comes back meanwhile is not started beside it. */
  async #remove(file: string): Promise<void> {
    const supervisor = this.#supervisors.get(file);
    await supervisor?.end(stopGrace);
    if (this.#supervisors.get(file) !== supervisor) return;
    this.#supervisors.delete(file);
    this.#deps.datastore.processes.remove(file);
    this.#look();
  }

  async #prepare({ file, config }: WorkerProcess, abort: AbortSignal): Promise<Surroundings> {
    const { configDir } = this.#deps.options;
    const place = workerConfigFiles(configDir, path.basename(file)).find((candidate) =>
      existsSync(candidate),
    );
    const account = await findAccount(config, place ?? file);
    // Root by another group is root: nobody else has to reach the socket.
    const owner = account && account.uid !== process.getuid?.() ? account : undefined;
    const socketPath = await this.#openSocket(owner ? { file, account: owner } : { file }, abort);
    return { socketPath, account };
  }

  async #openSocket(request: SignalMap['process-prepare'], abort: AbortSignal): Promise<string> {
    const { signals, clock } = this.#deps;
    const { file } = request;
    try {
      return await within({ step: `the socket of ${file}`, ms: socketDeadline, abort, clock }, async () => {
        const answer = new Promise<SignalMap['socket-listen']>((resolve) => this.#sockets.set(file, resolve));
        await signals.emit('process-prepare', request);
        const socket = await answer;
        if ('path' in socket) return socket.path;
        throw new YggError('YGG_WORKER_START', `There is no socket for ${file}: ${socket.error}`);
      });
    } finally {
      this.#sockets.delete(file);
    }
  }

  async #start(worker: WorkerProcess, { socketPath, account }: Surroundings, log: Logger): Promise<Child> {
    const { clock, counters, environment, options } = this.#deps;
    const { configDir, clientId, logLevel } = options;
    if (!this.#launcher) throw new YggError('YGG_CLOSED', 'The process manager is not ready.');
    const entries = worker.config.env;
    const env = workerEnvironment({ socketPath, configDir, logLevel, clientId, environment, entries });
    checkWorkerFile(worker.file, { checkPath: checkSafePath });
    const onDropped = (lines: number): void => counters.count('worker_log_lines_dropped', lines);
    const child = await startChild(
      { clock, launcher: this.#launcher, onDropped },
      { file: worker.file, env, account, log },
    );
    void child.ended.then(() => this.#leftovers.end(socketPath, log));
    return child;
  }

  async #onDie(file: string, pid: number, { exitCode, signal, asked }: Exit): Promise<void> {
    const { counters, signals } = this.#deps;
    if (!asked) counters.count('worker_deaths');
    await signals.emit('process-die', { file, pid, exitCode, signal, asked });
  }
}
