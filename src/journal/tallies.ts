/**
 * Counts what the journal holds, by directive and in all, in the same transactions as the things themselves.
 *
 * The counts are in memory whole, one per directive that has something here, and written once per transaction.
 */
import type { Fill, Gauge } from './journal.ts';
import type { Ledger } from './ledger.ts';
import type { LedgerTable } from './ledger-table.ts';
import type { Tally } from './stored.ts';
import { talliesTable } from './tables.ts';

/** What is counted apart: the inbox and outbox by directive and in all, the rest in all. */
export type TallyName =
  | 'inbox'
  | 'outbox'
  | 'reports'
  | 'dead'
  | 'unreported'
  | 'done'
  | `inbox/${string}`
  | `outbox/${string}`;

const nothing: Tally = { messages: 0, bytes: 0, waiting: 0, cancels: 0 };

export class Tallies {
  readonly #table: LedgerTable<string, Tally>;

  constructor(ledger: Ledger) {
    this.#table = ledger.table(talliesTable, '', '\uffff');
  }

  get(name: TallyName): Tally {
    return this.#table.get(name) ?? nothing;
  }

  add(name: TallyName, change: Partial<Tally>): void {
    const before = this.get(name);
    const after = {
      messages: sum(before.messages, change.messages),
      bytes: sum(before.bytes, change.bytes),
      waiting: sum(before.waiting, change.waiting),
      cancels: sum(before.cancels, change.cancels),
    };
    if (after.messages > 0 || after.waiting > 0 || after.cancels > 0) this.#table.put(name, after);
    else this.#table.remove(name);
  }

  /** Directives of the inbox that have something waiting. */
  *waitingDirectives(): Iterable<string> {
    for (const [name, { waiting, cancels }] of this.#table.values()) {
      if (typeof name === 'string' && name.startsWith('inbox/') && waiting + cancels > 0) {
        yield name.slice('inbox/'.length);
      }
    }
  }
}

/** Never below zero: a damaged record that was put aside could not say what it counted for. */
function sum(before: number, change = 0): number {
  return Math.max(0, before + change);
}

/** The part of a limit that one directive may fill. */
export function shareOf({ messages, bytes }: Fill): Fill {
  return { messages: Math.max(1, Math.floor(messages / 2)), bytes: Math.floor(bytes / 2) };
}

export function gaugeOf({ messages, bytes }: Tally, limit: Fill): Gauge {
  return { messages, bytes, limit };
}

/** Whether something of this weight finds no room. */
export function isFull({ messages, bytes, limit }: Gauge, weight: number): boolean {
  return messages + 1 > limit.messages || bytes + weight > limit.bytes;
}
