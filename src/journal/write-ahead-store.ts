/**
 * A store whose writes go to a log first: one record each, which is in its file in a fraction of the time that tables
 * take, and flushed while the next ones are written. What still holds after some thousands of them is moved to the tables
 * (a checkpoint).
 *
 * Owns the log's two files, which its segments use in turn, and the order of segments:
 * - A segment is begun only when the one before is flushed or checkpointed: a power cut leaves a beginning of the log.
 * - A checkpoint takes several transactions, so it begins only when its segment is flushed; that of a segment that cannot
 *   be flushed is one transaction.
 * - A file is used again only when the segment in it is checkpointed.
 * - Nothing is written before the tables have flushed the checkpoint that was found in them: a killed process may have
 *   left it in the system's memory only, and its segment nowhere else.
 * - What a process before left is replayed into memory and checkpointed. Nothing is written behind it: what lies there,
 *   torn, could be taken for its continuation.
 */
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import { Checkpoints, readCheckpoint } from './checkpoints.ts';
import { type MeasureSpace, measureSpace, requireSpace } from './disk-space.ts';
import { LayeredPages } from './layered-pages.ts';
import { type LogFile, openLogFile } from './log-file.ts';
import { decodeRecord, markSize, RecordEncoder, tracesOf } from './log-record.ts';
import { LogSegment } from './log-segment.ts';
import type { RecentTable } from './recent-writes.ts';
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
  readonly limits?: SegmentLimits;
  readonly space?: MeasureSpace;
}

/** A segment that has more of one of them is full. */
export interface SegmentLimits {
  /** Keys that were written. */
  readonly writes: number;
  /** Bytes of their values, which are kept in memory. */
  readonly bytes: number;
  /** Bytes in the file. */
  readonly size: number;
}

const usualLimits: SegmentLimits = { writes: 4_096, bytes: 2 * 1024 * 1024, size: 8 * 1024 * 1024 };
/** How much further a segment goes while the one before is not in the tables. */
const overtime = 2;
/** A larger file gives its room back once its segment is checkpointed. */
const roomKept = 4;
/** Milliseconds that `close` waits for the tables. */
const closeDeadline = 3_000;

export const logFiles: readonly [string, string] = ['log.0', 'log.1'];

export class WriteAheadStore implements Store {
  readonly #directory: string;
  readonly #tables: Store;
  readonly #clock: Clock;
  readonly #randomBytes: WriteAheadStoreDeps['randomBytes'];
  readonly #onDamaged: WriteAheadStoreDeps['onDamaged'];
  readonly #limits: SegmentLimits;
  readonly #space: MeasureSpace;
  readonly #files: readonly LogFile[];
  readonly #checkpoints: Checkpoints;
  readonly #encoder = new RecordEncoder();
  readonly #pages = new LayeredPages();
  /** Takes the records; not set until something is written, and while none may be begun. */
  #active: LogSegment | undefined;
  /** Of the last segment: its number, how many records it has, and the highest sequence until its end. */
  #last: { readonly number: number; readonly records: number; readonly highest: number };
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
    this.#directory = directory;
    this.#tables = tables;
    this.#clock = clock;
    this.#randomBytes = randomBytes;
    this.#onDamaged = onDamaged;
    this.#limits = limits;
    this.#space = space;
    this.#files = logFiles.map((name) => openLogFile(path.join(directory, name)));
    const found = readCheckpoint(tables);
    const onDone = (segment: LogSegment): void => this.#onCheckpoint(segment);
    this.#checkpoints = new Checkpoints({ tables, found, clock, onDone });
    const { segment: number, highest } = found ?? { segment: 0, highest: deps.highest };
    this.#last = { number, records: 0, highest };
    this.#replay();
  }

  get(table: string, key: Key): Uint8Array | undefined {
    for (const segment of this.#segments()) {
      const recent = segment.recent.get(table, key);
      if (recent) return recent.value;
    }
    return this.#tables.get(table, key);
  }

  page<K extends Key>(table: string, range: Range<K>): readonly Entry<K>[] {
    const layers: RecentTable[] = [];
    for (const segment of this.#segments()) {
      const recent = segment.recent.table(table);
      if (recent) layers.push(recent);
    }
    const read = (wanted: Range<K>): readonly Entry<K>[] => this.#tables.page(table, wanted);
    return layers.length === 0 ? read(range) : this.#pages.page(table, range, layers, read);
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
    for (const file of this.#files) await file.close();
  }

  /** Newest first. */
  *#segments(): Iterable<LogSegment> {
    if (this.#active) yield this.#active;
    const { segments } = this.#checkpoints;
    for (let at = segments.length - 1; at >= 0; at--) {
      const segment = segments[at];
      if (segment) yield segment;
    }
  }

  async #append(writes: readonly Write[], onFlushed: () => void): Promise<void> {
    let bytes = 0;
    for (const { value } of writes) bytes += value?.length ?? 0;
    requireSpace(this.#directory, 2 * bytes, this.#space);
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
      const number = this.#last.number + 1;
      const before = this.#checkpoints.segments.at(-1);
      await before?.quiet();
      if (this.#mayBegin(number)) this.#active = this.#segment(number, this.#randomBytes(markSize));
      else await this.#checkpoints.next();
    }
    return this.#active;
  }

  #mayBegin(number: number): boolean {
    if (!this.#checkpoints.isConfirmed) return false;
    let bytes = 0;
    for (const segment of this.#checkpoints.segments) {
      if (segment.isBroken || segment.number === number - this.#files.length) return false;
      bytes += segment.recent.bytes;
    }
    return bytes <= overtime * this.#limits.bytes;
  }

  #segment(number: number, mark: Uint8Array): LogSegment {
    const { records: predecessor, highest: floor } = this.#last;
    return new LogSegment({
      number,
      mark,
      file: this.#fileOf(number),
      predecessor,
      floor,
      onBroken: () => this.#sealIfDue(),
    });
  }

  /** A segment that is full or broken takes no more records; the one that is on its way belongs to it. */
  #sealIfDue(): void {
    const active = this.#active;
    if (!active || this.#isAppending) return;
    const factor = this.#checkpoints.segments.length > 0 ? overtime : 1;
    const { writes, bytes, size } = this.#limits;
    const isDue =
      active.isBroken ||
      active.recent.count >= factor * writes ||
      active.recent.bytes >= factor * bytes ||
      active.size >= factor * size;
    if (isDue) this.#seal(active);
  }

  #seal(segment: LogSegment): void {
    this.#active = undefined;
    this.#ended(segment);
    this.#checkpoints.add(segment);
  }

  #ended({ number, records, recent }: LogSegment): void {
    this.#last = { number, records, highest: recent.highest };
  }

  #onCheckpoint(segment: LogSegment): void {
    this.#pages.forget();
    if (segment.size > roomKept * this.#limits.size) this.#empty(this.#fileOf(segment.number));
    this.#sealIfDue();
  }

  #empty(file: LogFile): void {
    try {
      file.empty();
    } catch {
      // What cannot be given back is written over.
    }
  }

  #fileOf(number: number): LogFile {
    const file = this.#files[number % this.#files.length];
    if (!file) throw new YggError('YGG_INTERNAL', `The log has no file for segment ${number}.`);
    return file;
  }

  /** Reads what the process before wrote and did not move to the tables. */
  #replay(): void {
    const checkpointed = this.#last.number;
    const left = this.#files
      .map((file, index) => {
        const bytes = file.read();
        const mark = Uint8Array.from(bytes.subarray(0, markSize));
        const first = decodeRecord(bytes, 0);
        if (!first) this.#lookForTraces(index, bytes, mark, checkpointed);
        return { bytes, number: first?.segment ?? 0, mark };
      })
      .filter(({ number }) => number > checkpointed)
      .sort((a, b) => a.number - b.number);
    for (const { bytes, number, mark } of left) {
      const segment = this.#segment(number, mark);
      const { predecessor, missing } = segment.replay(bytes);
      const name = logFiles[number % logFiles.length] ?? '';
      const isNext = number === this.#last.number + 1;
      // Of the segment before the first one nothing is left but the checkpoint.
      const before = number === checkpointed + 1 ? predecessor : this.#last.records;
      if (!isNext || before < predecessor) {
        this.#onDamaged(name, `Writes before segment ${number} are missing.`);
      }
      if (missing > 0) this.#onDamaged(name, unreadable(missing, number));
      this.#ended(segment);
      this.#checkpoints.add(segment);
    }
  }

  /** A segment whose first record is not whole has none; a power cut leaves one so only when nothing was flushed. */
  #lookForTraces(index: number, bytes: Buffer, mark: Uint8Array, checkpointed: number): void {
    const { segment, flushed } = tracesOf(bytes, 0, mark);
    if (segment <= checkpointed || flushed === 0) return;
    this.#onDamaged(logFiles[index] ?? '', unreadable(flushed, segment));
  }
}

function unreadable(writes: number, segment: number): string {
  return `${writes} flushed writes of segment ${segment} cannot be read.`;
}
