/**
 * What was written and is not in the tables on disk yet: the last value of each key, in order.
 *
 * Most messages are here from their arrival to their end: what comes and goes between two checkpoints leaves nothing
 * behind, and never costs the tables anything.
 */
import { compareKeys, type Key, type Range, type Write } from './store.ts';

/** The last word on a key; `undefined`: it was removed. */
export interface RecentWrite {
  readonly key: Key;
  readonly value: Uint8Array | undefined;
}

export class RecentWrites {
  readonly #tables = new Map<string, RecentTable>();
  /** The highest sequence of any key when this began: what is above it was never written before. */
  readonly #floor: number;
  #highest: number;
  #count = 0;
  #bytes = 0;

  constructor(floor: number) {
    this.#floor = floor;
    this.#highest = floor;
  }

  /** The highest sequence of any key so far. */
  get highest(): number {
    return this.#highest;
  }

  /** How many keys have a last word here. */
  get count(): number {
    return this.#count;
  }

  /** Of their values. */
  get bytes(): number {
    return this.#bytes;
  }

  apply(writes: readonly Write[]): void {
    for (const { table, key, value } of writes) {
      const sequence = sequenceOf(key);
      if (sequence > this.#highest) this.#highest = sequence;
      const recent = this.#tableOf(table);
      // What came after this began is not on the disk: nothing has to be removed there.
      const isGone = value === undefined && sequence > this.#floor;
      const before = isGone ? recent.forget(key) : recent.set(key, value);
      this.#count += (isGone ? 0 : 1) - (before ? 1 : 0);
      this.#bytes += (value?.length ?? 0) - (before?.value?.length ?? 0);
    }
  }

  get(table: string, key: Key): RecentWrite | undefined {
    return this.#tables.get(table)?.get(key);
  }

  /** `undefined` when nothing of the table was written. */
  table(name: string): RecentTable | undefined {
    const table = this.#tables.get(name);
    return table && table.size > 0 ? table : undefined;
  }

  /** All of it, table by table, in order. */
  *writes(): Iterable<Write> {
    for (const [table, recent] of this.#tables) {
      for (const { key, value } of recent.all()) yield { table, key, value };
    }
  }

  #tableOf(name: string): RecentTable {
    let table = this.#tables.get(name);
    if (!table) {
      table = new RecentTable();
      this.#tables.set(name, table);
    }
    return table;
  }
}

/** So many are put in their places in less time than everything is sorted. */
const few = 16;

/**
 * The last words of one table, and the values among them in order: a removal is met by its key alone, so that pages do not
 * walk over all those at the head of a queue.
 */
export class RecentTable {
  readonly #writes = new Map<number | string, RecentWrite>();
  /** Of the values, in order; those that are gone are still in it, and what came back may be in it twice. */
  #keys: Key[] = [];
  /** Those that did not belong at its end; they wait until somebody asks for the order. */
  #late: Key[] = [];
  /** How many of the last words are values. */
  #values = 0;

  get size(): number {
    return this.#writes.size;
  }

  get(key: Key): RecentWrite | undefined {
    return this.#writes.get(idOf(key));
  }

  /** Gives back the word before. */
  set(key: Key, value: Uint8Array | undefined): RecentWrite | undefined {
    const id = idOf(key);
    const before = this.#writes.get(id);
    this.#writes.set(id, { key, value });
    if (value && !before?.value) this.#insert(key);
    if (!value && before?.value) this.#leave();
    return before;
  }

  /** As if nothing had ever been said of it; gives back the word before. */
  forget(key: Key): RecentWrite | undefined {
    const id = idOf(key);
    const before = this.#writes.get(id);
    this.#writes.delete(id);
    if (before?.value) this.#leave();
    return before;
  }

  /** In order. */
  all(): Iterable<RecentWrite> {
    return [...this.#writes.values()].sort((a, b) => compareKeys(a.key, b.key));
  }

  /** The values, in the order of the page that is asked for, to its end. */
  within<K extends Key>({ after, before, newestFirst }: Range<K>): Iterable<RecentWrite> {
    this.#sort();
    return newestFirst
      ? this.#walk(this.#indexFrom(before, false) - 1, -1, (key) => compareKeys(key, after) > 0)
      : this.#walk(this.#indexFrom(after, true), 1, (key) => compareKeys(key, before) < 0);
  }

  *#walk(start: number, step: 1 | -1, isWithin: (key: Key) => boolean): Generator<RecentWrite> {
    const keys = this.#keys;
    let last: RecentWrite | undefined;
    for (let at = start; at >= 0 && at < keys.length; at += step) {
      const key = keys[at];
      if (key === undefined || !isWithin(key)) return;
      const write = this.#writes.get(idOf(key));
      if (write?.value && write !== last) yield write;
      last = write;
    }
  }

  #insert(key: Key): void {
    this.#values += 1;
    const last = this.#keys.at(-1);
    // Sequences rise: nearly every key belongs at the end.
    if (last === undefined || isInOrder(last, key)) this.#keys.push(key);
    else this.#late.push(key);
    this.#compactIfDue();
  }

  #leave(): void {
    this.#values -= 1;
    this.#compactIfDue();
  }

  #compactIfDue(): void {
    const length = this.#keys.length + this.#late.length;
    if (length > 64 && length > 2 * this.#values) this.#compact();
  }

  /** Each key that has a value, once. */
  #compact(): void {
    const seen = new Set<number | string>();
    const isFirst = (key: Key): boolean => {
      const id = idOf(key);
      if (seen.has(id) || !this.#writes.get(id)?.value) return false;
      seen.add(id);
      return true;
    };
    this.#keys = this.#keys.filter(isFirst);
    this.#late = this.#late.filter(isFirst);
  }

  #sort(): void {
    if (this.#late.length === 0) return;
    if (this.#late.length <= few) {
      for (const key of this.#late) this.#keys.splice(this.#indexFrom(key, true), 0, key);
    } else {
      this.#compact();
      this.#keys = [...this.#keys, ...this.#late].sort(compareKeys);
    }
    this.#late = [];
  }

  /** Of the first key behind `key`, or, when it is not `excluded`, of the first that is not before it. */
  #indexFrom(key: Key, excluded: boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#keys[middle];
      const order = found === undefined ? 1 : compareKeys(found, key);
      if (order < 0 || (excluded && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isInOrder(a: Key, b: Key): boolean {
  return typeof a === typeof b && compareKeys(a, b) <= 0;
}

/** 0 for a name: nobody counts those. */
function sequenceOf(key: Key): number {
  if (typeof key === 'number') return key;
  return typeof key === 'object' ? key[1] : 0;
}

/** Within one table a sequence belongs to one directive only. */
function idOf(key: Key): number | string {
  return typeof key === 'object' ? key[1] : key;
}
