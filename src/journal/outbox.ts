/**
 * Responses on disk until they are delivered, and the failure reports beside them.
 */
import { YggError } from '../base/errors.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import type { JournalInbox } from './inbox.ts';
import type {
  DeadReason,
  Gauge,
  JournalLimits,
  NewResponse,
  Outbox,
  Receipt,
  ResponseBody,
  ResponseRow,
} from './journal.ts';
import type { Ledger } from './ledger.ts';
import { lastSequence, type Tables } from './open-tables.ts';
import { receiptOf } from './outcome.ts';
import type { StoredDead, StoredResponse } from './stored.ts';
import { bodyOf } from './tables.ts';
import { gaugeOf, isFull, shareOf, type Tallies } from './tallies.ts';

export interface OutboxDeps {
  readonly ledger: Ledger;
  readonly tables: Tables;
  readonly tallies: Tallies;
  readonly inbox: Pick<JournalInbox, 'finishWithin'>;
  readonly deadLetters: DeadLetterOffice;
  readonly limits: JournalLimits;
  readonly now: () => number;
  /** A report is on the disk. */
  readonly onReport: () => void;
}

export class JournalOutbox implements Outbox {
  readonly #deps: OutboxDeps;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  respond(response: NewResponse, finishes?: number): Receipt {
    const { ledger, tables, inbox, now } = this.#deps;
    const body = bodyOf(response.metadata, response.content);
    this.#checkRoom(response.handler, body.record.length);
    const at = now();
    const row: StoredResponse = {
      sequence: ledger.nextSequence(),
      messageId: response.messageId,
      responseTo: response.responseTo,
      directive: response.directive,
      handler: response.handler,
      kind: 'response',
      size: response.content.length,
      returnedAt: at,
      failures: 0,
      closes: 0,
      weight: body.record.length,
    };
    const commit = ledger.add(() => {
      this.#enter(row);
      tables.bodies.put(row.sequence, body);
      if (finishes !== undefined) inbox.finishWithin(finishes, at);
    });
    return receiptOf(row.sequence, commit);
  }

  remove(sequence: number): Receipt {
    const { ledger, tables } = this.#deps;
    const commit = ledger.change(() => {
      const row = this.#stored(sequence);
      if (!row) return;
      this.#leave(row);
      tables.bodies.remove(sequence);
    }, 'soon');
    return receiptOf(sequence, commit);
  }

  charge(sequence: number, charge: { readonly failures?: number; readonly closes?: number }): Receipt {
    const { ledger } = this.#deps;
    const commit = ledger.change(() => {
      const row = this.#stored(sequence);
      if (!row) return;
      const failures = row.failures + (charge.failures ?? 0);
      const closes = row.closes + (charge.closes ?? 0);
      this.#tableOf(row).put(sequence, { ...row, failures, closes });
    });
    return receiptOf(sequence, commit);
  }

  bury(sequence: number, reason: DeadReason, message: string): Receipt {
    const { ledger, deadLetters, now } = this.#deps;
    const diedAt = now();
    const place = deadLetters.place();
    const commit = ledger.change(() => {
      const row = this.#stored(sequence);
      if (!row) return;
      this.#leave(row);
      deadLetters.lay({ was: { kind: 'response', row }, reason, message, diedAt }, place);
    });
    return receiptOf(sequence, commit);
  }

  /** Takes a dead letter back, behind everything that waits. Throws `YGG_OUTBOX_FULL`. */
  restore(dead: StoredDead, was: StoredResponse): Receipt {
    const { ledger, tables, deadLetters, now } = this.#deps;
    if (was.kind === 'response') this.#checkRoom(was.handler, was.weight);
    const body = tables.bodies.get(was.sequence);
    const row = { ...was, sequence: ledger.nextSequence(), returnedAt: now(), failures: 0, closes: 0 };
    const commit = ledger.add(() => {
      deadLetters.take(was.sequence, dead);
      tables.bodies.remove(was.sequence);
      if (body) tables.bodies.put(row.sequence, body);
      this.#enter(row);
    });
    return receiptOf(row.sequence, commit);
  }

  row(sequence: number): ResponseRow | undefined {
    return this.#stored(sequence);
  }

  body(sequence: number): ResponseBody | undefined {
    const body = this.#stored(sequence) && this.#deps.tables.bodies.get(sequence);
    return body && { metadata: body.metadata, content: body.content };
  }

  responses(after: number, limit: number): readonly ResponseRow[] {
    return this.#list('responses', after, limit);
  }

  reports(after: number, limit: number): readonly ResponseRow[] {
    return this.#list('reports', after, limit);
  }

  fill(handler?: string): Gauge {
    const { tallies, limits } = this.#deps;
    if (handler === undefined) return gaugeOf(tallies.get('outbox'), limits.outbox);
    return gaugeOf(tallies.get(`outbox/${handler}`), shareOf(limits.outbox));
  }

  #list(table: 'responses' | 'reports', after: number, limit: number): readonly ResponseRow[] {
    const range = { after, before: lastSequence, limit };
    return this.#deps.tables[table].pageOnDisk(range).map(({ value }) => value);
  }

  #checkRoom(handler: string, weight: number): void {
    const all = this.fill();
    if (isFull(all, weight)) {
      throw new YggError(
        'YGG_OUTBOX_FULL',
        `The outbox holds ${all.messages} responses, ${all.bytes} bytes.`,
      );
    }
    const own = this.fill(handler);
    if (isFull(own, weight)) {
      throw new YggError(
        'YGG_OUTBOX_FULL',
        `${handler} has ${own.messages} responses, ${own.bytes} bytes, in the outbox: its share is full.`,
      );
    }
  }

  #stored(sequence: number): StoredResponse | undefined {
    return this.#deps.tables.responses.get(sequence) ?? this.#deps.tables.reports.get(sequence);
  }

  #tableOf({ kind }: StoredResponse): Tables['responses'] {
    return this.#deps.tables[kind === 'report' ? 'reports' : 'responses'];
  }

  #enter(row: StoredResponse): void {
    this.#tableOf(row).put(row.sequence, row);
    this.#count(row, 1);
    if (row.kind === 'report') this.#deps.ledger.afterCommit(this.#deps.onReport);
  }

  #leave(row: StoredResponse): void {
    this.#tableOf(row).remove(row.sequence);
    this.#count(row, -1);
  }

  /** Reports have places of their own. */
  #count(row: StoredResponse, by: 1 | -1): void {
    const { tallies } = this.#deps;
    const change = { messages: by, bytes: by * row.weight };
    if (row.kind === 'report') {
      tallies.add('reports', change);
    } else {
      tallies.add('outbox', change);
      tallies.add(`outbox/${row.handler}`, change);
    }
  }
}
