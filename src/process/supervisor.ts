/**
 * Keeps one worker file running: at most one run at a time, started again whenever it ends, until told otherwise.
 *
 * Owns the document of its process in the datastore, its run, its back-off and its timers. One loop does everything
 * in turn; calls from outside only wake it or tell it to end.
 */
import path from 'node:path';
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { codeOf, reasonOf } from '../base/errors.ts';
import type { LogFields, Logger } from '../base/log.ts';
import type { WorkerConfig, WorkerProcess } from '../datastore.ts';
import type { Account } from './account.ts';
import type { Child, Exit } from './child.ts';
import { isBusyError, isBusyExit, reasonOfExit, reasonOfStart } from './failure-reason.ts';
import type { StartGate } from './start-gate.ts';

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** Adds the worker's name to each line. */
  readonly log: Logger;
  readonly gate: StartGate;
  /** Throws when the file may not be started. */
  readonly checkFile: (file: string) => void;
  /** Throws when the worker's configuration has a mistake. */
  readonly loadConfig: (fileName: string) => WorkerConfig;
  /** Resolves with what this run of the worker needs of its own. */
  readonly prepare: (process: WorkerProcess, abort: AbortSignal) => Promise<Surroundings>;
  readonly start: (process: WorkerProcess, surroundings: Surroundings) => Promise<Child>;
  /** The first attempt is over, whatever became of it. */
  readonly onTried: () => void;
  readonly onRefused: () => void;
  readonly onSpawn: (pid: number) => void;
  readonly onDie: (pid: number, exit: Exit) => Promise<void>;
}

export interface Surroundings {
  /** The socket that this run of the worker alone may call. */
  readonly socketPath: string;
  /** Not set: it runs as the daemon does. */
  readonly account: Account | undefined;
}

/** How a turn of the loop ended, and so what it waits for. */
type Outcome =
  /** Not to be started as it is; looked at again after a while, because not every change is seen. */
  | 'refused'
  /** Somebody still writes to the file. */
  | 'busy'
  /** It could not be started, or ended by itself. */
  | 'failed'
  /** We ended it. */
  | 'asked';

const restartFloor = 500;
const restartCap = 60_000;
/** Failures in a row from which on a worker is called failing. */
const failingAfter = 5;
/** Milliseconds registered after which earlier failures are forgotten. */
const provenAfter = 5_000;
/** Milliseconds after which a worker that did not register is mentioned. */
const silentAfter = 60_000;
const refusedRecheck = 10_000;
const busyRetry = 200;
const busyRetries = 25;
/** Milliseconds after which a run that has not registered makes room at the gate for the next one. */
const gateSpan = 1_000;
/** Milliseconds a replaced worker has to end. */
const replaceGrace = 10_000;

export class Supervisor {
  readonly #process: WorkerProcess;
  readonly #deps: SupervisorDeps;
  readonly #backoff: Backoff;
  readonly #finished: Promise<void>;
  /** What the file and its configuration looked like when they were last found changed. */
  #stamp: string;
  /** Aborted to cut the wait of a turn, or its start; a new one for each turn of the loop. */
  #turn = new AbortController();
  /** Set if and only if a run is under way. */
  #child: Child | undefined;
  /** Timers of the run under way. */
  #timers: Timer[] = [];
  #proven: Timer | undefined;
  #leaveGate: () => void = () => {};
  #grace = replaceGrace;
  #ending = false;
  #tried = false;
  #busyTurns = 0;

  constructor(process: WorkerProcess, stamp: string, deps: SupervisorDeps) {
    this.#process = process;
    this.#stamp = stamp;
    this.#deps = deps;
    this.#backoff = new Backoff({ floor: restartFloor, cap: restartCap, random: deps.random });
    this.#finished = this.#keep();
  }

  get stamp(): string {
    return this.#stamp;
  }

  /** The file or its configuration has changed: the run is ended and the next one started without delay. */
  renew(stamp: string): void {
    if (this.#ending) return;
    this.#stamp = stamp;
    this.#deps.log.info({}, 'the worker file or its configuration has changed; starting it anew');
    this.#interrupt();
  }

  /** The run under way has registered. */
  registered(): void {
    if (!this.#child || this.#process.state === 'stopping') return;
    this.#clearTimers();
    this.#leaveGate();
    this.#process.state = 'registered';
    this.#process.reason = '';
    this.#proven = this.#deps.clock.after(provenAfter, () => {
      if (this.#failing) this.#deps.log.info({}, 'the worker runs again');
      this.#backoff.reset();
    });
  }

  /** The run under way is registered no longer. */
  unregistered(): void {
    if (this.#process.state !== 'registered') return;
    this.#proven?.cancel();
    this.#process.state = 'starting';
  }

  /** The run under way is the last one. */
  retire(): void {
    this.#ending = true;
    if (!this.#child) this.#turn.abort();
  }

  /** Ends the run, by force when `grace` milliseconds are over; resolves when nothing is left of it. */
  end(grace: number): Promise<void> {
    this.#ending = true;
    this.#grace = grace;
    this.#interrupt();
    return this.#finished;
  }

  get #failing(): boolean {
    return this.#backoff.failures >= failingAfter;
  }

  async #keep(): Promise<void> {
    while (!this.#ending) {
      const { signal } = this.#turn;
      const outcome = await this.#run(signal);
      this.#sayTried();
      if (!this.#ending) await this.#wait(outcome, signal);
      if (signal.aborted) this.#backoff.reset();
      this.#turn = new AbortController();
    }
    this.#sayTried();
  }

  #interrupt(): void {
    this.#turn.abort();
    if (!this.#child) return;
    this.#process.state = 'stopping';
    this.#child.stop(this.#grace);
  }

  /** One run, from the checks to the end of the process. */
  async #run(abort: AbortSignal): Promise<Outcome> {
    const { gate, prepare, checkFile, loadConfig, start } = this.#deps;
    const { file } = this.#process;
    try {
      this.#process.config = loadConfig(path.basename(file));
      checkFile(file);
    } catch (error) {
      return this.#refused(error);
    }
    this.#leaveGate = await gate.enter();
    try {
      if (abort.aborted) return 'asked';
      if (!this.#failing) this.#process.state = 'starting';
      const surroundings = await prepare(this.#process, abort);
      if (abort.aborted) return 'asked';
      const child = await start(this.#process, surroundings);
      return await this.#attend(child, abort);
    } catch (error) {
      return abort.aborted ? 'asked' : this.#notStarted(error);
    } finally {
      this.#leaveGate();
    }
  }

  async #attend(child: Child, abort: AbortSignal): Promise<Outcome> {
    const { clock, log, onSpawn, onDie } = this.#deps;
    this.#child = child;
    this.#process.pid = child.pid;
    this.#process.startedAt = clock.now();
    log.info({ pid: child.pid }, 'worker started');
    onSpawn(child.pid);
    this.#sayTried();
    if (abort.aborted) this.#interrupt();
    this.#timers = [
      clock.after(gateSpan, this.#leaveGate),
      clock.after(silentAfter, () =>
        log.warn(
          { pid: child.pid, seconds: silentAfter / 1000 },
          'the worker has not registered; it is left running',
        ),
      ),
    ];
    const exit = await child.ended;
    this.#child = undefined;
    this.#process.pid = 0;
    this.#clearTimers();
    await onDie(child.pid, exit);
    return this.#judge(child.pid, exit);
  }

  #judge(pid: number, exit: Exit): Outcome {
    const { exitCode, signal, asked } = exit;
    if (asked) {
      this.#deps.log.info({ pid }, 'worker stopped');
      return 'asked';
    }
    if (isBusyExit(exit)) return this.#busy();
    return this.#failed({ pid, exit_code: exitCode, signal }, reasonOfExit(this.#process.file, exit));
  }

  #refused(error: unknown): Outcome {
    const reason = reasonOf(error);
    const code = codeOf(error);
    if (this.#process.state !== 'refused' || this.#process.reason !== reason) {
      this.#deps.log.error(
        { code, error: reason },
        'the worker is not started; it is tried again when it changes',
      );
      this.#deps.onRefused();
    }
    this.#process.state = 'refused';
    this.#process.reason = reason;
    return 'refused';
  }

  #notStarted(error: unknown): Outcome {
    if (isRefusal(error)) return this.#refused(error);
    if (isBusyError(error)) return this.#busy();
    const code = codeOf(error);
    return this.#failed({ code }, reasonOfStart(this.#process.file, error));
  }

  #busy(): Outcome {
    this.#busyTurns += 1;
    if (this.#busyTurns <= busyRetries) return 'busy';
    return this.#failed({}, 'the file is still being written to');
  }

  #failed(fields: LogFields, reason: string): Outcome {
    this.#process.reason = reason;
    this.#deps.log.warn({ ...fields, error: reason }, 'the worker has ended or could not be started');
    return 'failed';
  }

  async #wait(outcome: Outcome, abort: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    if (outcome === 'asked') return;
    if (outcome === 'refused') return await pause(refusedRecheck, { abort, clock });
    if (outcome === 'busy') return await pause(busyRetry, { abort, clock });
    this.#busyTurns = 0;
    const delay = this.#backoff.next();
    this.#process.restarts += 1;
    this.#process.state = this.#failing ? 'failing' : 'waiting';
    if (this.#backoff.failures === failingAfter) {
      log.error(
        { failures: failingAfter, error: this.#process.reason },
        'the worker keeps failing; it is still tried, at most a minute apart',
      );
    }
    log.info({ delay_ms: delay }, 'the worker is started again after a pause');
    await pause(delay, { abort, clock });
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#proven?.cancel();
  }

  #sayTried(): void {
    if (this.#tried) return;
    this.#tried = true;
    this.#deps.onTried();
  }
}

/** Whether the file itself has to change before another start makes sense. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'YGG_WORKER_FILE' || code === 'YGG_UNSAFE_PATH';
}
