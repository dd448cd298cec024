/**
 * Reads all tables as one list of messages, the latest first. Writes nothing.
 *
 * Each table is in order by itself; the next message of the list is the latest that any of them has, so they are
 * merged as they are read, a few entries of each ahead.
 */
import type { DoneEntries } from './done-entries.ts';
import { messageIdOf } from './known-ids.ts';
import type { LedgerTable } from './ledger-table.ts';
import type { MessagePage, MessageRecord, Messages } from './message-record.ts';
import { lastSequence, type Tables } from './open-tables.ts';
import type { StoredDead, StoredDone, StoredRequest, StoredResponse } from './stored.ts';

/** Entries read of each table at a time. */
const ahead = 32;

type Source = (range: {
  readonly before: number;
  readonly limit: number;
}) => ReadonlyArray<{ readonly sequence: number; readonly record: MessageRecord | undefined }>;

export class MessageHistory implements Messages {
  readonly #tables: Tables;
  readonly #done: DoneEntries;
  readonly #sources: readonly Source[];

  constructor(tables: Tables, done: DoneEntries) {
    this.#tables = tables;
    this.#done = done;
    this.#sources = [
      sourceOf(tables.requests, (_sequence, row) => ofRequest(row)),
      sourceOf(tables.working, (_sequence, row) => ofRequest(row)),
      sourceOf(tables.responses, (_sequence, row) => ofResponse(row)),
      sourceOf(tables.reports, (_sequence, row) => ofResponse(row)),
      sourceOf(tables.dead, (_sequence, dead) => ofDead(dead)),
      sourceOf(tables.done, ofDone),
      ({ before }) =>
        done
          .inBlocks(before)
          .map((entry) => ({ sequence: entry.sequence, record: ofDone(entry.sequence, entry.done) })),
    ];
  }

  page(limit: number, before: number = lastSequence): MessagePage {
    const cursors = this.#sources.map((source) => new Cursor(source, before));
    const records: MessageRecord[] = [];
    let next = before;
    for (let looked = 0; looked < limit; looked++) {
      const latest = latestOf(cursors);
      if (latest === undefined) return { records, next: undefined };
      const { sequence, record } = latest.take();
      next = sequence;
      if (record) records.push(record);
    }
    return { records, next };
  }

  get(sequence: number): MessageRecord | undefined {
    const { requests, working, responses, reports, dead } = this.#tables;
    const request = working.get(sequence) ?? requests.get(sequence);
    if (request) return ofRequest(request);
    const response = responses.get(sequence) ?? reports.get(sequence);
    if (response) return ofResponse(response);
    const letter = dead.get(sequence);
    if (letter) return ofDead(letter);
    const finished = this.#done.get(sequence);
    return finished && ofDone(sequence, finished);
  }
}

/** Reads one table from its latest entry to its first. */
class Cursor {
  readonly #source: Source;
  #before: number;
  #read: ReturnType<Source> = [];
  #next = 0;

  constructor(source: Source, before: number) {
    this.#source = source;
    this.#before = before;
  }

  /** The sequence of the next entry; 0 when there is none. */
  get sequence(): number {
    if (this.#next === this.#read.length && this.#before > 0) {
      this.#read = this.#source({ before: this.#before, limit: ahead });
      this.#next = 0;
      this.#before = this.#read.at(-1)?.sequence ?? 0;
    }
    return this.#read[this.#next]?.sequence ?? 0;
  }

  take(): { readonly sequence: number; readonly record: MessageRecord | undefined } {
    const entry = this.#read[this.#next];
    if (!entry) throw new TypeError('nothing is left to take');
    this.#next += 1;
    return entry;
  }
}

function latestOf(cursors: readonly Cursor[]): Cursor | undefined {
  let latest: Cursor | undefined;
  for (const cursor of cursors) {
    if (cursor.sequence > (latest?.sequence ?? 0)) latest = cursor;
  }
  return latest;
}

function sourceOf<V>(
  table: LedgerTable<number, V>,
  recordOf: (sequence: number, value: V) => MessageRecord | undefined,
): Source {
  return ({ before, limit }) =>
    table
      .page({ after: 0, before, limit, newestFirst: true })
      .map(({ key, value }) => ({ sequence: key, record: recordOf(key, value) }));
}

const alive = { reason: '', explanation: '', report: 'none' } as const;

function ofRequest(row: StoredRequest): MessageRecord {
  return {
    ...alive,
    sequence: row.sequence,
    kind: 'request',
    messageId: row.messageId,
    responseTo: row.responseTo,
    directive: row.directive,
    state: row.state,
    size: row.size,
    queuedAt: row.receivedAt,
    startedAt: row.startedAt,
    updatedAt: row.updatedAt,
    attempts: row.attempt,
    cancel: row.cancel,
    origin: row.origin,
    redelivery: row.attempt > 0 ? row.redelivery : '',
    contentFile: row.contentFile,
  };
}

function ofResponse(row: StoredResponse): MessageRecord {
  return {
    ...alive,
    sequence: row.sequence,
    kind: row.kind,
    messageId: row.messageId,
    responseTo: row.responseTo,
    directive: row.directive,
    state: 'returned',
    size: row.size,
    queuedAt: row.returnedAt,
    startedAt: 0,
    updatedAt: row.returnedAt,
    attempts: row.failures + row.closes,
    cancel: false,
    origin: '',
    redelivery: '',
    contentFile: '',
  };
}

function ofDead({ was, reason, message, diedAt, report }: StoredDead): MessageRecord {
  const record = was.kind === 'request' ? ofRequest(was.row) : ofResponse(was.row);
  return { ...record, state: 'dead', reason, explanation: message, report, updatedAt: diedAt };
}

/** Commands and dropped dead letters are remembered among the done ids, and are no messages that are done. */
function ofDone(sequence: number, { id, at, was }: StoredDone): MessageRecord | undefined {
  if (!was) return undefined;
  return {
    ...alive,
    ...was,
    sequence,
    kind: 'request',
    messageId: messageIdOf(id),
    responseTo: '',
    state: 'done',
    updatedAt: at,
    contentFile: '',
  };
}
