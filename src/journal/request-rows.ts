/**
 * The rows of unfinished requests: where each lies, in which order they wait, and what they count for.
 *
 * Waiting rows and working rows (offered, in hand) are apart, so that what a crash left in work is found without
 * looking through all that waits. All writes of a row go through `move`.
 */
import type { RequestRow } from './journal.ts';
import type { Ledger } from './ledger.ts';
import { lastSequence, type Tables } from './open-tables.ts';
import { isWaiting } from './request-states.ts';
import type { StoredRequest, Tally } from './stored.ts';
import type { Tallies } from './tallies.ts';

export interface RequestRowsDeps {
  readonly ledger: Ledger;
  readonly tables: Pick<Tables, 'requests' | 'working' | 'waiting' | 'cancels'>;
  readonly tallies: Tallies;
}

/** The orders in which requests wait, one directive at a time. Cancels overtake. */
export type WaitingOrder = 'waiting' | 'cancels';

export class RequestRows {
  readonly #deps: RequestRowsDeps;

  constructor(deps: RequestRowsDeps) {
    this.#deps = deps;
  }

  get(sequence: number): StoredRequest | undefined {
    const { working, requests } = this.#deps.tables;
    // Memory first: a row of one table would else be looked for on the disk in the other.
    const recalled = working.recall(sequence) ?? requests.recall(sequence);
    return recalled ?? working.get(sequence) ?? requests.get(sequence);
  }

  /** Offered and in hand, by sequence. */
  working(after: number, limit: number): readonly RequestRow[] {
    return this.#deps.tables.working.page({ after, before: lastSequence, limit }).map(({ value }) => value);
  }

  /** Waiting in one order, by sequence. */
  waiting(order: WaitingOrder, directive: string, limit: number, after: number): readonly RequestRow[] {
    const { tables } = this.#deps;
    const range = { after: [directive, after], before: [directive, lastSequence], limit } as const;
    const rows: RequestRow[] = [];
    const missing: Array<readonly [string, number]> = [];
    for (const { key } of tables[order].page(range)) {
      const row = tables.requests.get(key[1]);
      if (row) rows.push(row);
      else missing.push(key);
    }
    if (missing.length > 0) this.#forgetDamaged(order, missing);
    return rows;
  }

  /** Within a write: a row comes (`before` is not set), changes, or goes (`after` is not set). */
  move(before: StoredRequest | undefined, after: StoredRequest | undefined): void {
    const { tables, tallies } = this.#deps;
    const wasWaiting = before && isWaiting(before);
    const waits = after && isWaiting(after);
    if (before && wasWaiting && !waits) {
      tables.requests.remove(before.sequence);
      this.#orderOf(before).remove([before.directive, before.sequence]);
    }
    if (before && !wasWaiting && (waits || !after)) tables.working.remove(before.sequence);
    if (after) tables[waits ? 'requests' : 'working'].put(after.sequence, after);
    if (after && waits && !wasWaiting) this.#orderOf(after).put([after.directive, after.sequence], true);

    const change = difference(before, after);
    if (!change) return;
    tallies.add('inbox', change);
    tallies.add(`inbox/${(after ?? before)?.directive ?? ''}`, change);
  }

  #orderOf({ cancel }: StoredRequest): Tables['waiting'] {
    return cancel ? this.#deps.tables.cancels : this.#deps.tables.waiting;
  }

  /** The rows of these were damaged and put aside; what they weighed nobody knows any more. */
  #forgetDamaged(order: WaitingOrder, keys: ReadonlyArray<readonly [string, number]>): void {
    const { ledger, tables, tallies } = this.#deps;
    ledger.change(() => {
      for (const key of keys) {
        tables[order].remove(key);
        const change = order === 'waiting' ? { messages: -1, waiting: -1 } : { messages: -1, cancels: -1 };
        tallies.add('inbox', change);
        tallies.add(`inbox/${key[0]}`, change);
      }
    });
  }
}

/** What a move changes in the counts; `undefined` when nothing. */
function difference(before: StoredRequest | undefined, after: StoredRequest | undefined): Tally | undefined {
  const old = before && countOf(before);
  const young = after && countOf(after);
  const change = (field: keyof Tally): number => (young?.[field] ?? 0) - (old?.[field] ?? 0);
  const tally = {
    messages: change('messages'),
    bytes: change('bytes'),
    waiting: change('waiting'),
    cancels: change('cancels'),
  };
  return tally.messages || tally.bytes || tally.waiting || tally.cancels ? tally : undefined;
}

function countOf(row: StoredRequest): Tally {
  const waits = isWaiting(row) ? 1 : 0;
  return { messages: 1, bytes: row.weight, waiting: row.cancel ? 0 : waits, cancels: row.cancel ? waits : 0 };
}
