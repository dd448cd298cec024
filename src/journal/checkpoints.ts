/**
 * Moves the last words of segments that take no more records to the tables, oldest first, and tries until it is done.
 *
 * Owns the segments that wait for that. A crash in between hurts nobody: the segment is still in the log, and to write the
 * same last words once more changes nothing.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { LogSegment } from './log-segment.ts';
import { sealFields, unsealFields } from './record.ts';
import type { Store, Write } from './store.ts';

/** The table in which a checkpoint says how far it came. */
export const checkpointTable = 'checkpoint';
const checkpointKey = 0;

export interface Checkpoint {
  /** The last segment whose writes are all in the tables. */
  readonly segment: number;
  /** The highest sequence of a key until then. */
  readonly highest: number;
}

/** `undefined` when there was none yet. */
export function readCheckpoint(tables: Store): Checkpoint | undefined {
  const record = tables.get(checkpointTable, checkpointKey);
  if (!record) return undefined;
  const fields = unsealFields(record);
  return { segment: fields.number(), highest: fields.number() };
}

export interface CheckpointsDeps {
  readonly tables: Store;
  /** What {@link readCheckpoint} said at the start. */
  readonly found: Checkpoint | undefined;
  readonly clock: Clock;
  /** What was in this segment is in the tables now. */
  readonly onDone: (segment: LogSegment) => void;
}

/** Writes, and bytes of their values, in one transaction at most: a longer one holds up the event loop. */
const step = { writes: 256, bytes: 512 * 1024 };
/** Milliseconds between tries. */
const retryDelay = 1_000;

export class Checkpoints {
  readonly #deps: CheckpointsDeps;
  readonly #segments: LogSegment[] = [];
  /** The checkpoint of a process before, until it is known to be flushed. */
  #unconfirmed: Checkpoint | undefined;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  /** Why the last try failed; `undefined` while nothing is wrong. */
  #failure: unknown;
  #waiters: Array<{ readonly resolve: () => void; readonly reject: (reason: unknown) => void }> = [];
  #closed = false;
  #isAbandoned = false;
  #abandon: () => void = () => {};
  readonly #abandoned = new Promise<void>((resolve) => {
    this.#abandon = resolve;
  });

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps;
    this.#unconfirmed = deps.found;
    if (deps.found) this.#run();
  }

  /** The tables survive a power cut as they were found. */
  get isConfirmed(): boolean {
    return this.#unconfirmed === undefined;
  }

  /** Those that wait, oldest first. */
  get segments(): readonly LogSegment[] {
    return this.#segments;
  }

  add(segment: LogSegment): void {
    this.#segments.push(segment);
    this.#run();
  }

  /** Resolves when the next one is done; rejects when that fails, or failed and was not tried again since. */
  next(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Resolves when all are done, when one failed, or after {@link giveUp}: what is left stays in the log. */
  async close(): Promise<void> {
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#failure === undefined) this.#run();
    this.#closed = true;
    await Promise.race([this.#running, this.#abandoned]);
  }

  /** Whoever waits for the tables waits no longer. */
  giveUp(): void {
    this.#closed = true;
    this.#isAbandoned = true;
    this.#refuse(new YggError('YGG_CLOSED', 'The journal was closed before its tables took everything.'));
    this.#abandon();
  }

  #run(): void {
    if (this.#running || this.#retry || this.#closed) return;
    if (this.#unconfirmed || this.#segments.length > 0) this.#running = this.#moveAll();
  }

  async #moveAll(): Promise<void> {
    try {
      if (this.#unconfirmed) {
        await this.#finish(this.#unconfirmed, []);
        this.#unconfirmed = undefined;
        this.#onSucceeded();
      }
      for (let segment = this.#segments[0]; segment; segment = this.#segments[0]) {
        await this.#move(segment);
        this.#segments.shift();
        segment.checkpointed();
        this.#deps.onDone(segment);
        this.#onSucceeded();
      }
    } catch (error) {
      this.#onFailed(error);
    } finally {
      // In the same step in which nothing was left: whatever is added after it runs again.
      this.#running = undefined;
    }
  }

  async #move(segment: LogSegment): Promise<void> {
    await segment.quiet();
    let writes: Write[] = [];
    let bytes = 0;
    for (const write of segment.recent.writes()) {
      writes.push(write);
      bytes += write.value?.length ?? 0;
      if (segment.isBroken || (writes.length < step.writes && bytes < step.bytes)) continue;
      await this.#deps.tables.write(writes).committed;
      this.#requireTables();
      writes = [];
      bytes = 0;
    }
    await this.#finish({ segment: segment.number, highest: segment.recent.highest }, writes);
  }

  /** The last transaction of a checkpoint; its flush is also that of those before. */
  async #finish({ segment, highest }: Checkpoint, writes: readonly Write[]): Promise<void> {
    const value = sealFields([segment, highest]);
    const last = { table: checkpointTable, key: checkpointKey, value };
    const { committed, flushed } = this.#deps.tables.write([...writes, last]);
    await committed;
    await flushed;
    this.#requireTables();
  }

  /** They may have been closed while nobody waited any more. */
  #requireTables(): void {
    if (this.#isAbandoned) throw this.#failure;
  }

  #onSucceeded(): void {
    this.#failure = undefined;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  #refuse(reason: unknown): void {
    this.#failure = reason;
    for (const { reject } of this.#waiters.splice(0)) reject(reason);
  }

  #onFailed(error: unknown): void {
    this.#refuse(error);
    if (this.#closed) return;
    this.#retry = this.#deps.clock.after(retryDelay, () => {
      this.#retry = undefined;
      this.#run();
    });
  }
}
