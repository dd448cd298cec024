/**
 * One table as the rules see it: typed values, and every write visible at once, though the disk has it only later.
 *
 * Owns what of the table is in memory: `#fresh`, written in this turn; `#sent`, on its way to the disk; `#kept`,
 * committed and kept (all of a small table, the latest of a busy one, nothing of a large one). A read looks there in
 * this order and then on the disk.
 */
import { DamagedRecord } from './record.ts';
import { compareKeys, type Entry, type Key, type Range, type Store, type Write } from './store.ts';

export interface TableFormat<K extends Key, V> {
  readonly name: string;
  encode(value: V): Uint8Array;
  /** Throws {@link DamagedRecord}. */
  decode(key: K, record: Uint8Array): V;
  /** How many committed values stay in memory; `Infinity` reads the whole table at the start. */
  readonly keep: number;
}

/** How many values more than `keep` may stay in memory. */
const forgetStep = 64;

/** A value somebody wrote and the disk does not have yet. */
interface Change<K extends Key, V> {
  readonly key: K;
  /** `undefined`: removed. */
  readonly value: V | undefined;
}

/** What a table needs of the ledger it belongs to. */
export interface TableHost {
  readonly store: Store;
  damaged(table: string, key: Key, record: Uint8Array, reason: string, remove: () => void): void;
}

type Layer<K extends Key, V> = Map<number | string, Change<K, V>>;

export class LedgerTable<K extends Key, V> {
  readonly name: string;
  readonly #format: TableFormat<K, V>;
  readonly #host: TableHost;
  #fresh: Layer<K, V> = new Map();
  #sent: Layer<K, V> = new Map();
  readonly #kept = new Map<number | string, V>();

  constructor(format: TableFormat<K, V>, host: TableHost) {
    this.name = format.name;
    this.#format = format;
    this.#host = host;
  }

  get(key: K): V | undefined {
    const id = idOf(key);
    const change = this.#fresh.get(id) ?? this.#sent.get(id);
    if (change) return change.value;
    const kept = this.#kept.get(id);
    if (kept !== undefined || this.#format.keep === Infinity) return kept;
    const record = this.#host.store.get(this.name, key);
    if (record === undefined) return undefined;
    const value = this.#decode(key, record);
    if (value !== undefined) this.#keep(id, value);
    return value;
  }

  /** What of it is in memory: nothing says only that the disk has to be asked. */
  recall(key: K): V | undefined {
    const id = idOf(key);
    const change = this.#fresh.get(id) ?? this.#sent.get(id);
    return change ? change.value : this.#kept.get(id);
  }

  put(key: K, value: V): void {
    this.#fresh.set(idOf(key), { key, value });
  }

  remove(key: K): void {
    this.#fresh.set(idOf(key), { key, value: undefined });
  }

  /** A page in order, as if everything written were on the disk. Shorter than asked for only when that is all. */
  page(range: Range<K>): Array<{ readonly key: K; readonly value: V }> {
    const changes = [...this.#changesWithin(range)];
    const found = new Map<number | string, { key: K; value: V }>();
    // Each change hides at most one entry of the disk.
    let rest = { ...range, limit: range.limit + changes.length };
    while (rest.limit > 0) {
      const stored = this.#host.store.page(this.name, rest);
      const damaged = this.#readInto(found, stored);
      const last = stored.at(-1)?.key;
      if (last === undefined || stored.length < rest.limit) break;
      rest = { ...rest, limit: damaged, [range.newestFirst ? 'before' : 'after']: last };
    }
    for (const { key, value } of changes) if (value !== undefined) found.set(idOf(key), { key, value });
    const page = [...found.values()];
    const sign = range.newestFirst ? -1 : 1;
    if (changes.length > 0) page.sort((a, b) => sign * compareKeys(a.key, b.key));
    return page.slice(0, range.limit);
  }

  /** A page of what is on the disk, as it was changed since; what came since is not in it. */
  pageOnDisk(range: Range<K>): Array<{ readonly key: K; readonly value: V }> {
    const page: Array<{ readonly key: K; readonly value: V }> = [];
    // Each change hides at most one entry of the disk.
    const limit = range.limit + this.#fresh.size + this.#sent.size;
    for (const { key, value: record } of this.#host.store.page(this.name, { ...range, limit })) {
      if (page.length === range.limit) break;
      const id = idOf(key);
      const change = this.#fresh.get(id) ?? this.#sent.get(id);
      const value = change ? change.value : (this.#kept.get(id) ?? this.#decode(key, record));
      if (value !== undefined) page.push({ key, value });
    }
    return page;
  }

  /** Puts the record of a value aside that turned out to be damaged when its rest was read. */
  setAside(key: K, reason: string): void {
    const record = this.#host.store.get(this.name, key);
    if (record) this.#host.damaged(this.name, key, record, reason, () => this.remove(key));
  }

  /** Every value of a table that is kept whole. */
  *values(): Iterable<readonly [id: number | string, value: V]> {
    for (const [id, value] of this.#kept) if (!this.#fresh.has(id) && !this.#sent.has(id)) yield [id, value];
    for (const [id, { value }] of this.#sent) {
      if (value !== undefined && !this.#fresh.has(id)) yield [id, value];
    }
    for (const [id, { value }] of this.#fresh) if (value !== undefined) yield [id, value];
  }

  /** Reads a table that is kept whole. */
  load(first: K, last: K): void {
    let after = first;
    for (;;) {
      const page = this.#host.store.page(this.name, { after, before: last, limit: 1_000 });
      for (const { key, value: record } of page) {
        const value = this.#decode(key, record);
        if (value !== undefined) this.#kept.set(idOf(key), value);
      }
      const end = page.at(-1);
      if (!end) return;
      after = end.key;
    }
  }

  /** Hands over what was written since the last time. The one before has been committed or undone. */
  send(writes: Write[]): void {
    if (this.#fresh.size === 0) return;
    for (const { key, value } of this.#fresh.values()) {
      writes.push({
        table: this.name,
        key,
        value: value === undefined ? undefined : this.#format.encode(value),
      });
    }
    this.#sent = this.#fresh;
    this.#fresh = new Map();
  }

  /** What was sent is on the disk. */
  committed(): void {
    if (this.#sent.size === 0) return;
    if (this.#format.keep > 0) {
      for (const [id, { value }] of this.#sent) {
        this.#kept.delete(id);
        if (value !== undefined) this.#keep(id, value);
      }
    }
    this.#sent = new Map();
  }

  /** Forgets everything not committed. */
  undo(): void {
    this.#fresh = new Map();
    this.#sent = new Map();
  }

  /** Says how many were damaged; what was written since is left out. */
  #readInto(found: Map<number | string, { key: K; value: V }>, stored: readonly Entry<K>[]): number {
    let damaged = 0;
    for (const { key, value: record } of stored) {
      const id = idOf(key);
      if (this.#fresh.has(id) || this.#sent.has(id)) continue;
      const value = this.#kept.get(id) ?? this.#decode(key, record);
      if (value === undefined) damaged += 1;
      else found.set(id, { key, value });
    }
    return damaged;
  }

  *#changesWithin({ after, before }: Range<K>): Iterable<Change<K, V>> {
    const within = (key: K): boolean => compareKeys(key, after) > 0 && compareKeys(key, before) < 0;
    for (const change of this.#fresh.values()) if (within(change.key)) yield change;
    for (const [id, change] of this.#sent) if (!this.#fresh.has(id) && within(change.key)) yield change;
  }

  #keep(id: number | string, value: V): void {
    const { keep } = this.#format;
    if (keep === 0) return;
    this.#kept.set(id, value);
    // Some at a time: the way to the oldest leads past the places of all that were forgotten before.
    if (this.#kept.size <= keep + forgetStep) return;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keep) return;
      this.#kept.delete(oldest);
    }
  }

  #decode(key: K, record: Uint8Array): V | undefined {
    try {
      return this.#format.decode(key, record);
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      this.#host.damaged(this.name, key, record, error.message, () => this.remove(key));
      return undefined;
    }
  }
}

/** The key of a `Map`; within one table a sequence belongs to one directive only. */
function idOf(key: Key): number | string {
  return typeof key === 'object' ? key[1] : key;
}
