/**
 * Processes that carry a mark of ours, and what they have started: found in /proc, and ended.
 *
 * The mark is a `YGG_SOCKET_ADDR` that names one worker's socket in our runtime directory, or in that of the user whom the
 * worker runs as. A worker that somebody else started has the shared socket's name there and is never touched, and neither
 * is what another user has started with such a mark, because its children may be programs that run as root: a process has to
 * be of the user whose directory its mark names.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '../base/log.ts';
import { endProcesses } from './ending.ts';
import { listProcesses, type ProcessEntry, readProcess, readVariable, realUser } from './process-table.ts';

/** Whether a process that was started with this address is meant. */
export type Mark = (address: string, pid: number) => boolean;

/** Where the sockets of workers lie. */
export interface SocketPlaces {
  readonly runtimeDir: string;
  /** Holds one directory for each user that workers run as. */
  readonly userSocketsDir: string;
}

export interface MarkedEnding {
  readonly mark: Mark;
  readonly log: Logger;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly patience: number;
  /** What the log says of each process that is found, and of one that cannot be ended. */
  readonly found: string;
  readonly stuck: string;
}

/** Sockets that each belong to one worker: in the runtime directory, and in the one for users. */
const workerSocket = /^[^/]{8}\.s$/;
const userSocket = /^[^/]+\/[^/]{8}\.s$/;

/**
 * Milliseconds between two searches while what was found is ending: each reads two files of every process on the host, and
 * nothing else happens meanwhile.
 */
const searchInterval = 200;

/** Of every worker that is, or was, started from these places. */
export function markOfPlaces({ runtimeDir, userSocketsDir }: SocketPlaces): Mark {
  const marks = [
    { prefix: `unix:${path.resolve(runtimeDir)}/`, name: workerSocket },
    { prefix: `unix:${path.resolve(userSocketsDir)}/`, name: userSocket },
  ];
  return (address, pid) =>
    marks.some(({ prefix, name }) => address.startsWith(prefix) && name.test(address.slice(prefix.length))) &&
    isOf(path.dirname(address.slice('unix:'.length)), pid);
}

/** Of the one run of a worker that had this socket. */
export function markOfSocket(socketPath: string): Mark {
  return (address, pid) => address === `unix:${socketPath}` && isOf(path.dirname(socketPath), pid);
}

/** Processes with the mark, and their descendants; never `self` or one it descends from. */
export function findMarked(mark: Mark, self: number = process.pid): ProcessEntry[] {
  const entries = listProcesses();
  const parents = new Map(entries.map(({ pid, parent }) => [pid, parent]));
  const own = new Set(lineOf(self, parents));
  const marked = new Set(
    entries
      .filter(({ pid }) => {
        const address = own.has(pid) ? undefined : readVariable(pid, 'YGG_SOCKET_ADDR');
        return address !== undefined && mark(address, pid);
      })
      .map(({ pid }) => pid),
  );
  if (marked.size === 0) return [];
  return entries.filter(
    ({ pid }) => !own.has(pid) && lineOf(pid, parents).some((ancestor) => marked.has(ancestor)),
  );
}

/** Ends all that `findMarked` finds, each said; what cannot be ended is said and left. */
export async function endMarked({ mark, log, patience, found, stuck }: MarkedEnding): Promise<void> {
  // Kept when its parent is gone, and with it the way by which it was found.
  const known = new Map<number, ProcessEntry>();
  const living = (): ProcessEntry[] =>
    [...known.values()].filter(({ pid, startTime }) => readProcess(pid)?.startTime === startTime);
  let searchedAt = Number.NEGATIVE_INFINITY;
  const find = (): ProcessEntry[] => {
    const still = living();
    if (still.length > 0 && performance.now() - searchedAt < searchInterval) return still;
    for (const entry of findMarked(mark)) {
      if (known.has(entry.pid)) continue;
      known.set(entry.pid, entry);
      log.warn({ pid: entry.pid }, found);
    }
    searchedAt = performance.now();
    return living();
  };
  const left = await endProcesses({ find, impatience: AbortSignal.timeout(patience) });
  for (const { pid } of left) log.error({ pid }, stuck);
}

/** Whether the directory and the process belong to the same user. */
function isOf(directory: string, pid: number): boolean {
  const stats = statSync(directory, { throwIfNoEntry: false });
  return stats !== undefined && stats.uid === realUser(pid);
}

/** A process, its parent, its parent's parent, and so on. */
function lineOf(pid: number, parents: ReadonlyMap<number, number>): number[] {
  const line: number[] = [];
  for (let next: number | undefined = pid; next !== undefined && !line.includes(next); ) {
    line.push(next);
    next = parents.get(next);
  }
  return line;
}
