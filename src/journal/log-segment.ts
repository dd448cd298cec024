/**
 * A segment of the write-ahead log: the records in one file, from the first that was written into it to the last.
 *
 * Owns where its next record goes and who waits for a flush. A segment that could not be flushed is broken: after a
 * failed flush the system may have forgotten what it was to write, so another flush of the same file says nothing.
 */
import { writeFailure } from './disk-space.ts';
import type { LogFile } from './log-file.ts';
import { decodeRecord, headerSize, type RecordEncoder, tracesOf } from './log-record.ts';
import type { RecentWrites } from './recent-writes.ts';
import type { Write } from './store.ts';

/** Nothing begins with it. */
const blank = new Uint8Array(headerSize);

export interface LogSegmentDeps {
  /** Counts up from 1. */
  readonly number: number;
  /** Of its records: random bytes, as many as a record has place for. */
  readonly mark: Uint8Array;
  readonly file: LogFile;
  /** Takes its last words. */
  readonly recent: RecentWrites;
  /** How many records the segment before has. */
  readonly predecessor: number;
  /** A flush failed: only a checkpoint makes its writes survive a power cut. */
  readonly onBroken: () => void;
}

export class LogSegment {
  readonly number: number;
  readonly file: LogFile;
  readonly #mark: Uint8Array;
  readonly #recent: RecentWrites;
  readonly #predecessor: number;
  readonly #onBroken: () => void;
  #records = 0;
  #flushedRecords = 0;
  #size = 0;
  #highest: number;
  #isFlushing = false;
  #unflushed: Array<() => void> = [];
  #waiters: Waiter[] = [];
  #isBroken = false;

  constructor({ number, mark, file, recent, predecessor, onBroken }: LogSegmentDeps) {
    this.number = number;
    this.file = file;
    this.#mark = mark;
    this.#recent = recent;
    this.#predecessor = predecessor;
    this.#onBroken = onBroken;
    this.#highest = recent.highest;
  }

  /** How many records it has. */
  get records(): number {
    return this.#records;
  }

  /** Bytes of its records. */
  get size(): number {
    return this.#size;
  }

  /** The highest sequence of a key until its end. */
  get highest(): number {
    return this.#highest;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Takes what a process before left in the file, up to the first record that is not whole. That one was on its way when
   * the power was cut, and what lies behind it too, unless they say that it had been flushed. All of it was flushed when there
   * is a segment behind it.
   */
  replay(bytes: Buffer, isLast: boolean): ReplayedSegment {
    let predecessor = this.#predecessor;
    for (;;) {
      const record = decodeRecord(bytes, this.#size);
      if (!record || Buffer.compare(record.mark, this.#mark) !== 0 || record.number !== this.#records) break;
      predecessor = record.predecessor;
      this.#took(record.writes, record.end);
    }
    // A killed process may have left it in the system's memory only, and a flush that failed may have made the system believe
    // that it is on the disk: a flush says something only of what was written again.
    if (!isLast) this.#flushedRecords = this.#records;
    else if (this.#records > 0) this.#flush(this.file.write([bytes.subarray(0, this.#size)], 0));
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
      await this.file.write(pieces, this.#size);
    } catch (cause) {
      // All of it may be there, whatever the disk said: what was refused must not be found after a crash.
      await this.file.write([blank], this.#size).catch(() => {});
      throw writeFailure(cause);
    }
    this.#took(
      writes,
      pieces.reduce((end, piece) => end + piece.length, this.#size),
    );
    this.#unflushed.push(onFlushed);
    this.#flush();
  }

  /** Resolves when all that it has by now is flushed, or when it is broken. */
  settled(): Promise<void> {
    if (this.#isBroken || this.#flushedRecords === this.#records) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ records: this.#records, resolve });
    });
  }

  /** All of it is in the tables, and flushed there. */
  checkpointed(): void {
    for (const onFlushed of this.#unflushed.splice(0)) onFlushed();
  }

  #took(writes: readonly Write[], end: number): void {
    this.#recent.apply(this.number, writes);
    this.#highest = this.#recent.highest;
    this.#records += 1;
    this.#size = end;
  }

  #flush(written?: Promise<void>): void {
    if (this.#isFlushing || this.#isBroken) return;
    this.#isFlushing = true;
    const waiting = this.#unflushed.length;
    const records = this.#records;
    const flushed = written ? written.then(() => this.file.flush()) : this.file.flush();
    flushed.then(
      () => this.#flushed(waiting, records),
      () => this.#broke(),
    );
  }

  #flushed(waiting: number, records: number): void {
    this.#isFlushing = false;
    this.#flushedRecords = records;
    for (const onFlushed of this.#unflushed.splice(0, waiting)) onFlushed();
    this.#settle(records);
    if (this.#unflushed.length > 0) this.#flush();
  }

  #broke(): void {
    this.#isFlushing = false;
    this.#isBroken = true;
    this.#settle(this.#records);
    this.#onBroken();
  }

  #settle(records: number): void {
    const settled = this.#waiters.filter((waiter) => waiter.records <= records);
    this.#waiters = this.#waiters.filter((waiter) => waiter.records > records);
    for (const { resolve } of settled) resolve();
  }
}

interface Waiter {
  /** So many have to be flushed. */
  readonly records: number;
  readonly resolve: () => void;
}

export interface ReplayedSegment {
  /** How many records the segment before has, by what its own say. */
  readonly predecessor: number;
  /** How many records that were flushed are not there any more. */
  readonly missing: number;
}
