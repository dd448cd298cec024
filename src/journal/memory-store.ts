/**
 * A store in memory whose disk obeys: full, broken, slow, forgetful. For tests, and for daemons that keep nothing.
 *
 * Owns what is on its imaginary disk, which outlives the store that writes to it, as a disk outlives a process.
 */
import { YggError } from '../base/errors.ts';
import {
  compareKeys,
  type Entry,
  type Key,
  type Range,
  type Store,
  type Write,
  type Written,
} from './store.ts';

/** What was committed: by table, by key. Give it to a second store to restart. */
export type Disk = Map<string, Map<string, Entry>>;

export type DiskFault = 'full' | 'failing';

export class MemoryStore implements Store {
  readonly disk: Disk;
  /** Refuses every write while it is set. */
  fault: DiskFault | undefined;
  /** Holds every write back while it is set, until `release`. */
  held = false;
  /** Holds flushes back while it is set, until `release`. */
  heldFlushes = false;
  /** How many transactions were tried, and how many of them committed. */
  tried = 0;
  committed = 0;
  #waiting: Array<() => void> = [];
  #unflushed: Array<() => void> = [];
  #closed = false;

  constructor(disk: Disk = new Map()) {
    this.disk = disk;
  }

  get(table: string, key: Key): Uint8Array | undefined {
    return this.disk.get(table)?.get(JSON.stringify(key))?.value;
  }

  page<K extends Key>(table: string, { after, before, limit, newestFirst }: Range<K>): readonly Entry<K>[] {
    const entries = [...(this.disk.get(table)?.values() ?? [])]
      // A table gives back the kind of keys it was given.
      .filter(
        (entry): entry is Entry<K> => compareKeys(entry.key, after) > 0 && compareKeys(entry.key, before) < 0,
      )
      .sort((a, b) => compareKeys(a.key, b.key));
    if (newestFirst) entries.reverse();
    return entries.slice(0, limit);
  }

  write(writes: readonly Write[]): Written {
    this.tried += 1;
    const committed = (async () => {
      if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#commit(writes);
    })();
    const flushed = committed.then(async () => {
      if (this.heldFlushes) await new Promise<void>((resolve) => this.#unflushed.push(resolve));
    });
    flushed.catch(() => {});
    return { committed, flushed };
  }

  /** Lets go on what was held back. */
  release(): void {
    this.held = false;
    this.heldFlushes = false;
    for (const go of [...this.#waiting.splice(0), ...this.#unflushed.splice(0)]) go();
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #commit(writes: readonly Write[]): void {
    if (this.#closed) throw new YggError('YGG_CLOSED', 'The store is closed.');
    if (this.fault === 'full') throw new YggError('YGG_JOURNAL_FULL', 'The disk is full.');
    if (this.fault === 'failing') throw new YggError('YGG_JOURNAL_IO', 'The disk does not answer.');
    for (const { table, key, value } of writes) {
      const entries = this.disk.get(table) ?? new Map<string, Entry>();
      this.disk.set(table, entries);
      if (value) entries.set(JSON.stringify(key), { key, value: Uint8Array.from(value) });
      else entries.delete(JSON.stringify(key));
    }
    this.committed += 1;
  }
}
