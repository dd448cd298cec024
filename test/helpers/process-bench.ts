/**
 * A process manager with real worker files and a stand-in for the Dispatcher: it hands out socket paths, and says
 * that a worker registered when the test says so.
 */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/log.ts';
import { type Counters, createCounters } from '../../src/counters.ts';
import { createDatastore, type Datastore } from '../../src/datastore.ts';
import type { ProcessManagerOptions } from '../../src/process/manager-options.ts';
import { createProcessManager } from '../../src/process-manager.ts';
import { createSignals, type SignalMap, type Signals } from '../../src/signals.ts';
import { processesWith } from './processes.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

export interface BenchOptions extends Partial<ProcessManagerOptions> {
  readonly clock?: Clock;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the stand-in answers `process-prepare`; it does unless told otherwise. */
  readonly sockets?: 'open' | 'refused' | 'silent';
}

export interface LogLine {
  readonly level: string;
  readonly sentence: string;
  readonly [field: string]: unknown;
}

export class ProcessBench {
  readonly folder: string;
  readonly workerDir: string;
  readonly configDir: string;
  readonly runtimeDir: string;
  readonly signals: Signals = createSignals();
  readonly datastore: Datastore = createDatastore();
  readonly counters: Counters = createCounters();
  readonly lines: LogLine[] = [];
  readonly spawned: Array<SignalMap['process-spawn']> = [];
  readonly died: Array<SignalMap['process-die']> = [];
  readonly prepared: string[] = [];
  bootstrapped: number | undefined;
  readonly manager: ReturnType<typeof createProcessManager>;

  constructor(scope: Scope, options: BenchOptions = {}) {
    const { clock = systemClock, environment = {}, sockets = 'open', ...rest } = options;
    this.folder = tempDir(scope);
    this.workerDir = path.join(this.folder, 'workers');
    this.configDir = path.join(this.folder, 'config');
    this.runtimeDir = path.join(this.folder, 'run');
    for (const made of [this.workerDir, path.join(this.configDir, 'workers'), this.runtimeDir]) {
      mkdirSync(made, { recursive: true, mode: 0o700 });
    }
    const { signals, datastore, counters } = this;
    this.manager = createProcessManager({
      signals,
      datastore,
      counters,
      clock,
      log: this.#logger({}),
      random: () => 0,
      environment,
      options: {
        workerDirs: [this.workerDir],
        excludeWorkers: [],
        configDir: this.configDir,
        runtimeDir: this.runtimeDir,
        userSocketsDir: `${this.runtimeDir}-workers`,
        clientId: 'test-client-0001',
        logLevel: 'info',
        ...rest,
      },
    });
    let opened = 0;
    signals.on('process-prepare', 'dispatcher', ({ file }) => {
      this.prepared.push(file);
      if (sockets === 'silent') return;
      opened += 1;
      const name = `${String(opened).padStart(8, '0')}.s`;
      const answer = sockets === 'open' ? { path: path.join(this.runtimeDir, name) } : { error: 'no room' };
      void signals.emit('socket-listen', { file, ...answer });
    });
    signals.on('process-die', 'dispatcher', (died) => {
      this.died.push(died);
    });
    signals.observe('process-spawn', (spawned) => {
      this.spawned.push(spawned);
    });
    signals.observe('process-bootstrap', ({ files }) => {
      this.bootstrapped = files;
    });
    scope.defer(async () => {
      await this.manager.stop(AbortSignal.timeout(5_000));
      signals.close();
      const left = processesWith(this.runtimeDir);
      for (const pid of left) process.kill(pid, 'SIGKILL');
      if (left.length > 0) throw new Error(`processes ${left.join()} were left behind`);
    });
  }

  /** Writes a script beside its place and renames it in, so that nobody meets half of it. */
  install(name: string, script: string, options: { mode?: number; folder?: string } = {}): string {
    const { mode = 0o755, folder = this.workerDir } = options;
    const file = path.join(folder, name);
    writeFileSync(`${file}.new`, script);
    chmodSync(`${file}.new`, mode);
    renameSync(`${file}.new`, file);
    return file;
  }

  configure(name: string, toml: string): void {
    const file = path.join(this.configDir, 'workers', `${name}.toml`);
    writeFileSync(`${file}.new`, toml);
    renameSync(`${file}.new`, file);
  }

  /** Initialises the manager and says that the Dispatcher listens. */
  async start(): Promise<void> {
    await this.manager.init(AbortSignal.timeout(10_000));
    await this.signals.emit('dispatcher-listen', { path: path.join(this.runtimeDir, 'dispatcher.sock') });
  }

  async register(file: string): Promise<void> {
    const pid = this.pidOf(file);
    await this.signals.emit('worker-register', { handler: path.basename(file), pid, features: {}, file });
  }

  pidOf(file: string): number {
    return this.datastore.processes.get(file)?.pid ?? 0;
  }

  stateOf(file: string): string | undefined {
    return this.datastore.processes.get(file)?.state;
  }

  /** The pid of a run of this file other than `before`. */
  running(file: string, before = 0): Promise<number> {
    return waitFor(
      () => {
        const pid = this.pidOf(file);
        return pid !== before && pid;
      },
      { what: `run of ${file}`, detail: () => this.output },
    );
  }

  /** A log line with these words in its sentence or its error. */
  said(words: string): Promise<LogLine> {
    return waitFor(
      () => this.lines.find((line) => `${line.sentence} ${String(line['error'] ?? '')}`.includes(words)),
      { what: `log line with "${words}"`, detail: () => this.output },
    );
  }

  get output(): string {
    return this.lines.map((line) => JSON.stringify(line)).join('\n');
  }

  #logger(common: object): Logger {
    const at =
      (level: string) =>
      (fields: object, sentence: string): void => {
        this.lines.push({ level, sentence, ...common, ...fields });
      };
    return {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      debug: at('debug'),
      trace: at('trace'),
      child: (fields) => this.#logger({ ...common, ...fields }),
    };
  }
}
