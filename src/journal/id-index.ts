/**
 * Where an id may be found: the sequences of many ids, by a hash of each, so that an id takes a few bytes of memory and not
 * its length.
 *
 * Takes part in the ledger's transactions like a table, but writes nothing: it is made again from the tables at each start.
 * Two ids may have the same hash, and what was removed may still be named, so what is found is looked at. The hash has a
 * seed, so that nobody outside can choose ids that share one.
 */

/** What was said and is not committed yet. */
interface Pending {
  readonly added: Array<{ readonly id: string; readonly sequence: number }>;
  readonly removed: Array<{ readonly id: string; readonly sequence: number }>;
  /** The last one that was added under each id. */
  readonly latest: Map<string, number>;
}

export class IdIndex {
  readonly #seed: number;
  #fresh: Pending = nothing();
  #sent: Pending = nothing();
  /** What is committed; a list for the few hashes that have several. */
  readonly #sequences = new Map<number, number | readonly number[]>();

  /** `seed`: any 32 bits that nobody can foresee. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** At a start: what a table has. */
  load(id: string, sequence: number): void {
    const hash = hashOf(id, this.#seed);
    const before = this.#sequences.get(hash);
    if (before === undefined) this.#sequences.set(hash, sequence);
    else if (!sequencesOf(before).includes(sequence))
      this.#sequences.set(hash, [...sequencesOf(before), sequence]);
  }

  add(id: string, sequence: number): void {
    this.#fresh.added.push({ id, sequence });
    this.#fresh.latest.set(id, sequence);
  }

  remove(id: string, sequence: number): void {
    this.#fresh.removed.push({ id, sequence });
  }

  /** Those that may be of this id, the one that was added last first. */
  candidates(id: string): readonly number[] {
    const pending = [this.#fresh.latest.get(id), this.#sent.latest.get(id)].filter(
      (one) => one !== undefined,
    );
    const committed = this.#sequences.get(hashOf(id, this.#seed));
    return committed === undefined ? pending : [...pending, ...sequencesOf(committed).toReversed()];
  }

  /** The ledger sends a transaction. */
  send(): void {
    this.#sent = this.#fresh;
    this.#fresh = nothing();
  }

  committed(): void {
    for (const { id, sequence } of this.#sent.added) this.load(id, sequence);
    for (const { id, sequence } of this.#sent.removed) this.#forget(id, sequence);
    this.#sent = nothing();
  }

  undo(): void {
    this.#fresh = nothing();
    this.#sent = nothing();
  }

  #forget(id: string, sequence: number): void {
    const hash = hashOf(id, this.#seed);
    const rest = sequencesOf(this.#sequences.get(hash)).filter((other) => other !== sequence);
    const [only] = rest;
    if (only === undefined) this.#sequences.delete(hash);
    else this.#sequences.set(hash, rest.length === 1 ? only : rest);
  }
}

function nothing(): Pending {
  return { added: [], removed: [], latest: new Map() };
}

function sequencesOf(found: number | readonly number[] | undefined): readonly number[] {
  if (found === undefined) return [];
  return typeof found === 'number' ? [found] : found;
}

/** 32 bits with a sign: V8 keeps such numbers without an object for each. */
function hashOf(id: string, seed: number): number {
  let hash = seed | 0;
  for (let at = 0; at < id.length; at++) {
    hash ^= Math.imul(id.charCodeAt(at), 0x9e3779b1);
    hash = Math.imul((hash << 13) | (hash >>> 19), 0x85ebca6b);
  }
  hash ^= hash >>> 15;
  return Math.imul(hash, 0xc2b2ae35) | 0;
}
