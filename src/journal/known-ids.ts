/**
 * What became of a message id: the ids of requests and carried out commands, and the order in which they are
 * forgotten.
 *
 * An id is written once, when it arrives, and names a sequence; where that sequence is found says the rest.
 */
import { createHash } from 'node:crypto';
import type { JournalLimits } from './journal.ts';
import { lastSequence, type Tables } from './open-tables.ts';
import type { FinishedRequest, StoredDone, StoredId } from './stored.ts';
import type { Tallies } from './tallies.ts';

/** How many ids are forgotten in one transaction at most. */
const trimStep = 256;
/** LMDB's keys are short; a longer id is known by its hash, and so is one that is not well-formed Unicode. */
const longestKey = 256;

const loneSurrogate = /\p{Surrogate}/u;

export type IdKind = 'request' | 'command';

export interface KnownIdsDeps {
  readonly tables: Pick<Tables, 'ids' | 'done'>;
  readonly tallies: Tallies;
  readonly limits: Pick<JournalLimits, 'done'>;
}

export class KnownIds {
  readonly #ids: Tables['ids'];
  readonly #done: Tables['done'];
  readonly #tallies: Tallies;
  readonly #limits: Pick<JournalLimits, 'done'>;

  constructor({ tables, tallies, limits }: KnownIdsDeps) {
    this.#ids = tables.ids;
    this.#done = tables.done;
    this.#tallies = tallies;
    this.#limits = limits;
  }

  get(kind: IdKind, messageId: string): StoredId | undefined {
    return this.#ids.get(keyOf(kind, messageId));
  }

  put(kind: IdKind, messageId: string, id: StoredId): void {
    this.#ids.put(keyOf(kind, messageId), id);
  }

  isDone(sequence: number): boolean {
    return this.#done.get(sequence) !== undefined;
  }

  /** The id of this sequence is done with; it is remembered until it is among the oldest. */
  finish(kind: IdKind, messageId: string, sequence: number, at: number, was?: FinishedRequest): void {
    this.#done.put(sequence, { id: keyOf(kind, messageId), at, was });
    this.#tallies.add('done', { messages: 1 });
  }

  /** As if this sequence had never been seen. The id may belong to a later one by now, which is left alone. */
  forget(kind: IdKind, messageId: string, sequence: number): void {
    this.#forget(keyOf(kind, messageId), sequence);
  }

  /** Forgets the oldest over the limits, a step at a time. */
  trim(): void {
    const excess = this.#tallies.get('done').messages - this.#limits.done.messages;
    if (excess > 0) this.#trimOldest(Math.min(excess, trimStep), () => true);
  }

  /** Forgets a step of those that are too old; says whether there may be more. */
  trimAged(now: number): boolean {
    return this.#trimOldest(trimStep, ({ at }) => now - at > this.#limits.done.age) === trimStep;
  }

  #trimOldest(limit: number, isDue: (done: StoredDone) => boolean): number {
    let trimmed = 0;
    for (const { key: sequence, value } of this.#done.page({ after: 0, before: lastSequence, limit })) {
      if (!isDue(value)) break;
      this.#done.remove(sequence);
      this.#forget(value.id, sequence);
      trimmed += 1;
    }
    if (trimmed > 0) this.#tallies.add('done', { messages: -trimmed });
    return trimmed;
  }

  #forget(key: string, sequence: number): void {
    if (this.#ids.get(key)?.sequence === sequence) this.#ids.remove(key);
  }
}

/** The message id in a key; empty for one so long that only its hash is kept. */
export function messageIdOf(key: string): string {
  return key[1] === '/' ? key.slice(2) : '';
}

function keyOf(kind: IdKind, messageId: string): string {
  const mark = kind === 'request' ? 'r' : 'c';
  // Keys are kept as UTF-8, in which all lone surrogates are the same.
  if (loneSurrogate.test(messageId)) return `${mark}#${sha256(Buffer.from(messageId, 'utf16le'))}`;
  if (messageId.length <= longestKey) return `${mark}/${messageId}`;
  return `${mark}#${sha256(messageId)}`;
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
