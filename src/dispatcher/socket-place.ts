/**
 * Where the sockets between the daemon and a worker lie: in the runtime directory, which is the daemon's alone, or in
 * the directory of the user whom the worker runs as.
 *
 * What that user makes there is not trusted: instead of `connect`, which follows links wherever they lead, the daemon
 * gives the worker's socket a name of its own, in a directory where nobody can exchange it, looks at what it got, and
 * calls that.
 */
import { linkSync, lstatSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { type DirectoryOwner, ensureOwnDirectory, ensureUserDirectory } from '../host/user-directory.ts';
import { newSocketPath, removeLeftSockets, removeSocket } from '../rpc/address.ts';

export interface SocketPlaceDeps {
  readonly runtimeDirectory: string;
  /** Holds one directory for each user that workers run as. */
  readonly userSocketsDirectory: string;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly clock: Pick<Clock, 'every'>;
}

export interface SocketPlace {
  /** Of the sockets that the daemon listens on. */
  readonly mode: number;
  /** A path for a socket, of the daemon or of the worker, that nobody uses yet. */
  newPath(): string;
  /** How to call the socket that the worker makes at a path of this place. */
  reach(socket: string): WorkerSocket;
}

/** A socket that a worker makes, or will make. */
export interface WorkerSocket {
  /** What to connect to. */
  readonly path: string;
  /** Whether it is being looked for: until it is there, and again when it is lost. */
  seek(wanted: boolean): void;
  /** Forgets it and removes its file: a worker that was killed leaves it behind. */
  remove(): void;
}

/** Milliseconds between two looks at a socket that is not there yet. */
const lookInterval = 50;

/** The place of workers that run as the daemon does. */
export function ownPlace({ runtimeDirectory, random }: SocketPlaceDeps): SocketPlace {
  return {
    mode: 0o600,
    newPath: () => newSocketPath(runtimeDirectory, random),
    reach: (socket) => ({ path: socket, seek() {}, remove: () => removeSocket(socket) }),
  };
}

/** The place of workers that run as another user; throws as `ensureUserDirectory`. */
export function userPlace(deps: SocketPlaceDeps, owner: DirectoryOwner): SocketPlace {
  const { userSocketsDirectory, random, clock } = deps;
  const directory = ensureUserDirectory(userSocketsDirectory, owner);
  const ownDirectory = ensureOwnDirectory(userSocketsDirectory);
  return {
    // The directory keeps others out. A `chown` instead could be led astray: in this directory the user may put
    // something else in the socket's place at any moment.
    mode: 0o666,
    newPath: () => newSocketPath(directory, random),
    reach: (socket) => new ForeignSocket(socket, newSocketPath(ownDirectory, random), owner.uid, clock),
  };
}

/** Removes what a killed daemon left in either kind of place. */
export function clearPlaces({ runtimeDirectory, userSocketsDirectory }: SocketPlaceDeps): void {
  removeLeftSockets(runtimeDirectory);
  const base = lstatSync(userSocketsDirectory, { throwIfNoEntry: false });
  // One that is not ours is said when a worker needs it.
  if (!base?.isDirectory() || base.uid !== process.getuid?.()) return;
  for (const entry of readdirSync(userSocketsDirectory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeLeftSockets(path.join(userSocketsDirectory, entry.name));
  }
}

/** Keeps our own name for a socket in a directory that belongs to somebody else. */
class ForeignSocket implements WorkerSocket {
  readonly path: string;
  readonly #theirs: string;
  readonly #uid: number;
  readonly #clock: Pick<Clock, 'every'>;
  #timer: Timer | undefined;

  constructor(theirs: string, ours: string, uid: number, clock: Pick<Clock, 'every'>) {
    this.path = ours;
    this.#theirs = theirs;
    this.#uid = uid;
    this.#clock = clock;
  }

  seek(wanted: boolean): void {
    if (wanted) this.#timer ??= this.#clock.every(lookInterval, () => this.#look());
    else this.#stop();
  }

  remove(): void {
    this.#stop();
    removeSocket(this.#theirs);
    removeSocket(this.path);
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A hard link names the thing itself, so what is looked at here cannot be exchanged afterwards. */
  #look(): void {
    const draft = `${this.path}.new`;
    try {
      linkSync(this.#theirs, draft);
    } catch {
      // Not there yet.
      return;
    }
    const found = lstatSync(draft);
    const before = lstatSync(this.path, { throwIfNoEntry: false });
    const isFit = found.isSocket() && found.uid === this.#uid;
    // Renamed over a name of the same file nothing happens, and both names stay.
    if (isFit && found.ino !== before?.ino) renameSync(draft, this.path);
    else removeSocket(draft);
  }
}
