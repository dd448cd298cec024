/**
 * The way to the daemon of this machine: its control socket while it runs, its state directory while it does not.
 */
import { YggError } from '../base/errors.ts';
import type { Control, DeadLetterDesk, MessageDesk } from '../control-api.ts';

/** Where to look; what is not said is looked for in the usual places. */
export interface DaemonPlace {
  readonly runtimeDir?: string | undefined;
  readonly stateDir?: string | undefined;
  readonly config?: string | undefined;
}

export interface DaemonDoorDeps {
  /** Runtime directories of daemons of this user, the likeliest first; of the configuration `config` alone, if given. */
  runtimeDirs(config: string | undefined): readonly string[];
  /** State directories of the same. */
  stateDirs(config: string | undefined): readonly string[];
  /**
   * The control socket in a runtime directory, or `undefined` when nobody listens there. Throws `YGG_UNSAFE_PATH` when
   * others can write there: they could answer in the daemon's place; `YGG_NOT_ALLOWED` when it is another user's.
   */
  findSocket(runtimeDir: string): Promise<string | undefined>;
  connect(options: {
    readonly path: string;
    readonly deadline: number;
  }): Promise<Control & { close(): void }>;
  /**
   * The journal of a stopped daemon, for which nobody else has it meanwhile; `undefined` when there is none. Throws
   * `YGG_ALREADY_RUNNING`, `YGG_NOT_ALLOWED`, `YGG_JOURNAL_IO`.
   */
  openStopped(stateDir: string, config: string | undefined): Promise<StoppedDaemon | undefined>;
}

/** What can be asked while no daemon runs. */
export type Desks = MessageDesk & DeadLetterDesk;

export interface StoppedDaemon extends Desks {
  readonly stateDir: string;
  close(): Promise<void>;
}

/** Calls of a running daemon; throws `YGG_NOT_RUNNING` naming where it was looked for. */
export async function withDaemon<T>(
  place: DaemonPlace,
  deadline: number,
  deps: DaemonDoorDeps,
  use: (control: Control) => Promise<T>,
): Promise<T> {
  const runtimeDirs = runtimeDirsOf(place, deps);
  const path = await firstSocket(runtimeDirs, deps);
  if (path === undefined) throw notRunning(runtimeDirs);
  const control = await deps.connect({ path, deadline });
  try {
    return await use(control);
  } finally {
    control.close();
  }
}

/** Looks at messages and dead letters, whether the daemon runs or not; `onStopped` hears which directory it is. */
export async function withDesks<T>(
  place: DaemonPlace,
  deadline: number,
  deps: DaemonDoorDeps & { readonly onStopped: (stateDir: string) => Promise<void> },
  use: (desks: Desks) => Promise<T>,
): Promise<T> {
  const runtimeDirs =
    place.stateDir !== undefined && place.runtimeDir === undefined ? [] : runtimeDirsOf(place, deps);
  if ((await firstSocket(runtimeDirs, deps)) !== undefined)
    return await withDaemon(place, deadline, deps, use);
  const stateDirs = stateDirsOf(place, deps);
  for (const stateDir of stateDirs) {
    const stopped = await deps.openStopped(stateDir, place.config);
    if (!stopped) continue;
    try {
      await deps.onStopped(stateDir);
      return await use(stopped);
    } finally {
      await stopped.close();
    }
  }
  throw notRunning(runtimeDirs, stateDirs);
}

async function firstSocket(
  runtimeDirs: readonly string[],
  { findSocket }: DaemonDoorDeps,
): Promise<string | undefined> {
  for (const runtimeDir of runtimeDirs) {
    const socket = await findSocket(runtimeDir);
    if (socket !== undefined) return socket;
  }
  return undefined;
}

function runtimeDirsOf({ runtimeDir, config }: DaemonPlace, deps: DaemonDoorDeps): readonly string[] {
  return runtimeDir === undefined ? deps.runtimeDirs(config) : [runtimeDir];
}

/** A runtime directory does not say where its daemon keeps its state. */
function stateDirsOf({ runtimeDir, stateDir, config }: DaemonPlace, deps: DaemonDoorDeps): readonly string[] {
  if (stateDir !== undefined) return [stateDir];
  return runtimeDir !== undefined && config === undefined ? [] : deps.stateDirs(config);
}

function notRunning(runtimeDirs: readonly string[], stateDirs?: readonly string[]): YggError {
  const looked = `looked in ${[...runtimeDirs, ...(stateDirs ?? [])].join(', ')}`;
  const instead = stateDirs?.length === 0 ? '; a stopped one is found by --state-dir' : '';
  return new YggError(
    'YGG_NOT_RUNNING',
    `No daemon of this user is running; ${looked}${instead}. Start it, name its directory with --runtime-dir, or run this as its user.`,
  );
}
