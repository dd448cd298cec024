/**
 * Requests on disk: received -> (fetched) -> offered -> in-hand -> done | dead, and back to waiting.
 *
 * The rules; where the rows lie is {@link RequestRows}' affair, and what a move makes of one says `request-states.ts`.
 * Owns the content files' names.
 */
import { YggError } from '../base/errors.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import type {
  DeadReason,
  Gauge,
  Inbox,
  JournalLimits,
  KnownId,
  NewRequest,
  Receipt,
  Redelivery,
  RequestBody,
  RequestCharge,
  RequestRow,
} from './journal.ts';
import type { KnownIds } from './known-ids.ts';
import type { Ledger } from './ledger.ts';
import type { Tables } from './open-tables.ts';
import { receiptOf } from './outcome.ts';
import { requestHash } from './request-hash.ts';
import { RequestRows } from './request-rows.ts';
import { accepted, arrived, calledOff, fetched, givenBack, offered, restored } from './request-states.ts';
import type { StoredDead, StoredRequest } from './stored.ts';
import { bodyOf } from './tables.ts';
import { gaugeOf, isFull, shareOf, type Tallies } from './tallies.ts';

export interface InboxDeps {
  readonly ledger: Ledger;
  readonly tables: Tables;
  readonly tallies: Tallies;
  readonly ids: KnownIds;
  readonly deadLetters: DeadLetterOffice;
  readonly limits: JournalLimits;
  readonly now: () => number;
  readonly removeFile: (contentFile: string) => void;
}

export class JournalInbox implements Inbox {
  readonly #deps: InboxDeps;
  readonly #rows: RequestRows;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.#rows = new RequestRows(deps);
  }

  receive(request: NewRequest, offer?: { readonly redelivery: Redelivery }): Receipt {
    const { ledger, tables, ids } = this.#deps;
    const body = bodyOf(request.metadata, request.content);
    const row = this.#newRow(request, offer?.redelivery, body.record.length);
    const commit = ledger.add(() => {
      this.#rows.move(undefined, offer ? row : ids.list(row));
      tables.bodies.put(row.sequence, body);
      if (offer) ids.keep(row);
    });
    return receiptOf(row.sequence, commit);
  }

  refuse(request: NewRequest, reason: DeadReason, message: string): Receipt {
    const { ledger, tables, ids, deadLetters } = this.#deps;
    const body = bodyOf(request.metadata, request.content);
    const row = this.#newRow(request, undefined, body.record.length);
    const place = deadLetters.place();
    const commit = ledger.add(() => {
      const was = { kind: 'request', row: ids.list(row) } as const;
      deadLetters.lay({ was, reason, message, diedAt: row.receivedAt }, place);
      tables.bodies.put(row.sequence, body);
    });
    return receiptOf(row.sequence, commit);
  }

  fetched(sequence: number, contentFile: string, size: number): Receipt {
    return this.#change(sequence, (row, now) => {
      if (row.contentFile !== '') this.#releaseFile(row.contentFile);
      this.#deps.tables.files.put(contentFile, sequence);
      return fetched(row, now, contentFile, size);
    });
  }

  offer(sequence: number, redelivery: Redelivery): Receipt {
    return this.#change(sequence, (row, now) => offered(row, now, redelivery));
  }

  accept(sequence: number, when?: 'now' | 'soon'): Receipt {
    return this.#change(sequence, accepted, when);
  }

  callOff(sequence: number): Receipt {
    return this.#change(sequence, calledOff);
  }

  back(sequence: number, charge: RequestCharge = {}): Receipt {
    return this.#change(sequence, (row, now) => this.#deps.ids.relist(givenBack(row, now, charge)));
  }

  finish(sequence: number): Receipt {
    const now = this.#deps.now();
    return receiptOf(
      sequence,
      this.#deps.ledger.change(() => this.finishWithin(sequence, now)),
    );
  }

  /** Within a write. */
  finishWithin(sequence: number, now: number): void {
    const { tables, ids } = this.#deps;
    const row = this.#rows.get(sequence);
    if (!row) return;
    this.#rows.move(row, undefined);
    tables.bodies.remove(sequence);
    if (row.contentFile !== '') this.#releaseFile(row.contentFile);
    ids.finish(row, now);
  }

  bury(sequence: number, reason: DeadReason, message: string): Receipt {
    const { ledger, ids, deadLetters, now } = this.#deps;
    const diedAt = now();
    const place = deadLetters.place();
    const commit = ledger.change(() => {
      const row = this.#rows.get(sequence);
      if (!row) return;
      this.#rows.move(row, undefined);
      const was = { kind: 'request', row: ids.relist(row) } as const;
      deadLetters.lay({ was, reason, message, diedAt }, place);
    });
    return receiptOf(sequence, commit);
  }

  /** Takes a dead letter back, as if it had just arrived; what was fetched for it stays. Throws `YGG_INBOX_FULL`. */
  restore(dead: StoredDead, was: StoredRequest): Receipt {
    const { ledger, tables, ids, deadLetters, now } = this.#deps;
    const all = this.fill();
    if (isFull(all, was.weight)) {
      throw new YggError('YGG_INBOX_FULL', `The inbox holds ${all.messages} requests, ${all.bytes} bytes.`);
    }
    const body = tables.bodies.get(was.sequence);
    const row = restored(was, ledger.nextSequence(), now());
    const known = ids.get('request', was.messageId);
    const hash = known?.sequence === was.sequence ? known.hash : hashOf({ ...was, ...(body ?? noBody) });
    const commit = ledger.add(() => {
      deadLetters.take(was.sequence, dead);
      tables.bodies.remove(was.sequence);
      if (body) tables.bodies.put(row.sequence, body);
      if (row.contentFile !== '') tables.files.put(row.contentFile, row.sequence);
      this.#rows.move(undefined, row);
      ids.forget('request', row.messageId, was.sequence);
      ids.put('request', row.messageId, { sequence: row.sequence, directive: row.directive, hash });
    });
    return receiptOf(row.sequence, commit);
  }

  row(sequence: number): RequestRow | undefined {
    return this.#rows.get(sequence);
  }

  body(sequence: number): RequestBody | undefined {
    const row = this.#rows.get(sequence);
    const body = row && this.#deps.tables.bodies.get(sequence);
    return body && { responseTo: row.responseTo, metadata: body.metadata, content: body.content };
  }

  find(messageId: string): KnownId | undefined {
    const known = this.#deps.ids.get('request', messageId);
    const state = known && this.#fateOf(known.sequence);
    return state && { ...known, state };
  }

  waiting(directive: string, limit: number, after = 0): readonly RequestRow[] {
    return this.#rows.waiting('waiting', directive, limit, after);
  }

  cancels(directive: string, limit: number): readonly RequestRow[] {
    return this.#rows.waiting('cancels', directive, limit, 0);
  }

  unsettled(after: number, limit: number): readonly RequestRow[] {
    return this.#rows.working(after, limit);
  }

  directives(): Iterable<string> {
    return this.#deps.tallies.waitingDirectives();
  }

  fill(directive?: string): Gauge {
    const { tallies, limits } = this.#deps;
    if (directive === undefined) return gaugeOf(tallies.get('inbox'), limits.inbox);
    return gaugeOf(tallies.get(`inbox/${directive}`), shareOf(limits.inbox));
  }

  waitingCount(directive: string): number {
    return this.#deps.tallies.get(`inbox/${directive}`).waiting;
  }

  #newRow(request: NewRequest, redelivery: Redelivery | undefined, weight: number): StoredRequest {
    const { ledger, now } = this.#deps;
    const hash = requestHash(request.directive, request.metadata, request.content);
    return arrived(request, { sequence: ledger.nextSequence(), at: now(), weight, redelivery, hash });
  }

  /** A change of a row that may have gone meanwhile; then there is nothing to do. */
  #change(
    sequence: number,
    change: (row: StoredRequest, now: number) => StoredRequest,
    when?: 'now' | 'soon',
  ): Receipt {
    const now = this.#deps.now();
    const commit = this.#deps.ledger.change(() => {
      const row = this.#rows.get(sequence);
      if (row) this.#rows.move(row, change(row, now));
    }, when);
    return receiptOf(sequence, commit);
  }

  #fateOf(sequence: number): KnownId['state'] | undefined {
    const { tables, ids, deadLetters } = this.#deps;
    if (tables.working.get(sequence)) return 'offered';
    const waiting = tables.requests.get(sequence);
    if (waiting) return waiting.attempt > 0 ? 'offered' : 'waiting';
    if (ids.isDone(sequence)) return 'done';
    const dead = deadLetters.get(sequence);
    if (!dead) return undefined;
    if (dead.reason === 'cancelled') return 'cancelled';
    return dead.attempt > 0 ? 'dead-offered' : 'dead-unoffered';
  }

  #releaseFile(contentFile: string): void {
    const { ledger, tables, removeFile } = this.#deps;
    tables.files.remove(contentFile);
    ledger.afterFlush(() => removeFile(contentFile));
  }
}

const noBody = { metadata: null, content: new Uint8Array() };

function hashOf(request: Pick<NewRequest, 'directive' | 'metadata' | 'content'>): string {
  return requestHash(request.directive, request.metadata, request.content);
}
