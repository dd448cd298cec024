/**
 * Workers that a killed daemon left behind: found before any worker is started, and ended with their children, so
 * that no worker runs twice.
 *
 * What we started is known by a mark that only it carries: a `YGG_SOCKET_ADDR` that names one worker's socket in our
 * runtime directory, or in that of the user whom it runs as. A worker that somebody else started has the shared socket's
 * name there and is never touched, and neither is what another user has started with such a mark, because its children may
 * be programs that run as root: a process has to be of the user whose directory its mark names.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '../base/log.ts';
import { endProcesses } from './ending.ts';
import { listProcesses, type ProcessEntry, readProcess, readVariable, realUser } from './process-table.ts';

/** Where the sockets of workers lie. */
export interface OrphanPlaces {
  readonly runtimeDir: string;
  /** Holds one directory for each user that workers run as. */
  readonly userSocketsDir: string;
}

export interface OrphansDeps extends OrphanPlaces {
  readonly log: Logger;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly patience?: number;
}

/** Sockets that each belong to one worker: in the runtime directory, and in the one for users. */
const workerSocket = /^[^/]{8}\.s$/;
const userSocket = /^[^/]+\/[^/]{8}\.s$/;

/** Ends every orphan; one that cannot be ended is said and left. */
export async function endOrphans({ log, patience = 1_000, ...places }: OrphansDeps): Promise<void> {
  // Kept when its parent is gone, and with it the way by which it was found.
  const known = new Map<number, ProcessEntry>();
  const find = (): ProcessEntry[] => {
    for (const entry of findOrphans(places)) {
      if (known.has(entry.pid)) continue;
      known.set(entry.pid, entry);
      log.warn({ pid: entry.pid }, 'a worker process of an earlier daemon still runs; ending it');
    }
    return [...known.values()].filter(({ pid, startTime }) => readProcess(pid)?.startTime === startTime);
  };
  const left = await endProcesses({ find, impatience: AbortSignal.timeout(patience) });
  for (const { pid } of left) log.error({ pid }, 'a worker process of an earlier daemon cannot be ended');
}

/** Processes with our mark, and their descendants; never `self` or one it descends from. */
export function findOrphans(places: OrphanPlaces, self: number = process.pid): ProcessEntry[] {
  const isOurs = markOf(places);
  const entries = listProcesses();
  const parents = new Map(entries.map(({ pid, parent }) => [pid, parent]));
  const own = new Set(lineOf(self, parents));
  const marked = new Set(
    entries
      .filter(({ pid }) => {
        const address = own.has(pid) ? undefined : readVariable(pid, 'YGG_SOCKET_ADDR');
        return address !== undefined && isOurs(address, pid);
      })
      .map(({ pid }) => pid),
  );
  if (marked.size === 0) return [];
  return entries.filter(
    ({ pid }) => !own.has(pid) && lineOf(pid, parents).some((ancestor) => marked.has(ancestor)),
  );
}

function markOf({ runtimeDir, userSocketsDir }: OrphanPlaces): (address: string, pid: number) => boolean {
  const marks = [
    { prefix: `unix:${path.resolve(runtimeDir)}/`, name: workerSocket },
    { prefix: `unix:${path.resolve(userSocketsDir)}/`, name: userSocket },
  ];
  return (address, pid) =>
    marks.some(({ prefix, name }) => address.startsWith(prefix) && name.test(address.slice(prefix.length))) &&
    isOf(path.dirname(address.slice('unix:'.length)), pid);
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
