/**
 * Pages of tables whose last words lie in layers over the disk.
 *
 * Queues are worked off at their head, so what is removed and still on the disk lies together, where every page begins.
 * Owns where each table's reading may begin behind that, so that it is not walked through for every page.
 */
import type { RecentTable, RecentWrite } from './recent-writes.ts';
import { compareKeys, type Entry, type Key, type Range } from './store.ts';

/** Everything the disk has between the two keys, the second included, has a last word in a layer. */
interface Covered {
  readonly after: Key;
  readonly upTo: Key;
}

/** Fewer are walked through in less time than it takes to remember them. */
const worthwhile = 16;
/** The disk is asked for at least so many entries at a time. */
const smallestRead = 16;

export class LayeredPages {
  readonly #covered = new Map<string, Covered>();

  /** `layers`: newest first; `read` gives pages of the disk. */
  page<K extends Key>(
    table: string,
    range: Range<K>,
    layers: readonly RecentTable[],
    read: (range: Range<K>) => readonly Entry<K>[],
  ): readonly Entry<K>[] {
    const sign = range.newestFirst ? -1 : 1;
    const recent = new RecentInOrder(layers, range, sign);
    const disk = new DiskInOrder(layers, this.#behindCovered(table, range), read);
    const page: Entry<K>[] = [];
    while (page.length < range.limit) {
      const stored = disk.next(range.limit - page.length);
      const write = recent.next();
      if (write && (!stored || sign * compareKeys(write.key, stored.key) < 0)) {
        recent.take();
        // A table gives back the kind of keys it was given.
        if (write.value) page.push({ key: write.key as K, value: write.value });
      } else if (stored) {
        disk.take();
        page.push(stored);
      } else {
        break;
      }
    }
    if (!range.newestFirst) this.#remember(table, range.after, disk);
    return page;
  }

  /** What the layers covered is no longer theirs. */
  forget(): void {
    this.#covered.clear();
  }

  #behindCovered<K extends Key>(table: string, range: Range<K>): Range<K> {
    const covered = range.newestFirst ? undefined : this.#covered.get(nameOf(table, range.after));
    if (!covered) return range;
    const within = compareKeys(range.after, covered.after) >= 0 && compareKeys(range.after, covered.upTo) < 0;
    return within ? { ...range, after: covered.upTo as K } : range;
  }

  #remember<K extends Key>(table: string, after: K, { covered, coveredUpTo }: DiskInOrder<K>): void {
    if (covered < worthwhile || coveredUpTo === undefined) return;
    const name = nameOf(table, after);
    const before = this.#covered.get(name);
    const joins = before && compareKeys(after, before.after) >= 0 && compareKeys(after, before.upTo) <= 0;
    this.#covered.set(name, { after: joins ? before.after : after, upTo: coveredUpTo });
  }
}

interface Layer {
  readonly rest: Iterator<RecentWrite>;
  head: RecentWrite | undefined;
}

/** The values of all layers in one order; of several on one key, and if that is the last word, that of the newest layer. */
class RecentInOrder<K extends Key> {
  readonly #sign: 1 | -1;
  readonly #layers: readonly Layer[];

  constructor(layers: readonly RecentTable[], range: Range<K>, sign: 1 | -1) {
    this.#sign = sign;
    this.#layers = layers.map((layer, index) => {
      const rest = lastWords(layer.within(range), layers.slice(0, index));
      return { rest, head: headOf(rest) };
    });
  }

  next(): RecentWrite | undefined {
    return this.#first()?.head;
  }

  take(): void {
    const layer = this.#first();
    if (layer) layer.head = headOf(layer.rest);
  }

  #first(): Layer | undefined {
    let first: Layer | undefined;
    for (const layer of this.#layers) {
      if (!layer.head) continue;
      if (!first?.head || this.#sign * compareKeys(layer.head.key, first.head.key) < 0) first = layer;
    }
    return first;
  }
}

/** Those on which no newer layer has a word. */
function* lastWords(writes: Iterable<RecentWrite>, newer: readonly RecentTable[]): Generator<RecentWrite> {
  for (const write of writes) if (!newer.some((layer) => layer.get(write.key))) yield write;
}

/** The entries of the disk on which no layer has the last word. */
class DiskInOrder<K extends Key> {
  /** How many entries with a last word came before the first without, and the last of them. */
  covered = 0;
  coveredUpTo: K | undefined;
  readonly #layers: readonly RecentTable[];
  readonly #read: (range: Range<K>) => readonly Entry<K>[];
  #range: Range<K>;
  #entries: readonly Entry<K>[] = [];
  #at = 0;
  #met = false;
  #ended = false;

  constructor(
    layers: readonly RecentTable[],
    range: Range<K>,
    read: (range: Range<K>) => readonly Entry<K>[],
  ) {
    this.#layers = layers;
    this.#range = range;
    this.#read = read;
  }

  /** `wanted`: how many more there is room for. */
  next(wanted: number): Entry<K> | undefined {
    for (;;) {
      const entry = this.#entries[this.#at];
      if (!entry) {
        if (this.#ended) return undefined;
        this.#readMore(wanted);
      } else if (this.#layers.some((layer) => layer.get(entry.key))) {
        if (!this.#met) {
          this.covered += 1;
          this.coveredUpTo = entry.key;
        }
        this.#at += 1;
      } else {
        this.#met = true;
        return entry;
      }
    }
  }

  take(): void {
    this.#at += 1;
  }

  #readMore(wanted: number): void {
    // The longer nothing is found, the more is read at a time.
    const limit = Math.max(wanted, smallestRead, Math.min(this.covered, 1_024));
    this.#entries = this.#read({ ...this.#range, limit });
    this.#at = 0;
    this.#ended = this.#entries.length < limit;
    const last = this.#entries.at(-1);
    if (!last) return;
    this.#range = this.#range.newestFirst
      ? { ...this.#range, before: last.key }
      : { ...this.#range, after: last.key };
  }
}

function headOf(rest: Iterator<RecentWrite>): RecentWrite | undefined {
  const { done, value } = rest.next();
  return done ? undefined : value;
}

/** Within a table of pairs each directive has a head of its own. */
function nameOf(table: string, after: Key): string {
  return typeof after === 'object' ? `${table}/${after[0]}` : table;
}
