/**
 * The built daemon as a process, with directories of its own.
 *
 * A home outlives the daemons that run in it, one after the other, as a host outlives its restarts. When its scope
 * ends, nothing may be left: no process that was started from it, no socket, no lock.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Child, type Exit } from './child.ts';
import { alive, processesWith } from './processes.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';
import { install, uninstall, type WorkerFile, writeWorkerConfig } from './worker-files.ts';

const builtProgram = path.resolve(import.meta.dirname, '../../dist/cmd/yggd.js');

export const defaultClientId = 'test-client-0001';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The directories of one host. */
export class Home {
  readonly workerDir: string;
  readonly configDir: string;
  readonly runtimeDir: string;
  readonly stateDir: string;

  constructor(root: string, stateDir: string = path.join(root, 'state')) {
    this.workerDir = path.join(root, 'workers');
    this.configDir = path.join(root, 'config');
    this.runtimeDir = path.join(root, 'run');
    this.stateDir = stateDir;
    for (const folder of [this.workerDir, this.configDir]) mkdirSync(folder, { mode: 0o755 });
  }

  install(worker: WorkerFile): void {
    install(worker, this.workerDir, this.configDir);
  }

  /** Writes only its TOML, as an operator who edits it does. */
  configure(worker: Pick<WorkerFile, 'name' | 'config'>): void {
    writeWorkerConfig(worker, this.configDir);
  }

  uninstall(name: string): void {
    uninstall(name, this.workerDir);
  }

  /** Processes started from here: workers and what they started. */
  processes(): number[] {
    return processesWith(this.runtimeDir);
  }

  /** Files in the runtime directory, but for the record of its last owner; none after a clean stop. */
  runtimeFiles(): string[] {
    try {
      return readdirSync(this.runtimeDir).filter((file) => !/^owner\.\d+$/.test(file));
    } catch {
      return [];
    }
  }
}

/** With `stateDir` the state lies elsewhere; with `root` all of it lies in that folder, which is there. */
export function createHome(
  scope: Scope,
  workers: readonly WorkerFile[] = [],
  stateDir?: string,
  root: string = tempDir(scope),
): Home {
  const home = new Home(root, stateDir);
  for (const worker of workers) home.install(worker);
  // Ended before the directory goes, whatever the test did to the daemon.
  scope.defer(async () => {
    for (const pid of home.processes()) process.kill(pid, 'SIGKILL');
    await waitFor(() => home.processes().length === 0, {
      what: `end of the processes of ${home.runtimeDir}`,
    });
  });
  return home;
}

export interface YggdOptions {
  readonly home: Home;
  /** URLs in order; none: `--broker` is not given. */
  readonly brokers: readonly string[];
  /** Empty: `--client-id` is not given. */
  readonly clientId?: string;
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** Further flags and their values: `['--worker-grace', '2s']`. */
  readonly flags?: readonly string[];
  /** Replaces the environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Another build of the daemon than the one in `dist`. */
  readonly program?: string;
  /** A program, and its words, that becomes the daemon. */
  readonly under?: readonly string[];
}

export class Yggd extends Child {
  readonly home: Home;

  constructor(scope: Scope, options: YggdOptions) {
    const { home, brokers, clientId = defaultClientId, logLevel = 'info', flags = [], env } = options;
    const words = [
      options.program ?? builtProgram,
      ...brokers.flatMap((url) => ['--broker', url]),
      ...(clientId === '' ? [] : ['--client-id', clientId]),
      ...['--worker-dir', home.workerDir, '--config-dir', home.configDir],
      ...['--runtime-dir', home.runtimeDir, '--state-dir', home.stateDir],
      ...['--log-level', logLevel, '--log-format', 'json'],
      ...flags,
    ];
    const [program = process.execPath, ...before] = [...(options.under ?? []), process.execPath];
    super(scope, program, [...before, ...words], env ? { env } : {});
    this.home = home;
  }

  /** Log lines so far; what is no JSON object (Node's own words) has no place in them and fails. */
  get log(): readonly LogLine[] {
    return this.lines.filter((line) => line !== '').map(readLine);
  }

  /** Log lines with this text in the sentence, or with these fields. */
  logged(wanted: RegExp | Readonly<Record<string, unknown>>): readonly LogLine[] {
    if (wanted instanceof RegExp) return this.log.filter(({ msg }) => wanted.test(msg));
    return this.log.filter((line) => Object.entries(wanted).every(([field, value]) => line[field] === value));
  }

  /** The first such log line. */
  async says(wanted: RegExp | Readonly<Record<string, unknown>>, deadline = 10_000): Promise<LogLine> {
    return await waitFor(() => this.logged(wanted)[0], {
      what: `log line ${wanted instanceof RegExp ? wanted : JSON.stringify(wanted)}`,
      deadline,
      detail: () => this.output,
    });
  }

  /** SIGTERM, and its end; milliseconds it took. */
  async stop(deadline = 25_000): Promise<{ readonly exit: Exit; readonly took: number }> {
    const begun = performance.now();
    this.kill('SIGTERM');
    const exit = await this.ended(deadline);
    return { exit, took: performance.now() - begun };
  }

  /** A clean stop, and nothing left: status 0, no child, no socket, no word of Node's own. Milliseconds it took. */
  async stopCleanly(deadline?: number): Promise<number> {
    const { exit, took } = await this.stop(deadline);
    const faults = [
      ...(exit.code === 0 ? [] : [`ended with status ${exit.code}, signal ${exit.signal}`]),
      ...this.home.processes().map((pid) => `process ${pid} is left`),
      ...this.home.runtimeFiles().map((file) => `${file} is left in the runtime directory`),
      // Warnings and rejections of Node itself are no JSON.
      ...this.lines.filter((line) => !line.startsWith('{')).map((line) => `it printed ${line}`),
    ];
    if (faults.length > 0) throw new Error(`no clean stop: ${faults.join('; ')}\n${this.output}`);
    return took;
  }

  /** SIGKILL, and its end. Workers may outlive it. */
  async crash(): Promise<void> {
    this.kill('SIGKILL');
    await this.ended();
  }

  get running(): boolean {
    return this.exit === undefined && alive(this.pid);
  }
}

/** Starts the daemon and leaves it to the caller to wait for what it should do. */
export function startYggd(scope: Scope, options: YggdOptions): Yggd {
  return new Yggd(scope, options);
}

function readLine(line: string): LogLine {
  const parsed: unknown = JSON.parse(line);
  if (typeof parsed !== 'object' || parsed === null || !('msg' in parsed) || !('level' in parsed)) {
    throw new Error(`no log line: ${line}`);
  }
  return { ...parsed, level: String(parsed.level), msg: String(parsed.msg) };
}
