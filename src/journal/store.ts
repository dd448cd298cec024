/**
 * What the journal needs of a disk: ordered tables of bytes, read in pages and written in transactions.
 *
 * The rules of the journal stand on this alone, so that they can be tried with a disk that is full, broken or slow.
 */

/**
 * A sequence, a name, or a sequence within a directive. Numbers are whole and not negative, texts well-formed Unicode;
 * within one table a sequence belongs to one directive only.
 */
export type Key = number | string | readonly [directive: string, sequence: number];

export interface Write<K extends Key = Key> {
  readonly table: string;
  readonly key: K;
  /** `undefined` removes. The bytes are the store's from now on: nobody changes them. */
  readonly value: Uint8Array | undefined;
}

export interface Entry<K extends Key = Key> {
  readonly key: K;
  readonly value: Uint8Array;
}

/** Keys strictly between `after` and `before`; both are of the same kind as the keys of the table. */
export interface Range<K extends Key> {
  readonly after: K;
  readonly before: K;
  readonly limit: number;
  readonly newestFirst?: boolean;
}

export interface Written {
  /** It survives a killed process and reads see it. Rejects with `YGG_JOURNAL_FULL` or `YGG_JOURNAL_IO`. */
  readonly committed: Promise<void>;
  /** It survives a power cut. Settles only after `committed` resolved: a store that cannot flush keeps trying. */
  readonly flushed: Promise<void>;
}

export interface Store {
  /** The committed value; the caller may keep it. */
  get(table: string, key: Key): Uint8Array | undefined;
  /** A page of committed entries in order. Nothing is held open between two pages. */
  page<K extends Key>(table: string, range: Range<K>): readonly Entry<K>[];
  /** All or nothing, in one transaction. The next write is not begun before this one is committed or refused. */
  write(writes: readonly Write[]): Written;
  /** Waits for what is under way and closes. */
  close(): Promise<void>;
}

/** Directives before sequences; texts as their UTF-8 bytes are ordered, which is how LMDB orders them. */
export function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  if (typeof a === 'object' && typeof b === 'object') return compareTexts(a[0], b[0]) || a[1] - b[1];
  throw new TypeError('the keys of a table are of one kind');
}

/** A code unit of a surrogate pair: it stands for what comes after all other code units. */
const surrogate = /[\ud800-\udfff]/;

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  if (surrogate.test(a) || surrogate.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
