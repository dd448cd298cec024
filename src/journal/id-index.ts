/**
 * Where an id may be found: the sequences of many ids, by a hash of each, so that an id takes a few bytes of memory and not
 * its length.
 *
 * Takes part in the ledger's transactions, but writes nothing: it is made again from the tables at each start. It may name
 * too many sequences, never too few: two ids may have the same hash, and what is not committed is named as well as what is
 * about to be removed. So whoever asks looks at what is found. The hash has a seed, so that nobody outside can choose ids
 * that share one.
 *
 * A sequence that was removed never comes again.
 */

interface Place {
  readonly hash: number;
  readonly sequence: number;
}

/** What was said and is not committed yet. */
interface Pending {
  readonly added: Place[];
  readonly removed: Place[];
}

export class IdIndex {
  readonly #seed: number;
  /** A list in order for the few hashes that have several. */
  readonly #sequences = new Map<number, number | number[]>();
  #fresh: Pending = nothing();
  #sent: Pending = nothing();

  /** `seed`: any 32 bits that nobody can foresee. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** At a start: what a table has. */
  load(id: string, sequence: number): void {
    this.#insert({ hash: hashOf(id, this.#seed), sequence });
  }

  /** Within a write. */
  add(id: string, sequence: number): void {
    const place = { hash: hashOf(id, this.#seed), sequence };
    if (this.#insert(place)) this.#fresh.added.push(place);
  }

  /** Within a write: nothing is ever going to be known of this sequence again. */
  remove(id: string, sequence: number): void {
    this.#fresh.removed.push({ hash: hashOf(id, this.#seed), sequence });
  }

  /** What `look` finds under the latest sequence that may be of this id and comes after `after`. */
  find<T>(id: string, after: number, look: (sequence: number) => T | undefined): T | undefined {
    const sequences = this.#sequences.get(hashOf(id, this.#seed));
    if (sequences === undefined) return undefined;
    if (typeof sequences === 'number') return sequences > after ? look(sequences) : undefined;
    for (let at = sequences.length - 1; at >= 0; at--) {
      const sequence = sequences[at] ?? 0;
      if (sequence <= after) return undefined;
      const found = look(sequence);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The ledger sends a transaction. */
  send(): void {
    this.#sent = this.#fresh;
    this.#fresh = nothing();
  }

  committed(): void {
    for (const place of this.#sent.removed) this.#delete(place);
    this.#sent = nothing();
  }

  undo(): void {
    for (const { added } of [this.#sent, this.#fresh]) for (const place of added) this.#delete(place);
    this.#fresh = nothing();
    this.#sent = nothing();
  }

  /** Says whether it is new. */
  #insert({ hash, sequence }: Place): boolean {
    const before = this.#sequences.get(hash);
    if (before === undefined) {
      this.#sequences.set(hash, sequence);
      return true;
    }
    const list = typeof before === 'number' ? [before] : before;
    let at = list.length;
    while (at > 0 && (list[at - 1] ?? 0) > sequence) at -= 1;
    if (list[at - 1] === sequence) return false;
    // Sequences rise: nearly every one belongs at the end, also when a server uses one id for all its messages.
    list.splice(at, 0, sequence);
    this.#sequences.set(hash, list);
    return true;
  }

  #delete({ hash, sequence }: Place): void {
    const sequences = this.#sequences.get(hash);
    if (sequences === sequence) {
      this.#sequences.delete(hash);
    } else if (typeof sequences === 'object') {
      const at = sequences.indexOf(sequence);
      if (at >= 0) sequences.splice(at, 1);
      const [only] = sequences;
      if (sequences.length === 1 && only !== undefined) this.#sequences.set(hash, only);
    }
  }
}

function nothing(): Pending {
  return { added: [], removed: [] };
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
