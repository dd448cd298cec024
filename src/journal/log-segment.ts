/**
 * A segment of the write-ahead log: the records written since the log was last turned over, and their last words.
 *
 * Owns where its next record goes and who waits for a flush. A segment that could not be flushed is broken: after a
 * failed flush the system may have forgotten what it was to write, so another flush of the same file says nothing.
 */
import { writeFailure } from './disk-space.ts';
import type { LogFile } from './log-file.ts';
import { decodeRecord, headerSize, type RecordEncoder, tracesOf } from './log-record.ts';
import { RecentWrites } from './recent-writes.ts';
import type { Write } from './store.ts';

/** Nothing begins with it. */
const blank = new Uint8Array(headerSize);

export interface LogSegmentDeps {
  /** Counts up from 1; also says which file it lies in. */
  readonly number: number;
  /** Of its records: random bytes, as many as a record has place for. */
  readonly mark: Uint8Array;
  readonly file: LogFile;
  /** How many records the segment before has, and the highest sequence of a key until then. */
  readonly predecessor: number;
  readonly floor: number;
  /** A flush failed: only a checkpoint makes its writes survive a power cut. */
  readonly onBroken: () => void;
}

export class LogSegment {
  readonly number: number;
  readonly recent: RecentWrites;
  readonly #mark: Uint8Array;
  readonly #file: LogFile;
  readonly #predecessor: number;
  readonly #onBroken: () => void;
  #records = 0;
  #flushedRecords = 0;
  #size = 0;
  #isFlushing = false;
  #unflushed: Array<() => void> = [];
  #quietWaiters: Array<() => void> = [];
  #isBroken = false;

  constructor({ number, mark, file, predecessor, floor, onBroken }: LogSegmentDeps) {
    this.number = number;
    this.#mark = mark;
    this.#file = file;
    this.#predecessor = predecessor;
    this.#onBroken = onBroken;
    this.recent = new RecentWrites(floor);
  }

  /** How many records it has. */
  get records(): number {
    return this.#records;
  }

  /** Bytes of its records. */
  get size(): number {
    return this.#size;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Takes what a process before left in the file, up to the first record that is not whole. That one was on its way when
   * the power was cut, and what lies behind it too, unless they say that it had been flushed.
   */
  replay(bytes: Buffer): ReplayedSegment {
    let predecessor = this.#predecessor;
    for (;;) {
      const record = decodeRecord(bytes, this.#size);
      if (!record || Buffer.compare(record.mark, this.#mark) !== 0 || record.number !== this.#records) break;
      predecessor = record.predecessor;
      this.recent.apply(record.writes);
      this.#records += 1;
      this.#size = record.end;
    }
    // A killed process may have left it in the system's memory only.
    if (this.#records > 0) this.#flush();
    const { flushed } = tracesOf(bytes, this.#size, this.#mark);
    return { predecessor, missing: Math.max(0, flushed - this.#records) };
  }

  /** Resolves when it survives a killed process; calls back when it survives a power cut. One at a time. */
  async append(writes: readonly Write[], encoder: RecordEncoder, onFlushed: () => void): Promise<void> {
    const place = {
      mark: this.#mark,
      segment: this.number,
      number: this.#records,
      flushed: this.#flushedRecords,
      predecessor: this.#predecessor,
    };
    const pieces = encoder.encode(place, writes);
    try {
      await this.#file.write(pieces, this.#size);
    } catch (cause) {
      // All of it may be there, whatever the disk said: what was refused must not be found after a crash.
      await this.#file.write([blank], this.#size).catch(() => {});
      throw writeFailure(cause);
    }
    this.#size += pieces.reduce((size, piece) => size + piece.length, 0);
    this.#records += 1;
    this.recent.apply(writes);
    this.#unflushed.push(onFlushed);
    this.#flush();
  }

  /** Resolves when no flush is under way: all is flushed, or it is broken. */
  quiet(): Promise<void> {
    if (!this.#isFlushing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#quietWaiters.push(resolve);
    });
  }

  /** All of it is in the tables, and flushed there. */
  checkpointed(): void {
    for (const onFlushed of this.#unflushed.splice(0)) onFlushed();
  }

  #flush(): void {
    if (this.#isFlushing || this.#isBroken) return;
    this.#isFlushing = true;
    const waiting = this.#unflushed.length;
    const records = this.#records;
    this.#file.flush().then(
      () => this.#flushed(waiting, records),
      () => this.#broke(),
    );
  }

  #flushed(waiting: number, records: number): void {
    this.#isFlushing = false;
    this.#flushedRecords = records;
    for (const onFlushed of this.#unflushed.splice(0, waiting)) onFlushed();
    if (this.#unflushed.length > 0) this.#flush();
    else this.#settle();
  }

  #broke(): void {
    this.#isFlushing = false;
    this.#isBroken = true;
    this.#settle();
    this.#onBroken();
  }

  #settle(): void {
    for (const resolve of this.#quietWaiters.splice(0)) resolve();
  }
}

export interface ReplayedSegment {
  /** How many records the segment before has, by what its own say. */
  readonly predecessor: number;
  /** How many records that were flushed are not there any more. */
  readonly missing: number;
}
