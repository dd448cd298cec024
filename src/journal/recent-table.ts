/**
 * The last words on the keys of one table: a value, or that it was removed; each with the segment of the log that has it.
 *
 * Owns no object per word: what a word says is numbers in one array, its value is kept elsewhere ({@link KeptValues}).
 */

import type { KeptValues } from './kept-values.ts';
import { type Id, KeyOrder } from './key-order.ts';
import { compareKeys, type Key, type Range } from './store.ts';

/** What is said of a key: the segment that has the word, and the length and the place of the value. */
const field = { segment: 0, length: 1, place: 2 } as const;
const fields = 3;
/** Instead of a length: the key was removed. */
const removed = -1;
/** Instead of a segment: the slot has no word. */
const unused = 0;
/** Slots that there are at least, and so many that it is worthwhile to make them few again. */
const fewest = 64;
const worthwhile = 4_096;

export interface RecentValue<K extends Key> {
  readonly key: K;
  readonly read: () => Uint8Array;
}

export class RecentTable {
  readonly #values: KeptValues;
  readonly #slots = new Map<Id, number>();
  readonly #unusedSlots: number[] = [];
  /** By slot. */
  #ids: Id[] = [];
  /** The same, for keys that have one. */
  #directives: string[] = [];
  #words = new Int32Array(fewest * fields);
  /**
   * The values in order, for each directive by itself; under no name for keys without one. Not there until somebody asks for
   * the order: of most tables nobody does.
   */
  #orders: Map<string | undefined, KeyOrder> | undefined;

  constructor(values: KeptValues) {
    this.#values = values;
  }

  /** How many keys have a word. */
  get size(): number {
    return this.#slots.size;
  }

  has(key: Key): boolean {
    return this.#slots.has(idOf(key));
  }

  /** `null` when it was removed, `undefined` when there is no word. */
  get(key: Key): Uint8Array | null | undefined {
    const slot = this.#slots.get(idOf(key));
    return slot === undefined ? undefined : this.#valueAt(slot);
  }

  /** The segment that has the word; 0 when there is none. */
  segmentOf(key: Key): number {
    const slot = this.#slots.get(idOf(key));
    return slot === undefined ? unused : this.#word(slot, field.segment);
  }

  set(key: Key, value: Uint8Array | undefined, segment: number): void {
    const id = idOf(key);
    const slot = this.#slots.get(id) ?? this.#newSlot(id, key);
    const at = slot * fields;
    const hadValue = this.#takeValue(slot);
    this.#words[at + field.segment] = segment;
    if (value) {
      this.#words[at + field.place] = this.#values.keep(value);
      this.#words[at + field.length] = value.length;
      if (!hadValue) this.#enterOrder(slot, id);
    } else if (hadValue) {
      this.#leaveOrder(slot, id);
    }
  }

  /** As if nothing had ever been said of it. */
  forget(key: Key): void {
    const id = idOf(key);
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    const hadValue = this.#takeValue(slot);
    this.#slots.delete(id);
    this.#words[slot * fields + field.segment] = unused;
    if (hadValue) this.#leaveOrder(slot, id);
    this.#unusedSlots.push(slot);
    if (this.#slots.size === 0 && this.#ids.length > worthwhile) this.#shrink();
  }

  /** The keys, in order, whose last words lie in the segments behind `after` up to this one. */
  keysOf(after: number, upTo: number): Key[] {
    const keys: Key[] = [];
    for (let slot = 0; slot < this.#ids.length; slot++) {
      const segment = this.#word(slot, field.segment);
      const id = this.#ids[slot];
      if (segment === unused || segment <= after || segment > upTo || id === undefined) continue;
      const directive = this.#directives[slot];
      keys.push(directive !== undefined && typeof id === 'number' ? [directive, id] : id);
    }
    return keys.sort(compareKeys);
  }

  /** The values within a range, in the order of its page. */
  *within<K extends Key>({ after, before, newestFirst = false }: Range<K>): Generator<RecentValue<K>> {
    const directive = typeof after === 'object' ? after[0] : undefined;
    const order = this.#ordered().get(directive);
    if (!order) return;
    for (const id of order.within(idOf(after), idOf(before), newestFirst)) {
      const key = directive === undefined ? id : [directive, id];
      // A table gives back the kind of keys it was given.
      yield { key: key as K, read: () => this.#valueOf(id) };
    }
  }

  #valueOf(id: Id): Uint8Array {
    const slot = this.#slots.get(id);
    const value = slot === undefined ? null : this.#valueAt(slot);
    if (!value) throw new RangeError(`there is no value of ${id}`);
    return value;
  }

  #valueAt(slot: number): Uint8Array | null {
    const length = this.#word(slot, field.length);
    return length === removed ? null : this.#values.read(this.#word(slot, field.place), length);
  }

  #word(slot: number, which: number): number {
    return this.#words[slot * fields + which] ?? 0;
  }

  #newSlot(id: Id, key: Key): number {
    const slot = this.#unusedSlots.pop() ?? this.#ids.length;
    this.#slots.set(id, slot);
    this.#ids[slot] = id;
    if (typeof key === 'object') this.#directives[slot] = key[0];
    if ((slot + 1) * fields > this.#words.length) {
      const words = new Int32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[slot * fields + field.length] = removed;
    return slot;
  }

  /** Gives its value back; says whether there was one. */
  #takeValue(slot: number): boolean {
    if (this.#word(slot, field.length) === removed) return false;
    this.#values.release(this.#word(slot, field.place));
    this.#words[slot * fields + field.length] = removed;
    return true;
  }

  #ordered(): ReadonlyMap<string | undefined, KeyOrder> {
    if (!this.#orders) {
      this.#orders = new Map();
      for (const [id, slot] of this.#slots) if (this.#hasValue(id)) this.#enterOrder(slot, id);
    }
    return this.#orders;
  }

  #enterOrder(slot: number, id: Id): void {
    if (!this.#orders) return;
    const directive = this.#directives[slot];
    let order = this.#orders.get(directive);
    if (!order) {
      order = new KeyOrder((one) => this.#hasValue(one));
      this.#orders.set(directive, order);
    }
    order.came(id);
  }

  #hasValue(id: Id): boolean {
    const slot = this.#slots.get(id);
    return slot !== undefined && this.#word(slot, field.length) !== removed;
  }

  #leaveOrder(slot: number, id: Id): void {
    const directive = this.#directives[slot];
    const order = this.#orders?.get(directive);
    order?.went(id);
    if (order?.count === 0 && directive !== undefined) this.#orders?.delete(directive);
  }

  /** After many there is nothing left. */
  #shrink(): void {
    this.#unusedSlots.length = 0;
    this.#ids = [];
    this.#directives = [];
    this.#words = new Int32Array(fewest * fields);
  }
}

/** Within one table a sequence belongs to one directive only. */
function idOf(key: Key): Id {
  return typeof key === 'object' ? key[1] : key;
}
