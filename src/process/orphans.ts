/**
 * Workers that a killed daemon left behind: found by their mark before any worker is started, and ended with their
 * children, so that no worker runs twice.
 */
import type { Logger } from '../base/log.ts';
import { endMarked, findMarked, markOfPlaces, type SocketPlaces } from './marked-processes.ts';
import type { ProcessEntry } from './process-table.ts';

export interface OrphansDeps extends SocketPlaces {
  readonly log: Logger;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly patience?: number;
}

/** Ends every orphan; one that cannot be ended is said and left. */
export async function endOrphans({ log, patience = 1_000, ...places }: OrphansDeps): Promise<void> {
  await endMarked({
    mark: markOfPlaces(places),
    log,
    patience,
    found: 'a worker process of an earlier daemon still runs; ending it',
    stuck: 'a worker process of an earlier daemon cannot be ended',
  });
}

/** Never `self` or one it descends from. */
export function findOrphans(places: SocketPlaces, self: number = process.pid): ProcessEntry[] {
  return findMarked(markOfPlaces(places), self);
}
