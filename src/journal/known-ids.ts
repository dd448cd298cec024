/**
 * What became of a message id: the ids of requests and carried out commands.
 *
 * An id is written once and names a sequence; where that sequence is found says the rest. The id of a request that was
 * offered at once stays with its row, and with what is remembered of it when it is done, and is found by the index; that of
 * one that had to wait, or died, has a row of its own, because there may be very many of those.
 */
import { createHash } from 'node:crypto';
import type { DoneEntries, DoneEntry } from './done-entries.ts';
import type { IdIndex } from './id-index.ts';
import { inPages, type Tables } from './open-tables.ts';
import { finished } from './request-states.ts';
import type { StoredId, StoredRequest } from './stored.ts';

/** LMDB's keys are short; a longer id is known by its hash, and so is one that is not well-formed Unicode. */
const longestKey = 256;

const loneSurrogate = /\p{Surrogate}/u;

export type IdKind = 'request' | 'command';

export interface KnownIdsDeps {
  readonly tables: Pick<Tables, 'ids' | 'working'>;
  readonly index: IdIndex;
  readonly done: DoneEntries;
}

export class KnownIds {
  readonly #ids: Tables['ids'];
  readonly #working: Tables['working'];
  readonly #index: IdIndex;
  readonly #done: DoneEntries;

  constructor({ tables, index, done }: KnownIdsDeps) {
    this.#ids = tables.ids;
    this.#working = tables.working;
    this.#index = index;
    this.#done = done;
    for (const { key, value } of inPages(tables.working, 1_000)) {
      if (value.hash) index.load(keyOf('request', value.messageId), key);
    }
  }

  /** The latest under this id. */
  get(kind: IdKind, messageId: string): StoredId | undefined {
    const id = keyOf(kind, messageId);
    const listed = this.#ids.get(id);
    // Commands are always listed.
    if (kind === 'command') return listed;
    const look = (sequence: number): StoredId | undefined => this.#kept(id, messageId, sequence);
    return this.#index.find(id, listed?.sequence ?? 0, look) ?? listed;
  }

  put(kind: IdKind, messageId: string, id: StoredId): void {
    this.#ids.put(keyOf(kind, messageId), id);
  }

  /** Within a write: the id of this row, which came just now, stays with it. */
  keep({ messageId, sequence }: StoredRequest): void {
    this.#index.add(keyOf('request', messageId), sequence);
  }

  /** Within a write: the id of this row, which came just now, gets a row of its own. */
  list(row: StoredRequest): StoredRequest {
    this.put('request', row.messageId, idOf(row));
    return { ...row, hash: '' };
  }

  /** Within a write: the same for one that came before, and is about to wait or is dead. */
  relist(row: StoredRequest): StoredRequest {
    if (!row.hash) return row;
    const listed = this.#ids.get(keyOf('request', row.messageId));
    // The id may belong to a later request by now.
    return listed && listed.sequence > row.sequence ? { ...row, hash: '' } : this.list(row);
  }

  isDone(sequence: number): boolean {
    return this.#done.has(sequence);
  }

  /** Within a write: this request is done; its id is remembered until it is among the oldest. */
  finish(row: StoredRequest, at: number): void {
    const id = keyOf('request', row.messageId);
    const hash = row.hash || this.#unlist(id, row.sequence);
    if (!row.hash && hash) this.#index.add(id, row.sequence);
    this.#done.put(row.sequence, { id, at, was: finished(row), hash });
  }

  /** Within a write: the id of what is not a finished request is remembered until it is among the oldest. */
  remember(kind: IdKind, messageId: string, sequence: number, at: number): void {
    this.#done.put(sequence, { id: keyOf(kind, messageId), at, hash: '' });
  }

  /** As if this sequence had never been seen. */
  forget(kind: IdKind, messageId: string, sequence: number): void {
    const id = keyOf(kind, messageId);
    this.#unlist(id, sequence);
    this.#index.remove(id, sequence);
  }

  /** Within a write: forgets the oldest over the limits, a step at a time. */
  trim(): void {
    this.#forgetAll(this.#done.trim());
  }

  /** Within a write: forgets a step of those that are too old; says whether there may be more. */
  trimAged(now: number): boolean {
    const forgotten = this.#done.trimAged(now);
    this.#forgetAll(forgotten);
    return forgotten.length > 0;
  }

  /** What is known of a sequence that the index names, when it is of this id and its id has no row of its own. */
  #kept(id: string, messageId: string, sequence: number): StoredId | undefined {
    const row = this.#working.get(sequence);
    if (row) return row.hash && row.messageId === messageId ? idOf(row) : undefined;
    const done = this.#done.get(sequence);
    if (!done?.hash || done.id !== id) return undefined;
    return { sequence, directive: done.was?.directive ?? '', hash: done.hash };
  }

  #forgetAll(entries: readonly DoneEntry[]): void {
    for (const { sequence, done } of entries) {
      if (!done.hash) this.#unlist(done.id, sequence);
      this.#index.remove(done.id, sequence);
    }
  }

  /** Takes the row of an id away, and says its hash; that of a later sequence under this id is left alone. */
  #unlist(id: string, sequence: number): string {
    const listed = this.#ids.get(id);
    if (listed?.sequence !== sequence) return '';
    this.#ids.remove(id);
    return listed.hash;
  }
}

function idOf({ sequence, directive, hash }: StoredRequest): StoredId {
  return { sequence, directive, hash };
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
