/**
 * Sequences or names in order, while they come mostly at the end and go mostly at the head.
 *
 * Those that are gone stay in the list until they are many; whether one is there says who owns them.
 */
import { compareKeys } from './store.ts';

export type Id = number | string;

/** So many are put in their places in less time than everything is sorted. */
const few = 16;
/** A shorter list is not worth making shorter. */
const short = 64;

export class KeyOrder {
  readonly #isThere: (id: Id) => boolean;
  /** In order; those that are gone are still in it, and what came back may be in it twice. */
  #ids: Id[] = [];
  /** All before it are gone. */
  #head = 0;
  /** Those that did not belong at its end; they wait until somebody asks for the order. */
  #late: Id[] = [];
  #count = 0;

  constructor(isThere: (id: Id) => boolean) {
    this.#isThere = isThere;
  }

  /** How many are there. */
  get count(): number {
    return this.#count;
  }

  came(id: Id): void {
    this.#count += 1;
    const last = this.#ids.at(-1);
    // Sequences rise: nearly every one belongs at the end.
    if (last === undefined || isInOrder(last, id)) this.#ids.push(id);
    else this.#late.push(id);
    this.#compactIfDue();
  }

  /** It is not there any more. */
  went(id: Id): void {
    this.#count -= 1;
    if (id === this.#ids[this.#head]) this.#advance();
    this.#compactIfDue();
  }

  /** Those between the two. Nothing may come or go meanwhile. */
  *within(after: Id, before: Id, newestFirst: boolean): Generator<Id, undefined> {
    this.#sort();
    const ids = this.#ids;
    const first = this.#indexFrom(after, true);
    const behind = this.#indexFrom(before, false);
    const [start, step] = newestFirst ? [behind - 1, -1] : [first, 1];
    let last: Id | undefined;
    for (let at = start; at >= first && at < behind; at += step) {
      const id = ids[at];
      if (id === undefined || id === last || !this.#isThere(id)) continue;
      yield id;
      last = id;
    }
    return undefined;
  }

  #advance(): void {
    const ids = this.#ids;
    for (let id = ids[this.#head]; id !== undefined && !this.#isThere(id); id = ids[this.#head])
      this.#head += 1;
  }

  #compactIfDue(): void {
    const length = this.#ids.length + this.#late.length;
    if (length > short && length > 2 * this.#count) this.#compact();
  }

  /** Each that is there, once. */
  #compact(): void {
    const late = new Set(this.#late.filter(this.#isThere));
    let last: Id | undefined;
    this.#ids = this.#ids.slice(this.#head).filter((id) => {
      if (id === last || late.has(id) || !this.#isThere(id)) return false;
      last = id;
      return true;
    });
    this.#late = [...late];
    this.#head = 0;
  }

  #sort(): void {
    if (this.#late.length === 0) return;
    if (this.#late.length > few) {
      this.#compact();
      this.#ids = [...this.#ids, ...this.#late].sort(compareKeys);
    } else {
      for (const id of this.#late) this.#ids.splice(this.#indexFrom(id, true), 0, id);
    }
    this.#late = [];
  }

  /** Of the first behind `id`, or, when it is not `excluded`, of the first that is not before it. */
  #indexFrom(id: Id, excluded: boolean): number {
    let low = this.#head;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#ids[middle];
      const order = found === undefined ? 1 : compareKeys(found, id);
      if (order < 0 || (excluded && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isInOrder(a: Id, b: Id): boolean {
  return typeof a === typeof b && compareKeys(a, b) <= 0;
}
