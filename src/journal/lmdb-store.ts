/**
 * The store on LMDB: one environment, one named database per table, one transaction per write.
 *
 * Four things about lmdb 3.5.6 shape this file (test/unit/contracts/lmdb.test.ts holds them):
 * - Writes made inside `batch`, with event-turn batching off, are one transaction behind one promise. With
 *   event-turn batching lmdb makes a second promise that it gives to nobody; when a commit fails, that one ends the
 *   process as an unhandled rejection.
 * - A failed commit rejects with an error whose `commitError` is a promise that rejects with the cause.
 * - A commit whose flush fails is reported as failed, though it can be read.
 * - When the file cannot grow, lmdb writes its error text past the end of a buffer, and the process may abort. So a
 *   transaction is begun only when the file system has room for it.
 */
import { chmodSync } from 'node:fs';
import path from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import { type MeasureSpace, measureSpace, requireSpace, writeFailure } from './disk-space.ts';
import { dataFile, type LmdbKey, lockFile, openEnvironment } from './lmdb-environment.ts';
import {
  compareKeys,
  type Entry,
  type Key,
  type Range,
  type Store,
  type Write,
  type Written,
} from './store.ts';

export interface LmdbStoreDeps {
  /** Exists and is ours alone. */
  readonly directory: string;
  /** Names of the tables. */
  readonly tables: readonly string[];
  readonly clock: Clock;
  readonly space?: MeasureSpace;
}

/** LMDB copies the pages on the way to what it changes: this is more than it takes. */
const bytesPerWrite = 4 * 4_096;
/** Milliseconds between tries to flush what was committed and not flushed. */
const flushRetry = 1_000;
/** Where the store counts its transactions, to find out what became of one that failed. */
const countTable = 'transactions';
const countKey = 0;
/** Written only to have something to flush. */
const flushKey = 1;

export class LmdbStore implements Store {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #space: MeasureSpace;
  readonly #root: RootDatabase<Uint8Array, LmdbKey>;
  readonly #tables = new Map<string, Database<Uint8Array, LmdbKey>>();
  #count = 0;
  /** Of transactions that were committed and could not be flushed. */
  #unflushed: Array<() => void> = [];
  #flushRetry: Timer | undefined;

  constructor({ directory, tables, clock, space = measureSpace }: LmdbStoreDeps) {
    this.#directory = directory;
    this.#clock = clock;
    this.#space = space;
    this.#root = openEnvironment(directory, false);
    try {
      const there = new Set<unknown>(this.#root.getKeys());
      const missing = [countTable, ...tables].filter((name) => !there.has(name)).length;
      if (missing > 0) requireSpace(directory, missing * bytesPerWrite, space);
      // To make a table is a transaction with a flush: all that a new journal needs are made in one.
      this.#root.transactionSync(() => {
        for (const name of [countTable, ...tables]) {
          this.#tables.set(name, this.#root.openDB<Uint8Array, LmdbKey>({ name, encoding: 'binary' }));
        }
      });
      // lmdb asks for 0664 and the umask decides.
      for (const file of [dataFile, lockFile]) chmodSync(path.join(directory, file), 0o600);
      this.#count = this.#countOnDisk();
    } catch (error) {
      void this.#root.close();
      throw error;
    }
  }

  get(table: string, key: Key): Uint8Array | undefined {
    try {
      return this.#table(table).getBinary(lmdbKey(key));
    } catch (cause) {
      throw unreadable(table, cause);
    }
  }

  page<K extends Key>(table: string, { after, before, limit, newestFirst }: Range<K>): readonly Entry<K>[] {
    const [start, end] = newestFirst ? [before, after] : [after, before];
    const entries: Entry<K>[] = [];
    try {
      // One more, for `start` itself, which lmdb includes.
      const range = {
        start: lmdbKey(start),
        end: lmdbKey(end),
        limit: limit + 1,
        reverse: newestFirst === true,
      };
      for (const { key, value } of this.#table(table).getRange(range)) {
        if (entries.length === limit) break;
        // A table gives back the kind of keys it was given.
        if (compareKeys(key, start) !== 0) entries.push({ key: key as Key as K, value });
      }
    } catch (cause) {
      throw unreadable(table, cause);
    }
    return entries;
  }

  write(writes: readonly Write[]): Written {
    let flush: () => void = () => {};
    const flushed = new Promise<void>((resolve) => {
      flush = resolve;
    });
    return { committed: this.#commit(writes, flush), flushed };
  }

  async close(): Promise<void> {
    this.#flushRetry?.cancel();
    await this.#root.close();
  }

  async #commit(writes: readonly Write[], flush: () => void): Promise<void> {
    this.#checkSpace(writes);
    this.#count += 1;
    const count = this.#count;
    const counted = { table: countTable, key: countKey, value: Buffer.from(String(count)) };
    try {
      await this.#transact([...writes, counted]);
    } catch (error) {
      const failure = writeFailure(await causeOf(error));
      this.#root.resetReadTxn();
      if (this.#countOnDisk() !== count) throw failure;
      // The data is there, only its flush failed. It stays: taking it back now would lose what it removed.
      this.#unflushed.push(flush);
      this.#flushRetry ??= this.#clock.after(flushRetry, this.#flushAgain);
      return;
    }
    void this.#root.flushed.then(() => {
      flush();
      this.#onFlushed();
    });
  }

  #transact(writes: readonly Write[]): Promise<boolean> {
    return this.#root.batch(() => {
      for (const { table, key, value } of writes) {
        const database = this.#table(table);
        if (value) void database.put(lmdbKey(key), value);
        else void database.remove(lmdbKey(key));
      }
    });
  }

  readonly #flushAgain = (): void => {
    this.#flushRetry = undefined;
    if (this.#unflushed.length === 0) return;
    this.#tryFlush().catch((error: unknown) => {
      this.#flushRetry ??= this.#clock.after(flushRetry, this.#flushAgain);
      return causeOf(error);
    });
  };

  /** Any transaction that is flushed flushes those before it. It does not count: others may be under way beside it. */
  async #tryFlush(): Promise<void> {
    this.#checkSpace([]);
    await this.#transact([{ table: countTable, key: flushKey, value: Buffer.alloc(1) }]);
    await this.#root.flushed;
    this.#onFlushed();
  }

  #onFlushed(): void {
    for (const waiter of this.#unflushed.splice(0)) waiter();
  }

  #checkSpace(writes: readonly Write[]): void {
    let needed = 0;
    for (const { value } of writes) needed += bytesPerWrite + 2 * (value?.length ?? 0);
    requireSpace(this.#directory, needed, this.#space);
  }

  #countOnDisk(): number {
    const count = this.get(countTable, countKey);
    return count ? Number(Buffer.from(count).toString()) : 0;
  }

  #table(name: string): Database<Uint8Array, LmdbKey> {
    const table = this.#tables.get(name);
    if (!table) throw new YggError('YGG_INTERNAL', `The journal has no table ${name}.`);
    return table;
  }
}

function lmdbKey(key: Key): LmdbKey {
  return typeof key === 'object' ? [key[0], key[1]] : key;
}

/** lmdb tells why a commit failed by a promise on the error; left alone it would be an unhandled rejection. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

function unreadable(table: string, cause: unknown): YggError {
  return new YggError(
    'YGG_JOURNAL_IO',
    `The table ${table} of the journal cannot be read: ${reasonOf(cause)}`,
    {
      cause,
    },
  );
}
