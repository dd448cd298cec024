/**
 * Messages given up: kept for people, and reported to the server.
 *
 * Owns the dead letters and the list of those whose report had no place yet. A letter keeps the body of its message
 * where it was. Its report goes into the outbox in the same transaction; nobody else writes reports.
 */

import { isAddress } from '../messages.ts';
import type { DeadLetter, JournalLimits, RequestBody, ResponseBody } from './journal.ts';
import type { KnownIds } from './known-ids.ts';
import type { Ledger } from './ledger.ts';
import { lastSequence, type Tables } from './open-tables.ts';
import type { StoredDead, StoredRequest, StoredResponse } from './stored.ts';
import { bodyOf } from './tables.ts';
import type { Tallies } from './tallies.ts';

/** How many letters are dropped, and how many reports made up for, in one transaction at most. */
const step = 64;

export interface DeadLettersDeps {
  readonly ledger: Ledger;
  readonly tables: Tables;
  readonly tallies: Tallies;
  readonly ids: KnownIds;
  readonly limits: JournalLimits;
  readonly reportFailures: boolean;
  readonly now: () => number;
  readonly uuid: () => string;
  /** A letter fell out because there are too many, or because it is too old. */
  readonly onOverflow: (letter: DeadLetter) => void;
  readonly removeFile: (contentFile: string) => void;
  /** A report is on the disk. */
  readonly onReport: () => void;
}

/** Room for a report: taken before the write, so that the same is written when it runs again. */
export interface ReportPlace {
  readonly sequence: number;
  readonly messageId: string;
}

/** Everything of a {@link StoredDead} but what becomes of its report. */
export type Death = Omit<StoredDead, 'report'>;

export class DeadLetterOffice {
  readonly #deps: DeadLettersDeps;
  readonly #listeners = new Set<(letter: DeadLetter) => void>();

  constructor(deps: DeadLettersDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#deps.tallies.get('dead').messages;
  }

  /** Called before the write that lays a letter down. */
  place(): ReportPlace {
    return { sequence: this.#deps.ledger.nextSequence(), messageId: this.#deps.uuid() };
  }

  /** Within a write: the message is dead. Its body is, or is put, where it belongs. */
  lay(death: Death, place: ReportPlace): void {
    const { tables, tallies } = this.#deps;
    const { row } = death.was;
    const report = this.#isReported(death) ? this.#report(death, place) : 'none';
    const dead: StoredDead = { ...death, report };
    tables.dead.put(row.sequence, dead);
    this.#tell(row.sequence, dead);
    tallies.add('dead', { messages: 1, bytes: row.weight });
    if (report !== 'unreported') return;
    tables.unreported.put(row.sequence, true);
    tallies.add('unreported', { messages: 1 });
  }

  /** Calls back when a letter is on disk; returns the function that stops it. */
  onDead(listener: (letter: DeadLetter) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stored(sequence: number): StoredDead | undefined {
    return this.#deps.tables.dead.get(sequence);
  }

  get(sequence: number): DeadLetter | undefined {
    const dead = this.stored(sequence);
    return dead && letterOf(sequence, dead);
  }

  list(before: number, limit: number): readonly DeadLetter[] {
    const page = this.#deps.tables.dead.page({ after: 0, before, limit, newestFirst: true });
    return page.map(({ key, value }) => letterOf(key, value));
  }

  body(sequence: number): RequestBody | ResponseBody | undefined {
    const dead = this.stored(sequence);
    const body = dead && this.#deps.tables.bodies.get(sequence);
    if (!body) return undefined;
    const { metadata, content } = body;
    return dead.was.kind === 'request'
      ? { responseTo: dead.was.row.responseTo, metadata, content }
      : { metadata, content };
  }

  /** Within a write: the letter is gone; its body and content file are the caller's now. */
  take(sequence: number, dead: StoredDead): void {
    const { tables, tallies } = this.#deps;
    tables.dead.remove(sequence);
    tallies.add('dead', { messages: -1, bytes: -dead.was.row.weight });
    if (dead.report !== 'unreported') return;
    tables.unreported.remove(sequence);
    tallies.add('unreported', { messages: -1 });
  }

  /** Within a write: the letter and all that belongs to it is gone. What must not run again is remembered as done. */
  drop(sequence: number): void {
    const { ledger, tables, ids, now, removeFile } = this.#deps;
    const dead = this.stored(sequence);
    if (!dead) return;
    this.take(sequence, dead);
    tables.bodies.remove(sequence);
    if (dead.was.kind !== 'request') return;
    const { messageId, attempt, contentFile } = dead.was.row;
    if (attempt > 0 || dead.reason === 'cancelled') ids.remember('request', messageId, sequence, now());
    else ids.forget('request', messageId, sequence);
    if (contentFile !== '') {
      tables.files.remove(contentFile);
      ledger.afterFlush(() => removeFile(contentFile));
    }
  }

  /** Within a write: drops the oldest over the limits, and sends reports for which there is room now; a step each. */
  tidy(): void {
    const { tallies, limits } = this.#deps;
    const { messages, bytes } = tallies.get('dead');
    const excess = messages - limits.dead.messages;
    if (excess > 0) this.#dropOldest(Math.min(excess, step), () => true);
    // Bodies are kept as well, and may be large: together they get no more room than the inbox.
    else if (bytes > limits.inbox.bytes) this.#dropOldest(1, () => true);
    const room = limits.reports - tallies.get('reports').messages;
    if (room > 0 && tallies.get('unreported').messages > 0) this.#makeUp(Math.min(room, step));
  }

  /** Within a write: drops a step of those that are too old; says whether there may be more. */
  dropAged(): boolean {
    const due = this.#deps.now() - this.#deps.limits.dead.age;
    return this.#dropOldest(step, ({ diedAt }) => diedAt < due) === step;
  }

  #tell(sequence: number, dead: StoredDead): void {
    if (this.#listeners.size === 0) return;
    const letter = letterOf(sequence, dead);
    this.#deps.ledger.afterCommit(() => {
      for (const listener of this.#listeners) listener(letter);
    });
  }

  #dropOldest(limit: number, isDue: (dead: StoredDead) => boolean): number {
    const { ledger, tables, onOverflow } = this.#deps;
    let dropped = 0;
    for (const { key, value } of tables.dead.page({ after: 0, before: lastSequence, limit })) {
      if (!isDue(value)) break;
      this.drop(key);
      ledger.afterCommit(() => onOverflow(letterOf(key, value)));
      dropped += 1;
    }
    return dropped;
  }

  #makeUp(limit: number): void {
    const { tables, tallies } = this.#deps;
    for (const { key } of tables.unreported.page({ after: 0, before: lastSequence, limit })) {
      tables.unreported.remove(key);
      tallies.add('unreported', { messages: -1 });
      const dead = this.stored(key);
      if (dead) tables.dead.put(key, { ...dead, report: this.#report(dead, this.place()) });
    }
  }

  #isReported({ was }: Death): boolean {
    if (!this.#deps.reportFailures) return false;
    return was.kind === 'request' ? was.row.origin === 'broker' : was.row.kind === 'response';
  }

  #report(
    { was, reason, message, diedAt }: Death,
    { sequence, messageId }: ReportPlace,
  ): 'reported' | 'unreported' {
    const { ledger, tables, tallies, limits, onReport } = this.#deps;
    if (tallies.get('reports').messages >= limits.reports) return 'unreported';
    const error = { error: { code: reason, message } };
    const body = bodyOf({ status: 'failed', reason }, Buffer.from(JSON.stringify(error)));
    tables.bodies.put(sequence, body);
    tables.reports.put(sequence, {
      sequence,
      messageId,
      ...(was.kind === 'request' ? answerTo(was.row) : answerInsteadOf(was.row)),
      handler: '',
      kind: 'report',
      size: body.content.length,
      returnedAt: diedAt,
      failures: 0,
      closes: 0,
      weight: body.record.length,
    });
    tallies.add('reports', { messages: 1, bytes: body.record.length });
    ledger.afterCommit(onReport);
    return 'reported';
  }
}

function answerTo({ messageId, directive }: StoredRequest): { responseTo: string; directive: string } {
  return { responseTo: messageId, directive };
}

/**
 * Tells the server about the request it waits for an answer to; it does not know the answer's own id. An address means
 * nothing on the broker, there the handler stands for it.
 */
function answerInsteadOf(row: StoredResponse): { responseTo: string; directive: string } {
  const directive = isAddress(row.directive) ? row.handler : row.directive;
  return { responseTo: row.responseTo || row.messageId, directive };
}

function letterOf(sequence: number, { was, reason, message, diedAt, report }: StoredDead): DeadLetter {
  const { messageId, directive, responseTo, size } = was.row;
  return {
    sequence,
    kind: was.kind,
    messageId,
    directive,
    responseTo,
    reason,
    message,
    size,
    receivedAt: was.kind === 'request' ? was.row.receivedAt : was.row.returnedAt,
    diedAt,
    attempt: was.kind === 'request' ? was.row.attempt : 0,
    report,
  };
}
