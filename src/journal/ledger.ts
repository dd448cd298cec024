/**
 * Turns the writes of the rules into transactions, one for each turn of the event loop: carried out or taken back.
 *
 * Owns the order of transactions, the retries, and the word on how the disk is doing (`trouble`). One transaction is
 * under way at a time; meanwhile the next one gathers, so that a slow disk makes them larger, not more.
 *
 * When a transaction fails, everything not committed is forgotten; its adds are refused; its changes, and those behind
 * it, are made again, in order, until the disk takes them. So a change is a function that looks at what is there when it
 * runs: the adds it relied on may be gone.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import { type Batch, emptyBatch, type Transacted } from './ledger-batch.ts';
import {
  type DamagedEntry,
  damagedLimit,
  damagedTable,
  metaTable,
  sequenceKey,
} from './ledger-own-tables.ts';
import { LedgerTable, type TableFormat, type TableHost } from './ledger-table.ts';
import { Outcome } from './outcome.ts';
import type { Key, Store, Write, Written } from './store.ts';

export type Trouble = 'full' | 'failing' | 'slow';

export interface LedgerDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly onTrouble: (trouble: Trouble | undefined, reason: string) => void;
  readonly onDamaged: (table: string, key: Key, reason: string) => void;
}

/** Milliseconds after which a transaction that is still under way makes the disk `slow`. */
const slowAfter = 2_000;
/** Milliseconds a write that nobody waits for may wait for others. */
const soon = 5;
/** Milliseconds between tries of a transaction that failed. */
const firstRetry = 100;
const lastRetry = 4_000;

export class Ledger implements TableHost {
  readonly store: Store;
  readonly #deps: LedgerDeps;
  readonly #parts: Transacted[] = [];
  readonly #meta: LedgerTable<string, number>;
  readonly #damaged: LedgerTable<number, DamagedEntry>;
  #gathering: Batch | undefined;
  #underWay: Batch | undefined;
  /** Set if and only if a transaction waits for its next try. */
  #retry: Timer | undefined;
  /** Set while writes that nobody waits for may go out alone. */
  #pending: Timer | undefined;
  #retryDelay = firstRetry;
  /** Set if and only if something may become slow. */
  #watch: Timer | undefined;
  #sentAt = 0;
  #closed = false;
  #trouble: Trouble | undefined;
  #refusal: Outcome | undefined;
  #sequence = 0;
  /** When each transaction was sent that is committed and not flushed; they are flushed in order. */
  readonly #unflushed: number[] = [];
  /** When the last transaction that was committed is flushed. */
  #flushing: Promise<void> = done;
  #flushWaiters: Array<() => void> = [];
  #housekeeping: () => void = () => {};

  constructor(deps: LedgerDeps) {
    this.#deps = deps;
    this.store = deps.store;
    this.#meta = this.table(metaTable, '', '\uffff');
    this.#damaged = this.table(damagedTable);
    this.#sequence = this.#meta.get(sequenceKey) ?? 0;
  }

  /** Opens a table; `first` and `last` enclose the keys of one that is kept whole. */
  table<K extends Key, V>(format: TableFormat<K, V>, first?: K, last?: K): LedgerTable<K, V> {
    const table = new LedgerTable(format, this);
    this.join(table);
    if (first !== undefined && last !== undefined) table.load(first, last);
    return table;
  }

  /** Lets it take part in every transaction from now on. */
  join(part: Transacted): void {
    this.#parts.push(part);
  }

  /** Called before each transaction is sent; what it writes goes with it. */
  beforeEach(housekeeping: () => void): void {
    this.#housekeeping = housekeeping;
  }

  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Milliseconds for which the oldest write under way has waited for the disk; a refusal is an answer too. */
  get stalledFor(): number {
    if (!this.#underWay && this.#unflushed.length === 0) return 0;
    return this.#deps.clock.monotonic() - (this.#unflushed[0] ?? this.#sentAt);
  }

  /** Never given out twice, also not after a crash. */
  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** A write that may be refused. Nothing of it remains when it is. */
  add(write: () => void): Written {
    if (this.#refusal) return this.#refusal;
    const batch = this.#gather();
    write();
    batch.adds ??= new Outcome();
    return batch.adds;
  }

  /**
   * A write that is never refused, only late. It may run more than once. `soon`: nobody waits for it, and a transaction
   * of its own would only keep the next one waiting, so it goes with that one, or alone a few milliseconds later.
   */
  change(write: () => void, when: 'now' | 'soon' = 'now'): Written {
    const batch = this.#gather(when);
    write();
    batch.changes.push(write);
    return batch.outcome;
  }

  /** Called within a write: calls back once, when that write is committed. A write that runs again calls this again. */
  afterCommit(callback: () => void): void {
    this.#gather().afterwards.add(callback);
  }

  /** The same for when that write is flushed, however often the callback was given before. */
  afterFlush(callback: () => void): void {
    this.#gather().afterFlush.push(callback);
  }

  /** Puts a record aside, where it hurts nobody and can be looked at. */
  damaged(table: string, key: Key, record: Uint8Array, reason: string, remove: () => void): void {
    const place = this.nextSequence() % damagedLimit;
    const entry = { table, key: JSON.stringify(key), reason, record };
    this.change(() => {
      remove();
      this.#damaged.put(place, entry);
    });
    this.#deps.onDamaged(table, key, reason);
  }

  /** Resolves when everything written so far is flushed; rejects with the reason of `abort`. */
  flush(abort?: AbortSignal): Promise<void> {
    if (this.#quiet) return Promise.resolve();
    if (this.#gathering) this.#hurry(this.#gathering);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const at = this.#flushWaiters.indexOf(done);
        if (at >= 0) this.#flushWaiters.splice(at, 1);
        reject(abort?.reason);
      };
      const done = (): void => {
        abort?.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#flushWaiters.push(done);
      abort?.addEventListener('abort', onAbort, { once: true });
      if (abort?.aborted) onAbort();
    });
  }

  /** Stops trying. What is not committed by now is lost, as in a crash. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#pending?.cancel();
    this.#watch?.cancel();
    this.#refusal ??= Outcome.refused(new YggError('YGG_CLOSED', 'The journal is closed.'));
  }

  get #quiet(): boolean {
    return !this.#gathering && !this.#underWay && this.#unflushed.length === 0;
  }

  #gather(when: 'now' | 'soon' = 'now'): Batch {
    this.#gathering ??= emptyBatch();
    const batch = this.#gathering;
    if (when === 'now') this.#hurry(batch);
    else if (!batch.urgent && !this.#underWay && !this.#retry) this.#sendSoon();
    return batch;
  }

  #hurry(batch: Batch): void {
    if (batch.urgent) return;
    batch.urgent = true;
    if (!this.#underWay && !this.#retry) this.#deps.defer(() => this.#send());
  }

  /** Not for long: an urgent write takes what has gathered with it before. */
  #sendSoon(): void {
    this.#pending ??= this.#deps.clock.after(soon, () => {
      this.#pending = undefined;
      this.#send();
    });
  }

  #send(): void {
    if (this.#underWay || this.#retry || this.#closed || !this.#gathering) return;
    this.#housekeeping();
    const batch = this.#gathering;
    // A batch without writes is sent too while there is trouble: it finds out whether the disk is well again.
    if (this.#trouble || (this.#meta.get(sequenceKey) ?? 0) !== this.#sequence) {
      this.#meta.put(sequenceKey, this.#sequence);
    }
    const writes: Write[] = [];
    for (const part of this.#parts) part.send(writes);
    this.#gathering = undefined;
    this.#underWay = batch;
    this.#sentAt = this.#deps.clock.monotonic();
    this.#watch ??= this.#deps.clock.after(slowAfter, this.#onWatch);
    // What found its work done by a write before is flushed when that one is.
    const { committed, flushed } =
      writes.length > 0 ? this.store.write(writes) : { committed: done, flushed: this.#flushing };
    committed.then(
      () => this.#onCommitted(batch, flushed),
      (error: unknown) => this.#onFailed(batch, error),
    );
  }

  #onCommitted(batch: Batch, flushed: Promise<void>): void {
    for (const part of this.#parts) part.committed();
    this.#underWay = undefined;
    this.#retryDelay = firstRetry;
    const outcomes = [batch.outcome, ...batch.earlier];
    if (batch.adds) outcomes.push(batch.adds);
    for (const outcome of outcomes) outcome.commit();
    for (const callback of batch.afterwards) callback();
    this.#unflushed.push(this.#sentAt);
    this.#flushing = flushed;
    void flushed.then(() => this.#onFlushed(batch, outcomes));
    if (this.#gathering?.urgent) this.#deps.defer(() => this.#send());
    else if (this.#gathering) this.#sendSoon();
  }

  #onFlushed(batch: Batch, outcomes: readonly Outcome[]): void {
    this.#unflushed.shift();
    if (this.#trouble && this.#unflushed.length === 0 && !this.#retry) this.#setTrouble(undefined, '');
    for (const outcome of outcomes) outcome.flush();
    for (const callback of batch.afterFlush) callback();
    if (this.#quiet) for (const done of this.#flushWaiters.splice(0)) done();
  }

  #onFailed(batch: Batch, error: unknown): void {
    const failure =
      error instanceof YggError ? error : new YggError('YGG_JOURNAL_IO', String(error), { cause: error });
    if (this.#closed) return;
    const behind = this.#gathering;
    for (const part of this.#parts) part.undo();
    this.#underWay = undefined;
    const next: Batch = {
      ...emptyBatch(),
      urgent: true,
      changes: [...batch.changes, ...(behind?.changes ?? [])],
      outcome: behind?.outcome ?? new Outcome(),
      earlier: [...batch.earlier, batch.outcome],
    };
    this.#gathering = next;
    for (const change of next.changes) change();
    this.#retry = this.#deps.clock.after(this.#retryDelay, () => {
      this.#retry = undefined;
      this.#send();
    });
    this.#retryDelay = Math.min(lastRetry, this.#retryDelay * 2);
    this.#setTrouble(failure.code === 'YGG_JOURNAL_FULL' ? 'full' : 'failing', failure.message, failure);
    batch.adds?.refuse(failure);
    behind?.adds?.refuse(failure);
  }

  /** One timer looks after all transactions, so that each costs nothing. */
  readonly #onWatch = (): void => {
    this.#watch = undefined;
    if (this.#closed || (!this.#underWay && this.#unflushed.length === 0)) return;
    if (this.stalledFor >= slowAfter && !this.#trouble) {
      const reason = `A write has been under way for more than ${slowAfter} ms.`;
      this.#setTrouble('slow', reason, new YggError('YGG_JOURNAL_IO', `The disk is slow: ${reason}`));
    }
    this.#watch = this.#deps.clock.after(slowAfter, this.#onWatch);
  };

  #setTrouble(trouble: Trouble | undefined, reason: string, refusal?: YggError): void {
    const before = this.#trouble;
    this.#trouble = trouble;
    this.#refusal = refusal && Outcome.refused(refusal);
    if (trouble !== before) this.#deps.onTrouble(trouble, reason);
  }
}

const done = Promise.resolve();
