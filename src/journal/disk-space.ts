/**
 * Whether the disk of a journal has room, asked before each write, and what a write that failed is called.
 */
import { statfsSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

export interface Space {
  readonly free: number;
  readonly total: number;
}

/** What the file system of `directory` has room for, in bytes. */
export type MeasureSpace = (directory: string) => Space;

/** Left free by every write: another program may fill the disk between the look and the write. */
const largestReserve = 8 * 1024 * 1024;

export const measureSpace: MeasureSpace = (directory) => {
  const { bsize, blocks, bfree, bavail } = statfsSync(directory);
  // Only root may use the last blocks.
  return { free: (process.getuid?.() === 0 ? bfree : bavail) * bsize, total: blocks * bsize };
};

/**
 * Says what there is. Throws `YGG_JOURNAL_FULL` when there is no room for so many bytes and some to spare, `YGG_JOURNAL_IO`
 * when nobody knows.
 */
export function requireSpace(directory: string, bytes: number, measure: MeasureSpace): Space {
  let space: Space;
  try {
    space = measure(directory);
  } catch (cause) {
    throw new YggError('YGG_JOURNAL_IO', `${directory} cannot be looked at: ${reasonOf(cause)}`, { cause });
  }
  const needed = Math.ceil(Math.min(largestReserve, space.total / 64) + bytes);
  if (space.free >= needed) return space;
  throw new YggError(
    'YGG_JOURNAL_FULL',
    `The disk of ${directory} has ${space.free} bytes left, ${needed} are needed: make room.`,
  );
}

export interface DiskRoomDeps {
  readonly directory: string;
  readonly measure: MeasureSpace;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Milliseconds for which a look at a disk with plenty of room is good, and what is plenty. */
const lookInterval = 20;
const plenty = 64 * 1024 * 1024;

/** The room on a disk for writes that fail well when it is gone meanwhile: it is not looked at for each of them. */
export class DiskRoom {
  readonly #deps: DiskRoomDeps;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #free = 0;

  constructor(deps: DiskRoomDeps) {
    this.#deps = deps;
    try {
      this.#free = deps.measure(deps.directory).free;
    } catch {
      // The first write says it.
    }
  }

  /** Bytes, by the last look. */
  get free(): number {
    return this.#free;
  }

  /** As {@link requireSpace} does. */
  require(bytes: number): void {
    const { directory, measure, clock } = this.#deps;
    const now = clock.monotonic();
    this.#free -= bytes;
    if (now - this.#lookedAt < lookInterval && this.#free >= plenty) return;
    this.#free = requireSpace(directory, bytes, measure).free;
    this.#lookedAt = now;
  }
}

/** ENOMEM, ENFILE, EMFILE, likewise. */
const shortCodes: ReadonlySet<unknown> = new Set([12, 23, 24, 'ENOMEM', 'ENFILE', 'EMFILE']);

/** EFBIG, ENOSPC, EDQUOT as the system's numbers and as Node's words, and LMDB's own MDB_MAP_FULL. */
const fullCodes: ReadonlySet<unknown> = new Set([27, 28, 122, -30_792, 'EFBIG', 'ENOSPC', 'EDQUOT']);

/** `YGG_JOURNAL_FULL` or `YGG_JOURNAL_IO`, by what the disk said. */
export function writeFailure(cause: unknown): YggError {
  return new YggError(
    fullCodes.has(systemCodeOf(cause)) ? 'YGG_JOURNAL_FULL' : 'YGG_JOURNAL_IO',
    `The journal could not be written: ${reasonOf(cause)}`,
    { cause },
  );
}

/** Whether the machine has too little of something. That says nothing about what is on the disk. */
export function isShortage(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === 'YGG_JOURNAL_FULL' || fullCodes.has(code) || shortCodes.has(code);
}
