/**
 * Moves what only the log has to the tables, segment by segment, oldest first, and tries until it is done.
 *
 * Owns the segments that take no more records. Only last words are moved: what a later segment says anew is left to that one,
 * so the tables say that a segment is done only when that is flushed too. A crash in between hurts nobody: the segment is
 * still in the log, and to write the same last words once more changes nothing.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { LogSegment } from './log-segment.ts';
import type { RecentWrites } from './recent-writes.ts';
import { sealFields, unsealFields } from './record.ts';
import type { Store, Write, Written } from './store.ts';

/** The table in which a checkpoint says how far it came. */
export const checkpointTable = 'checkpoint';
const checkpointKey = 0;

export interface Checkpoint {
  /** The last segment whose writes are all in the tables. */
  readonly segment: number;
  /** The highest sequence of a key that may be in the tables. */
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
  readonly recent: RecentWrites;
  /** Writes in one transaction at most, likewise. */
  readonly step: number;
  /** Whether the oldest segment is to be moved now. */
  readonly isDue: () => boolean;
  /** The one that has the last records of all. */
  readonly latest: () => LogSegment | undefined;
  /** What was in this segment is in the tables now. */
  readonly onDone: (segment: LogSegment) => void;
}

/** Bytes of values in one transaction at most: a longer one holds up the event loop. */
const stepBytes = 512 * 1024;
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
  #isEnding = false;
  #closed = false;
  #isAbandoned = false;
  #abandon: () => void = () => {};
  readonly #abandoned = new Promise<void>((resolve) => {
    this.#abandon = resolve;
  });

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps;
    this.#unconfirmed = deps.found;
    if (deps.found) this.moveIfDue();
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
    this.moveIfDue();
  }

  /** To be called whenever something may have become due. */
  moveIfDue(): void {
    if (this.#running || this.#retry || this.#closed) return;
    if (this.#unconfirmed || this.#next()) this.#running = this.#moveAll();
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
    this.#isEnding = true;
    if (this.#failure === undefined) this.moveIfDue();
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

  /** With the one that it gives back, all before it are moved. */
  #next(): LogSegment | undefined {
    const last = this.#segments.at(-1);
    if (last?.isBroken || this.#isEnding) return last;
    return this.#deps.isDue() ? this.#segments[0] : undefined;
  }

  async #moveAll(): Promise<void> {
    try {
      if (this.#unconfirmed) {
        await this.#flush([], this.#unconfirmed);
        this.#unconfirmed = undefined;
        this.#onSucceeded();
      }
      for (let next = this.#next(); next; next = this.#next()) {
        if (await this.#move(next)) this.#done(next);
        // The one that keeps it back is broken and takes its last record: when it comes, everything is moved with it.
        else if (!this.#segments.at(-1)?.isBroken) break;
      }
    } catch (error) {
      this.#onFailed(error);
    } finally {
      // In the same step in which nothing was left: whatever is added after it runs again.
      this.#running = undefined;
    }
  }

  /** Says whether it and all before it are in the tables. */
  async #move(target: LogSegment): Promise<boolean> {
    const { recent, latest, step } = this.#deps;
    await target.settled();
    recent.raiseFloor(target.highest);
    const before = { segment: this.#segments[0] ? this.#segments[0].number - 1 : 0, highest: target.highest };
    let writes: Write[] = [];
    let bytes = 0;
    // What could not be flushed is moved in one transaction.
    const inSteps = target.isBroken ? target.number - 1 : target.number;
    for (const write of recent.writes(0, inSteps)) {
      writes.push(write);
      bytes += write.value?.length ?? 0;
      if (writes.length < step && bytes < stepBytes) continue;
      await this.#write(writes, before).committed;
      this.#requireTables();
      writes = [];
      bytes = 0;
    }
    if (target.isBroken) writes.push(...recent.writes(inSteps, target.number));
    else await latest()?.settled();
    if (!target.isBroken && latest()?.isBroken) return false;
    await this.#flush(writes, { segment: target.number, highest: target.highest });
    return true;
  }

  /** Its flush is also that of all transactions before. */
  async #flush(writes: readonly Write[], checkpoint: Checkpoint): Promise<void> {
    const { committed, flushed } = this.#write(writes, checkpoint);
    await committed;
    await flushed;
    this.#requireTables();
  }

  /** Says with each write what may be in the tables after it. */
  #write(writes: readonly Write[], { segment, highest }: Checkpoint): Written {
    const value = sealFields([segment, highest]);
    return this.#deps.tables.write([...writes, { table: checkpointTable, key: checkpointKey, value }]);
  }

  #done({ number }: LogSegment): void {
    this.#deps.recent.forget(number);
    for (let first = this.#segments[0]; first && first.number <= number; first = this.#segments[0]) {
      this.#segments.shift();
      first.checkpointed();
      this.#deps.onDone(first);
    }
    this.#onSucceeded();
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
      this.moveIfDue();
    });
  }
}
