/**
 * One run of one worker program, from its start until nothing of it is left in its process group; `leftovers.ts` ends the rest.
 *
 * Owns the process group the worker leads, its output streams and the timers of its end. Acts on the program's exit
 * and never on the end of its pipes, which something it started may hold open for ever.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type Account, accountWords } from './account.ts';
import { endProcesses } from './ending.ts';
import type { Launcher } from './launcher.ts';
import { OutputLog } from './output-log.ts';
import { listProcesses, type ProcessEntry } from './process-table.ts';

/** What starting a worker takes beside the worker itself; the same for all of them. */
export interface ChildDeps {
  readonly clock: Clock;
  readonly launcher: Launcher;
  readonly onDropped: (lines: number) => void;
}

export interface ChildOptions {
  /** Absolute path. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whom it runs as; not set: as this process. */
  readonly account?: Account | undefined;
  /** Adds the worker's name to each line. */
  readonly log: Logger;
}

/** How a worker ended. */
export interface Exit {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Whether we ended it. */
  readonly asked: boolean;
  /** Its last line on stderr, or empty. */
  readonly lastError: string;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the worker and everything in its process group have ended. Never rejects. */
  readonly ended: Promise<Exit>;
  /**
   * SIGTERM to the whole group, SIGKILL when `grace` milliseconds are over. Called again, the earlier end counts.
   */
  stop(grace: number): void;
}

/** Milliseconds that what a worker leaves behind in its group has to end by itself. */
const leftoverGrace = 1_000;
/** Milliseconds after the end in which output that is still in the pipes is read. */
const outputGrace = 100;

/**
 * Starts the program before it returns, so that nothing comes between a check of the file and its start; throws
 * `YGG_WORKER_START` when it cannot be executed.
 */
export async function startChild(deps: ChildDeps, options: ChildOptions): Promise<Child> {
  const { file, env, account, log } = options;
  const { execa, guard } = deps.launcher;
  if (account && guard.length === 0) {
    const sentence = `${file} is to run as ${account.name}, which needs setpriv; install util-linux.`;
    throw new YggError('YGG_WORKER_FILE', sentence);
  }
  const [command = file, ...words] = [...guard, ...(account ? accountWords(account) : []), file];
  const child = withUmask(0o022, () =>
    execa(command, words, {
      cwd: '/',
      env,
      extendEnv: false,
      // A group of its own, so that signals reach everything it starts and nothing else.
      detached: true,
      cleanup: false,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      encoding: 'buffer',
      reject: false,
    }),
  );
  if (child.pid === undefined) {
    const { cause, code } = await child;
    throw new YggError('YGG_WORKER_START', `${file} cannot be executed: ${code ?? reasonOf(cause)}.`, {
      cause,
    });
  }
  const output = new OutputLog({ log, clock: deps.clock, onDropped: deps.onDropped });
  output.attach(child.stdout, 'stdout');
  output.attach(child.stderr, 'stderr');
  const exit = new Promise<Pick<Exit, 'exitCode' | 'signal'>>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return new GroupLeader(child.pid, exit, output, deps.clock);
}

class GroupLeader implements Child {
  readonly pid: number;
  readonly ended: Promise<Exit>;
  readonly #clock: Clock;
  readonly #output: OutputLog;
  readonly #impatience = new AbortController();
  /** Until then the pid is ours for certain, because nobody has waited for the process. */
  #running = true;
  #asked = false;
  #killAt = Number.POSITIVE_INFINITY;
  #killer: Timer | undefined;

  constructor(
    pid: number,
    exit: Promise<Pick<Exit, 'exitCode' | 'signal'>>,
    output: OutputLog,
    clock: Clock,
  ) {
    this.pid = pid;
    this.#output = output;
    this.#clock = clock;
    this.ended = this.#end(exit);
  }

  stop(grace: number): void {
    if (!this.#asked) {
      this.#asked = true;
      this.#signal('SIGTERM');
      // A stopped process takes no signal but SIGKILL before it goes on.
      this.#signal('SIGCONT');
    }
    this.#killAfter(grace);
  }

  async #end(exit: Promise<Pick<Exit, 'exitCode' | 'signal'>>): Promise<Exit> {
    const { exitCode, signal } = await exit;
    this.#running = false;
    const asked = this.#asked;
    if (!asked) this.#killAfter(leftoverGrace);
    await endProcesses({ find: () => this.#leftovers(), impatience: this.#impatience.signal, ask: !asked });
    this.#killer?.cancel();
    await this.#output.finish(outputGrace);
    return { exitCode, signal, asked, lastError: this.#output.lastError };
  }

  #killAfter(grace: number): void {
    const killAt = this.#clock.monotonic() + grace;
    if (killAt >= this.#killAt) return;
    this.#killAt = killAt;
    this.#killer?.cancel();
    this.#killer = this.#clock.after(grace, () => {
      this.#signal('SIGKILL');
      this.#impatience.abort();
    });
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#running) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // It has just ended; the exit follows.
    }
  }

  /** What is left of the group after its leader: the worker itself, when the leader is a wrapper. */
  #leftovers(): ProcessEntry[] {
    try {
      process.kill(-this.pid, 0);
    } catch {
      return [];
    }
    // The number stays taken while the group has a member, even if that is only a zombie.
    return listProcesses().filter(({ group }) => group === this.pid);
  }
}

function withUmask<T>(mask: number, run: () => T): T {
  const before = process.umask(mask);
  try {
    return run();
  } finally {
    process.umask(before);
  }
}
