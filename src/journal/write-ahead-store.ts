/**
 * A store whose writes go to a log first: one record each, which is in its file in a fraction of the time that tables
 * take, and flushed while the next ones are written. Its last words stay in memory. What still holds when there is no more
 * room for them, here or in the log, is moved to the tables (a checkpoint), oldest first.
 *
 * Owns the log's files, which its segments use in turn, and the order of segments:
 * - A segment is begun only when the one before is flushed or checkpointed: a power cut leaves a beginning of the log.
 * - A checkpoint takes several transactions, so it begins only when its segment is flushed; that of a segment that cannot
 *   be flushed is one transaction.
 * - A file is used again only when the segment in it is checkpointed.
 * - Nothing is written before the tables have flushed the checkpoint that was found in them: a killed process may have
 *   left it in the system's memory only, and its segment nowhere else.
 * - What a process before left is replayed into memory. Nothing is written behind it: what lies there, torn, could be taken
 *   for its continuation.
 */
import type { Clock } from '../base/clock.ts';
import { Checkpoints, readCheckpoint } from './checkpoints.ts';
import { DiskRoom, type MeasureSpace, measureSpace } from './disk-space.ts';
import { LayeredPages } from './layered-pages.ts';
import type { LogFile } from './log-file.ts';
import { LogFiles, unreadable } from './log-files.ts';
import { markSize, RecordEncoder } from './log-record.ts';
import { LogSegment } from './log-segment.ts';
import { RecentWrites } from './recent-writes.ts';
import type { Entry, Key, Range, Store, Write, Written } from './store.ts';

export interface WriteAheadStoreDeps {
  /** Where the log lies; exists and is ours alone. */
  readonly directory: string;
  /** Has a table `checkpoint` besides those that are written. Closed with this. */
  readonly tables: Store;
  /** The highest sequence of a key in them, for tables that no checkpoint was made to yet. */
  readonly highest: number;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Writes that had been flushed cannot be read any more. */
  readonly onDamaged: (file: string, reason: string) => void;
  readonly limits?: LogLimits;
  readonly space?: MeasureSpace;
}

/** The oldest segment is moved to the tables when more would be taken of one of them. */
export interface LogLimits {
  /** Last words in memory. */
  readonly words: number;
  /** Bytes of their values. */
  readonly bytes: number;
  /** Files, with one segment each. */
  readonly files: number;
  /** Bytes in one file. */
  readonly size: number;
  /** Writes in one transaction to the tables: a longer one holds up the event loop. */
  readonly step: number;
}

const mebibyte = 1024 * 1024;
const usualLimits: LogLimits = {
  words: 131_072,
  bytes: 2 * mebibyte,
  files: 8,
  size: 4 * mebibyte,
  step: 256,
};
/** How much further a segment and the memory go while the tables take what is too much. */
const overtime = 2;
/** The log takes one part in so many of the room that the disk has, or two files. */
const shareOfRoom = 16;
/** A larger file gives its room back once its segment is checkpointed. */
const roomKept = 2;
/** Milliseconds that `close` waits for the tables. */
const closeDeadline = 3_000;

export class WriteAheadStore implements Store {
  readonly #tables: Store;
  readonly #clock: Clock;
  readonly #randomBytes: WriteAheadStoreDeps['randomBytes'];
  readonly #onDamaged: WriteAheadStoreDeps['onDamaged'];
  readonly #limits: LogLimits;
  readonly #room: DiskRoom;
  readonly #files: LogFiles;
  readonly #checkpoints: Checkpoints;
  readonly #recent: RecentWrites;
  readonly #encoder = new RecordEncoder();
  readonly #pages = new LayeredPages();
  /** Takes the records; not set until something is written, and while none may be begun. */
  #active: LogSegment | undefined;
  /** Of the last segment: its number, and how many records it has. */
  #last: { readonly number: number; readonly records: number };
  #isAppending = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: WriteAheadStoreDeps) {
    const {
      directory,
      tables,
      clock,
      randomBytes,
      onDamaged,
      limits = usualLimits,
      space = measureSpace,
    } = deps;
    this.#tables = tables;
    this.#clock = clock;
    this.#randomBytes = randomBytes;
    this.#onDamaged = onDamaged;
    this.#limits = limits;
    this.#room = new DiskRoom({ directory, measure: space, clock });
    this.#files = new LogFiles({ directory, onDamaged });
    const found = readCheckpoint(tables);
    this.#recent = new RecentWrites(found?.highest ?? deps.highest);
    this.#checkpoints = new Checkpoints({
      tables,
      found,
      clock,
      recent: this.#recent,
      step: limits.step,
      isDue: () => this.#isMoveDue(),
      latest: () => this.#active ?? this.#checkpoints.segments.at(-1),
      onDone: (segment) => this.#onCheckpoint(segment),
    });
    this.#last = { number: found?.segment ?? 0, records: 0 };
    this.#replay();
  }

  get(table: string, key: Key): Uint8Array | undefined {
    const recent = this.#recent.table(table)?.get(key);
    if (recent !== undefined) return recent ?? undefined;
    return this.#recent.mayBeMoved(key) ? this.#tables.get(table, key) : undefined;
  }

  page<K extends Key>(table: string, range: Range<K>): readonly Entry<K>[] {
    const recent = this.#recent.table(table);
    const read = (wanted: Range<K>): readonly Entry<K>[] =>
      this.#recent.mayBeMoved(wanted.after) ? this.#tables.page(table, wanted) : [];
    return recent ? this.#pages.page(table, range, recent, read) : read(range);
  }

  write(writes: readonly Write[]): Written {
    let onFlushed: () => void = () => {};
    const flushed = new Promise<void>((resolve) => {
      onFlushed = resolve;
    });
    const committed = this.#append(writes, onFlushed);
    this.#writing = committed.catch(() => {});
    return { committed, flushed };
  }

  async close(): Promise<void> {
    const deadline = this.#clock.after(closeDeadline, () => this.#checkpoints.giveUp());
    await this.#writing;
    if (this.#active) this.#seal(this.#active);
    await this.#checkpoints.close();
    deadline.cancel();
    await this.#tables.close();
    await this.#files.close();
  }

  async #append(writes: readonly Write[], onFlushed: () => void): Promise<void> {
    let bytes = 0;
    for (const { value } of writes) bytes += value?.length ?? 0;
    this.#room.require(2 * bytes);
    // From here on, and not only from the append on: nobody seals the segment in the steps between the two.
    this.#isAppending = true;
    try {
      const segment = await this.#openSegment();
      await segment.append(writes, this.#encoder, onFlushed);
    } finally {
      this.#isAppending = false;
      this.#sealIfDue();
    }
  }

  /** The one that takes records; waits for checkpoints when there has to be a new one. */
  async #openSegment(): Promise<LogSegment> {
    while (!this.#active) {
      await this.#checkpoints.segments.at(-1)?.settled();
      const file = this.#mayBegin() ? this.#freeFile() : undefined;
      if (file) this.#active = this.#segment(this.#last.number + 1, this.#randomBytes(markSize), file);
      else await this.#checkpoints.next();
    }
    return this.#active;
  }

  #mayBegin(): boolean {
    const { segments, isConfirmed } = this.#checkpoints;
    return isConfirmed && !segments.some(({ isBroken }) => isBroken) && !this.#isOver(overtime);
  }

  #freeFile(): LogFile | undefined {
    const taken = new Set(this.#checkpoints.segments.map(({ file }) => file));
    return this.#files.free(taken, this.#filesAllowed);
  }

  #segment(number: number, mark: Uint8Array, file: LogFile): LogSegment {
    return new LogSegment({
      number,
      mark,
      file,
      recent: this.#recent,
      predecessor: this.#last.records,
      onBroken: () => this.#sealIfDue(),
    });
  }

  /** On a disk with little room the log takes little of it. */
  get #filesAllowed(): number {
    const { files, size } = this.#limits;
    return Math.max(2, Math.min(files, Math.floor(this.#room.free / (shareOfRoom * size))));
  }

  /** Whether the memory holds more than its limits. */
  #isOver(factor: number): boolean {
    const { words, bytes } = this.#limits;
    return this.#recent.count > factor * words || this.#recent.bytes > factor * bytes;
  }

  /** The memory needs room, or the segment after the next a file: after a crash there is one at once. */
  #isMoveDue(): boolean {
    return this.#checkpoints.segments.length >= Math.max(1, this.#filesAllowed - 2) || this.#isOver(1);
  }

  /** A segment that is full or broken takes no more records; the one that is on its way belongs to it. */
  #sealIfDue(): void {
    const active = this.#active;
    if (active && !this.#isAppending && this.#isSealDue(active)) this.#seal(active);
    else this.#checkpoints.moveIfDue();
  }

  #isSealDue({ isBroken, size }: LogSegment): boolean {
    const { segments } = this.#checkpoints;
    const limit = this.#limits.size;
    if (isBroken || this.#isOver(segments.length > 0 ? overtime : 1)) return true;
    return size >= (segments.length < this.#filesAllowed - 1 ? limit : overtime * limit);
  }

  #seal(segment: LogSegment): void {
    this.#active = undefined;
    this.#ended(segment);
    this.#checkpoints.add(segment);
  }

  #ended({ number, records }: LogSegment): void {
    this.#last = { number, records };
  }

  #onCheckpoint({ file, size }: LogSegment): void {
    this.#pages.forget();
    const isSpare = this.#files.isSpare(file, this.#filesAllowed);
    if (isSpare || size > roomKept * this.#limits.size) empty(file);
    this.#sealIfDue();
  }

  /** Reads what the process before wrote and did not move to the tables. */
  #replay(): void {
    const checkpointed = this.#last.number;
    const left = this.#files.left(checkpointed);
    for (const [index, { file, name, number, mark }] of left.entries()) {
      const segment = this.#segment(number, mark, file);
      const { predecessor, missing } = segment.replay(file.read(), index === left.length - 1);
      const isNext = number === this.#last.number + 1;
      // Of the segment before the first one nothing is left but the checkpoint.
      const before = number === checkpointed + 1 ? predecessor : this.#last.records;
      if (!isNext || before < predecessor) {
        this.#onDamaged(name, `Writes before segment ${number} are missing.`);
      }
      if (missing > 0) this.#onDamaged(name, unreadable(missing, number));
      // A journal of version 2 does not say that a checkpoint of the first one had begun.
      if (index === 0) this.#recent.raiseFloor(segment.highest);
      this.#ended(segment);
      this.#checkpoints.add(segment);
    }
  }
}

function empty(file: LogFile): void {
  try {
    file.empty();
  } catch {
    // What cannot be given back is written over.
  }
}
