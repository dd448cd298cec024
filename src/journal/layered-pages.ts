/**
 * Pages of tables whose last words lie in memory, over what the disk has.
 *
 * Queues are worked off at their head, so what is removed and still on the disk lies together, where every page begins.
 * Owns where each table's reading may begin behind that, so that it is not walked through for every page.
 */
import type { RecentTable } from './recent-table.ts';
import { compareKeys, type Entry, type Key, type Range } from './store.ts';

/** Everything the disk has between the two keys, the second included, has a last word in memory. */
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

  /** `read` gives pages of the disk. */
  page<K extends Key>(
    table: string,
    range: Range<K>,
    recent: RecentTable,
    read: (range: Range<K>) => readonly Entry<K>[],
  ): readonly Entry<K>[] {
    const sign = range.newestFirst ? -1 : 1;
    const values = recent.within(range);
    const disk = new DiskInOrder(recent, this.#behindCovered(table, range), read);
    const page: Entry<K>[] = [];
    let value = values.next().value;
    while (page.length < range.limit) {
      const stored = disk.next(range.limit - page.length);
      if (value && (!stored || sign * compareKeys(value.key, stored.key) < 0)) {
        page.push({ key: value.key, value: value.read() });
        value = values.next().value;
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

  /** What the memory covered it covers no longer. */
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

/** The entries of the disk on which nothing in memory has the last word. */
class DiskInOrder<K extends Key> {
  /** How many entries with a last word came before the first without, and the last of them. */
  covered = 0;
  coveredUpTo: K | undefined;
  readonly #recent: RecentTable;
  readonly #read: (range: Range<K>) => readonly Entry<K>[];
  #range: Range<K>;
  #entries: readonly Entry<K>[] = [];
  #at = 0;
  #met = false;
  #ended = false;

  constructor(recent: RecentTable, range: Range<K>, read: (range: Range<K>) => readonly Entry<K>[]) {
    this.#recent = recent;
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
      } else if (this.#recent.has(entry.key)) {
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

/** Within a table of pairs each directive has a head of its own. */
function nameOf(table: string, after: Key): string {
  return typeof after === 'object' ? `${table}/${after[0]}` : table;
}
