/**
 * What was written and is not in the tables on disk yet: the last word on each key, in memory.
 *
 * Most messages are here from their arrival to their end: what comes and goes before its segment of the log is moved to the
 * tables leaves nothing behind, and never costs the tables anything.
 */
import { KeptValues } from './kept-values.ts';
import { RecentTable } from './recent-table.ts';
import type { Key, Write } from './store.ts';

export class RecentWrites {
  readonly #values = new KeptValues();
  readonly #tables = new Map<string, RecentTable>();
  /** The highest sequence of a key that may be in the tables: none above it has to be removed there. */
  #floor: number;
  #highest: number;
  #count = 0;

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

  /** What their values take. */
  get bytes(): number {
    return this.#values.bytes;
  }

  /** The segment of the log that has them counts up. */
  apply(segment: number, writes: readonly Write[]): void {
    for (const { table, key, value } of writes) {
      const sequence = sequenceOf(key);
      if (sequence > this.#highest) this.#highest = sequence;
      const recent = this.#tableOf(table);
      const before = recent.size;
      if (value === undefined && sequence > this.#floor) recent.forget(key);
      else recent.set(key, value, segment);
      this.#count += recent.size - before;
    }
  }

  /** Keys up to this sequence may be in the tables from now on. */
  raiseFloor(sequence: number): void {
    this.#floor = Math.max(this.#floor, sequence);
  }

  /** Whether there is something to find in the tables. */
  mayBeMoved(key: Key): boolean {
    return sequenceOf(key) <= this.#floor;
  }

  /** `undefined` when nothing of the table was written. */
  table(name: string): RecentTable | undefined {
    const table = this.#tables.get(name);
    return table && table.size > 0 ? table : undefined;
  }

  /**
   * The last words that lie in the segments behind `after` up to this one, table by table, in order. What is written over
   * while they are gone through is left out.
   */
  *writes(after: number, upTo: number): Generator<Write> {
    for (const [table, recent] of this.#tables) {
      for (const key of recent.keysOf(after, upTo)) {
        if (recent.segmentOf(key) <= upTo) yield { table, key, value: recent.get(key) ?? undefined };
      }
    }
  }

  /** The words of the segments up to this one are in the tables. */
  forget(upTo: number): void {
    for (const recent of this.#tables.values()) {
      const before = recent.size;
      for (const key of recent.keysOf(0, upTo)) recent.forget(key);
      this.#count += recent.size - before;
    }
  }

  #tableOf(name: string): RecentTable {
    let table = this.#tables.get(name);
    if (!table) {
      table = new RecentTable(this.#values);
      this.#tables.set(name, table);
    }
    return table;
  }
}

/** 0 for a name: nobody counts those. */
function sequenceOf(key: Key): number {
  if (typeof key === 'number') return key;
  return typeof key === 'object' ? key[1] : 0;
}
