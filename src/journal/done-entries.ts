/**
 * What is remembered of everything that is done: an entry for each sequence, the oldest of which are forgotten.
 *
 * An entry begins as a row of its own. Some hundred rows, all behind the newest block, become a block: one value on the disk
 * and not one for every message. What ends so late that its sequence lies within the blocks keeps its row.
 *
 * Owns the blocks, and how many entries there are.
 */
import type { IdIndex } from './id-index.ts';
import type { JournalLimits } from './journal.ts';
import type { Ledger } from './ledger.ts';
import { inPages, lastSequence, type Tables } from './open-tables.ts';
import { DamagedRecord } from './record.ts';
import type { DoneBlock, StoredDone } from './stored.ts';
import type { Tallies } from './tallies.ts';

/** Entries of a block, and how many are forgotten in one transaction at most. */
const blockSize = 256;
/** How many rows stay behind the newest block: what was received together ends in any order. */
const rowsKept = 512;

export interface DoneEntry {
  readonly sequence: number;
  readonly done: StoredDone;
}

export interface DoneEntriesDeps {
  readonly ledger: Ledger;
  readonly tables: Pick<Tables, 'done' | 'doneBlocks'>;
  readonly tallies: Tallies;
  readonly limits: Pick<JournalLimits, 'done'>;
  /** Told of each id that is there at the start. */
  readonly index: Pick<IdIndex, 'load'>;
}

export class DoneEntries {
  readonly #deps: DoneEntriesDeps;
  /** The last sequence of the newest block; 0 while there is none. */
  #blocksEnd = 0;
  /** How many rows are behind it, at most. */
  #rows = 0;

  constructor(deps: DoneEntriesDeps) {
    this.#deps = deps;
    const { ledger, tables, tallies, index } = deps;
    let messages = 0;
    for (const { key, value } of inPages(tables.doneBlocks, 16)) {
      for (const [at, id] of value.ids.entries()) index.load(id, value.sequences[at] ?? 0);
      messages += value.ids.length;
      this.#blocksEnd = key;
    }
    for (const { key, value } of inPages(tables.done, 1_000)) {
      index.load(value.id, key);
      messages += 1;
      if (key > this.#blocksEnd) this.#rows += 1;
    }
    // A damaged record that was put aside could not say what it counted for.
    const missing = messages - tallies.get('done').messages;
    if (missing !== 0) ledger.change(() => tallies.add('done', { messages: missing }));
  }

  has(sequence: number): boolean {
    return (
      this.#deps.tables.done.get(sequence) !== undefined ||
      (this.#blockAround(sequence)?.sequences.includes(sequence) ?? false)
    );
  }

  get(sequence: number): StoredDone | undefined {
    const row = this.#deps.tables.done.get(sequence);
    if (row) return row;
    const block = this.#blockAround(sequence);
    if (!block?.sequences.includes(sequence)) return undefined;
    return this.#entriesOf(block).find((entry) => entry.sequence === sequence)?.done;
  }

  /** Those of one block, or fewer, before a sequence, latest first; none when nothing is left in blocks. */
  inBlocks(before: number): readonly DoneEntry[] {
    const { doneBlocks } = this.#deps.tables;
    const around = this.#blockAround(before);
    const [newest] = doneBlocks.page({ after: 0, before, limit: 1, newestFirst: true });
    for (const block of [around, newest?.value]) {
      const entries = block ? this.#entriesOf(block).filter(({ sequence }) => sequence < before) : [];
      if (entries.length > 0) return entries.toReversed();
    }
    return [];
  }

  /** Within a write. */
  put(sequence: number, done: StoredDone): void {
    const { tables, tallies } = this.#deps;
    tables.done.put(sequence, done);
    tallies.add('done', { messages: 1 });
    if (sequence > this.#blocksEnd) this.#rows += 1;
  }

  /** Within a write: makes the oldest rows behind the newest block the next one, when there are enough. */
  gather(): void {
    if (this.#rows < blockSize + rowsKept) return;
    const { ledger, tables } = this.#deps;
    const rows = tables.done.page({ after: this.#blocksEnd, before: lastSequence, limit: blockSize });
    const end = rows.at(-1)?.key;
    if (end === undefined || rows.length < blockSize) {
      this.#rows = rows.length;
      return;
    }
    tables.doneBlocks.put(end, {
      sequences: rows.map(({ key }) => key),
      ids: rows.map(({ value }) => value.id),
      entries: () => rows.map(({ value }) => value),
    });
    for (const { key } of rows) tables.done.remove(key);
    ledger.afterCommit(() => {
      this.#blocksEnd = end;
      this.#rows -= blockSize;
    });
  }

  /** Within a write: forgets the oldest over the limit, a step at a time; of blocks only whole ones. */
  trim(): readonly DoneEntry[] {
    const { tallies, limits } = this.#deps;
    const excess = tallies.get('done').messages - limits.done.messages;
    if (excess <= 0 || (this.#blocksEnd > 0 && excess < blockSize)) return [];
    return this.#forgetOldest(Math.min(excess, blockSize), () => true);
  }

  /** Within a write: forgets those that are too old, a step at a time. */
  trimAged(now: number): readonly DoneEntry[] {
    return this.#forgetOldest(blockSize, ({ at }) => now - at > this.#deps.limits.done.age);
  }

  #forgetOldest(limit: number, isDue: (done: StoredDone) => boolean): readonly DoneEntry[] {
    const { tables, tallies } = this.#deps;
    const [oldest] = tables.doneBlocks.page({ after: 0, before: lastSequence, limit: 1 });
    const rows = tables.done.page({ after: 0, before: oldest?.key ?? lastSequence, limit });
    const forgotten: DoneEntry[] = [];
    for (const { key, value } of rows) {
      if (!isDue(value)) break;
      tables.done.remove(key);
      forgotten.push({ sequence: key, done: value });
    }
    if (forgotten.length === 0 && oldest) {
      const entries = this.#entriesOf(oldest.value);
      if (entries.every(({ done }) => isDue(done))) {
        tables.doneBlocks.remove(oldest.key);
        forgotten.push(...entries);
      }
    }
    if (forgotten.length > 0) tallies.add('done', { messages: -forgotten.length });
    return forgotten;
  }

  /** The block in whose range a sequence lies. */
  #blockAround(sequence: number): DoneBlock | undefined {
    const range = { after: sequence - 1, before: lastSequence, limit: 1 };
    return this.#deps.tables.doneBlocks.page(range)[0]?.value;
  }

  #entriesOf(block: DoneBlock): readonly DoneEntry[] {
    try {
      return block.entries().map((done, at) => ({ sequence: block.sequences[at] ?? 0, done }));
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      this.#deps.tables.doneBlocks.setAside(block.sequences.at(-1) ?? 0, error.message);
      return [];
    }
  }
}
