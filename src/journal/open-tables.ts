/**
 * The tables of the journal, opened once and shared by its parts.
 */
import { doneBlocksTable, doneTable } from './done-tables.ts';
import type { Ledger } from './ledger.ts';
import type { LedgerTable } from './ledger-table.ts';
import type {
  DoneBlock,
  StoredBody,
  StoredDead,
  StoredDone,
  StoredId,
  StoredRequest,
  StoredResponse,
} from './stored.ts';
import {
  bodiesTable,
  cancelsTable,
  deadTable,
  filesTable,
  idsTable,
  reportsTable,
  requestsTable,
  responsesTable,
  unreportedTable,
  waitingTable,
  workingTable,
} from './tables.ts';

/** Larger than any sequence. */
export const lastSequence: number = Number.MAX_SAFE_INTEGER;

export interface Tables {
  readonly requests: LedgerTable<number, StoredRequest>;
  readonly working: LedgerTable<number, StoredRequest>;
  readonly waiting: LedgerTable<readonly [string, number], true>;
  readonly cancels: LedgerTable<readonly [string, number], true>;
  readonly responses: LedgerTable<number, StoredResponse>;
  readonly reports: LedgerTable<number, StoredResponse>;
  readonly dead: LedgerTable<number, StoredDead>;
  readonly unreported: LedgerTable<number, true>;
  readonly bodies: LedgerTable<number, StoredBody>;
  readonly ids: LedgerTable<string, StoredId>;
  readonly done: LedgerTable<number, StoredDone>;
  readonly doneBlocks: LedgerTable<number, DoneBlock>;
  readonly files: LedgerTable<string, number>;
}

export function openTables(ledger: Ledger): Tables {
  return {
    requests: ledger.table(requestsTable),
    working: ledger.table(workingTable),
    waiting: ledger.table(waitingTable),
    cancels: ledger.table(cancelsTable),
    responses: ledger.table(responsesTable),
    reports: ledger.table(reportsTable),
    dead: ledger.table(deadTable),
    unreported: ledger.table(unreportedTable),
    bodies: ledger.table(bodiesTable),
    ids: ledger.table(idsTable),
    done: ledger.table(doneTable),
    doneBlocks: ledger.table(doneBlocksTable),
    files: ledger.table(filesTable),
  };
}

/** A table in order, so much of it at a time. */
export function* inPages<V>(
  table: LedgerTable<number, V>,
  limit: number,
): Iterable<{ readonly key: number; readonly value: V }> {
  for (let after = 0; ; ) {
    const page = table.page({ after, before: lastSequence, limit });
    yield* page;
    const last = page.at(-1);
    if (!last) return;
    after = last.key;
  }
}
