/**
 * The journal on any store: puts the rules together.
 */
import type { Clock } from '../base/clock.ts';
import { DeadLetterOffice } from './dead-letters.ts';
import { DoneEntries } from './done-entries.ts';
import { IdIndex } from './id-index.ts';
import { JournalInbox } from './inbox.ts';
import type { DeadLetter, Journal, JournalLimits, Receipt } from './journal.ts';
import { KnownIds } from './known-ids.ts';
import { Ledger, type Trouble } from './ledger.ts';
import { MessageHistory } from './message-history.ts';
import { openTables } from './open-tables.ts';
import { JournalOutbox } from './outbox.ts';
import { receiptOf } from './outcome.ts';
import type { Key, Store } from './store.ts';
import { Tallies } from './tallies.ts';

export interface CreateJournalDeps {
  readonly store: Store;
  readonly limits: JournalLimits;
  /** Whether a dead letter is reported to the server. */
  readonly reportFailures: boolean;
  readonly clock: Clock;
  readonly uuid: () => string;
  /** 32 random bits. */
  readonly idSeed: number;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly contentDirectory: string;
  readonly cleanStart: boolean;
  readonly removeFile: (contentFile: string) => void;
  readonly onTrouble: (trouble: Trouble | undefined, reason: string) => void;
  readonly onDamaged: (table: string, key: Key, reason: string) => void;
  readonly onOverflow: (letter: DeadLetter) => void;
  /** Everything is flushed, or will never be: the last word before the store is closed. */
  readonly onClosing: (flushed: boolean) => void;
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** Whether a file of fetched content belongs to a request or dead letter. */
  readonly isReferred: (contentFile: string) => boolean;
}

/** Milliseconds between looks for what has become too old. */
const agingInterval = 60_000;
/** Milliseconds that `close` waits for a disk in trouble. */
const closeDeadline = 3_000;

export function createJournal(deps: CreateJournalDeps): OpenedJournal {
  const { store, limits, clock, contentDirectory, cleanStart, removeFile } = deps;
  const listeners = new Set<(trouble: Trouble | undefined) => void>();
  const ledger = new Ledger({
    store,
    clock,
    defer: deps.defer,
    onDamaged: deps.onDamaged,
    onTrouble(trouble, reason) {
      deps.onTrouble(trouble, reason);
      for (const listener of listeners) listener(trouble);
    },
  });
  const reportListeners = new Set<() => void>();
  const onReport = (): void => {
    for (const listener of reportListeners) listener();
  };
  const now = (): number => clock.now();
  const tables = openTables(ledger);
  const tallies = new Tallies(ledger);
  const index = new IdIndex(deps.idSeed);
  ledger.join(index);
  const done = new DoneEntries({ ledger, tables, tallies, limits, index });
  const ids = new KnownIds({ tables, index, done });
  const deadLetters = new DeadLetterOffice({
    ledger,
    tables,
    tallies,
    ids,
    limits,
    get reportFailures() {
      return deps.reportFailures;
    },
    now,
    uuid: deps.uuid,
    onOverflow: deps.onOverflow,
    removeFile,
    onReport,
  });
  const inbox = new JournalInbox({ ledger, tables, tallies, ids, deadLetters, limits, now, removeFile });
  const outbox = new JournalOutbox({ ledger, tables, tallies, inbox, deadLetters, limits, now, onReport });

  ledger.beforeEach(() => {
    ids.trim();
    done.gather();
    deadLetters.tidy();
  });

  function age(): void {
    let more = false;
    const { committed } = ledger.change(() => {
      more = [ids.trimAged(now()), deadLetters.dropAged()].includes(true);
    });
    // After a long time off there is much to forget: a step, a commit, the next step.
    if (more) void committed.then(age);
  }
  age();
  const aging = clock.every(agingInterval, age);

  function retry(sequence: number): Receipt | undefined {
    const dead = deadLetters.stored(sequence);
    if (!dead) return undefined;
    const { was } = dead;
    return was.kind === 'request' ? inbox.restore(dead, was.row) : outbox.restore(dead, was.row);
  }

  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    aging.cancel();
    const abort = new AbortController();
    const deadline = clock.after(closeDeadline, () => abort.abort());
    const flushed = await ledger.flush(abort.signal).then(
      () => true,
      () => false,
    );
    deadline.cancel();
    ledger.close();
    await store.close();
    deps.onClosing(flushed);
  }

  const journal: Journal = {
    inbox,
    outbox,
    done: {
      add(messageId) {
        const sequence = ledger.nextSequence();
        const at = now();
        const commit = ledger.change(() => {
          ids.put('command', messageId, { sequence, directive: '', hash: '' });
          ids.remember('command', messageId, sequence, at);
        });
        return receiptOf(sequence, commit);
      },
      has: (messageId) => ids.get('command', messageId) !== undefined,
    },
    dead: {
      onDead: (listener) => deadLetters.onDead(listener),
      list: (before, limit) => deadLetters.list(before, limit),
      get: (sequence) => deadLetters.get(sequence),
      body: (sequence) => deadLetters.body(sequence),
      retry,
      drop(sequence) {
        if (!deadLetters.stored(sequence)) return undefined;
        return receiptOf(
          sequence,
          ledger.change(() => deadLetters.drop(sequence)),
        );
      },
      get count() {
        return deadLetters.count;
      },
    },
    messages: new MessageHistory(tables, done),
    contentDirectory,
    cleanStart,
    get trouble() {
      return ledger.trouble;
    },
    get stalledFor() {
      return ledger.stalledFor;
    },
    onTrouble(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onReport(listener) {
      reportListeners.add(listener);
      return () => reportListeners.delete(listener);
    },
    flush: (abort) => ledger.flush(abort),
    close() {
      closing ??= close();
      return closing;
    },
  };
  return { journal, isReferred: (contentFile) => tables.files.get(contentFile) !== undefined };
}
