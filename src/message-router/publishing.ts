/**
 * What this host says: responses and failure reports on data/out, status and events on control/out.
 *
 * Owns what is in flight and the order of what waits. The outbox is the queue: only sequences are kept here. A message
 * is removed from it after its PUBACK; one whose connection closed is sent again on the next. Whoever was in flight at
 * three closes may be why, so from then on each of those is sent alone, and what closes the connection again is a dead
 * letter. A broker that takes no more for the moment is given growing rests.
 */
import type { Clock } from '../base/clock.ts';
import { codeOf, reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { DeadReason, Outbox, ResponseRow } from '../journal/journal.ts';
import { encodeData } from '../messages.ts';
import type { OutTopic } from '../mqtt/connector.ts';
import { Rest } from './rest.ts';
import { SequenceQueue } from './sequence-queue.ts';

export interface PublishingDeps {
  readonly outbox: Pick<Outbox, 'row' | 'body' | 'reports' | 'remove' | 'charge' | 'bury'>;
  readonly publish: (topic: OutTopic, payload: Uint8Array) => Promise<void>;
  /** A response was delivered. */
  readonly onSent: (row: ResponseRow) => void;
  readonly counters: Pick<Counters, 'count'>;
  readonly clock: Pick<Clock, 'now' | 'after'>;
  readonly random: () => number;
  readonly log: Logger;
}

/** PUBLISH packets in flight, or fewer where the broker takes fewer; the last places are for control/out. */
const longestWindow = 64;
const reservedPlaces = 2;
/** Payload bytes of data in flight, but for a message that is larger by itself; each is held several times over. */
const dataWindowBytes = 1024 * 1024;
/** Closes after which a message is sent alone. */
const suspectAfter = 3;
/** Status and events that wait for a place. */
const maxSayings = 64;
const reportPage = 64;

interface Saying {
  readonly payload: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Publishing {
  readonly #deps: PublishingDeps;
  /** Taken if and only if no data is sent for a while, because the broker takes none. */
  readonly #rest: Rest;
  #window = longestWindow;
  #connected = false;
  #paused = false;
  /** Was in flight when a connection closed; by sequence, before everything else. */
  #again: number[] = [];
  /** To be published, in the order they were handed over. */
  readonly #responses = new SequenceQueue();
  readonly #reports = new SequenceQueue();
  /** Reports up to this sequence were read. */
  #reportsRead = 0;
  #reportsTurn = false;
  /** Taken out of its queue, waiting for a place. */
  #next: ResponseRow | undefined;
  readonly #flying = new Set<number>();
  /** The one in flight is sent alone. */
  #alone = false;
  #flyingBytes = 0;
  readonly #sayings: Saying[] = [];
  #saying = 0;
  #idleWaiters: Array<() => void> = [];

  constructor(deps: PublishingDeps) {
    this.#deps = deps;
    this.#rest = new Rest({ ...deps, onOver: () => this.#pump() });
  }

  /** A response is to be published. */
  consume(sequence: number): void {
    if (this.#flying.has(sequence) || this.#next?.sequence === sequence) return;
    this.#responses.add(sequence);
    this.#pump();
  }

  /** There may be new failure reports. */
  lookForReports(): void {
    for (;;) {
      const rows = this.#deps.outbox.reports(this.#reportsRead, reportPage);
      for (const { sequence } of rows) {
        this.#reports.add(sequence);
        this.#reportsRead = sequence;
      }
      if (rows.length < reportPage) break;
    }
    this.#pump();
  }

  /** Publishes on control/out; resolves with the PUBACK and rejects when the connection ends before. */
  say(payload: Uint8Array): Promise<void> {
    if (!this.#connected)
      return Promise.reject(new YggError('YGG_BROKER_LOST', 'The broker is not connected.'));
    return new Promise((resolve, reject) => {
      this.#sayings.push({ payload, resolve, reject });
      if (this.#sayings.length > maxSayings) {
        this.#sayings.shift()?.reject(new YggError('YGG_BROKER_LOST', 'Too much waits to be said.'));
      }
      this.#pump();
    });
  }

  onUp({ receiveMaximum = longestWindow }: { readonly receiveMaximum?: number } = {}): void {
    this.#connected = true;
    this.#paused = false;
    this.#window = Math.min(longestWindow, receiveMaximum);
    this.lookForReports();
  }

  onDown(): void {
    this.#connected = false;
    this.#rest.end();
    const lost = new YggError('YGG_BROKER_LOST', 'The broker is not connected.');
    for (const saying of this.#sayings.splice(0)) saying.reject(lost);
    this.#checkIdle();
  }

  /** Sends no more data on this connection; what is in flight goes on. */
  pause(): void {
    this.#paused = true;
  }

  /** Resolves when nothing of the outbox waits or is in flight, or nothing more can be sent. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#checkIdle();
    });
  }

  #pump(): void {
    while (this.#connected && this.#sayings.length > 0 && this.#inFlight < this.#window) {
      this.#sayNext();
    }
    while (this.#sendsData) {
      const row = this.#take();
      if (!row || !this.#hasPlace(row)) break;
      this.#next = undefined;
      this.#send(row);
    }
    this.#checkIdle();
  }

  get #inFlight(): number {
    return this.#saying + this.#flying.size;
  }

  get #sendsData(): boolean {
    return this.#connected && !this.#paused && !this.#rest.taken;
  }

  #sayNext(): void {
    const saying = this.#sayings.shift();
    if (!saying) return;
    this.#saying += 1;
    const over = (): void => {
      this.#saying -= 1;
      this.#pump();
    };
    this.#deps.publish('control/out', saying.payload).then(saying.resolve, saying.reject).finally(over);
  }

  /** The next to be sent; it stays the next until it is. */
  #take(): ResponseRow | undefined {
    while (!this.#next) {
      const sequence = this.#takeSequence();
      if (sequence === undefined) break;
      // One that is gone was delivered or given up elsewhere.
      this.#next = this.#deps.outbox.row(sequence);
    }
    return this.#next;
  }

  #takeSequence(): number | undefined {
    const again = this.#again.shift();
    if (again !== undefined) return again;
    this.#reportsTurn = !this.#reportsTurn;
    const [first, second] = this.#reportsTurn
      ? [this.#reports, this.#responses]
      : [this.#responses, this.#reports];
    return first.take() ?? second.take();
  }

  #hasPlace(row: ResponseRow): boolean {
    if (this.#inFlight >= this.#window) return false;
    if (this.#flying.size === 0) return true;
    if (this.#alone || row.closes >= suspectAfter) return false;
    const places = this.#window - reservedPlaces;
    return this.#flying.size < places && this.#flyingBytes + row.size <= dataWindowBytes;
  }

  #send(row: ResponseRow): void {
    const { outbox, clock, publish } = this.#deps;
    const body = outbox.body(row.sequence);
    if (!body) {
      this.#bury(row, 'internal', 'Its content is damaged on disk.');
      return;
    }
    this.#flying.add(row.sequence);
    this.#flyingBytes += row.size;
    this.#alone = row.closes >= suspectAfter;
    const { messageId, responseTo, directive } = row;
    const payload = encodeData({ messageId, responseTo, directive, sent: clock.now(), ...body });
    publish('data/out', payload).then(
      () => this.#onPublished(row),
      (error: unknown) => this.#onFailed(row, error),
    );
  }

  #land(row: ResponseRow): void {
    this.#flying.delete(row.sequence);
    this.#flyingBytes -= row.size;
    this.#alone = false;
  }

  #onPublished(row: ResponseRow): void {
    const { outbox, counters, log, onSent } = this.#deps;
    this.#land(row);
    this.#rest.reset();
    outbox.remove(row.sequence);
    counters.count('responses_published');
    log.debug({ message_id: row.messageId, response_to: row.responseTo, kind: row.kind }, 'published');
    onSent(row);
    this.#pump();
  }

  #onFailed(row: ResponseRow, error: unknown): void {
    this.#land(row);
    const code = codeOf(error);
    // Nothing is tried, and charged, on a connection that is gone before its end is reported.
    if (code === 'YGG_BROKER_LOST') this.#connected = false;
    if (code === 'YGG_BROKER_REFUSED') {
      this.#bury(row, 'publish-refused', reasonOf(error));
    } else if (code === 'YGG_BROKER_BUSY') {
      this.#requeue(row);
      this.#takeRest(row, error);
    } else if (this.#paused) {
      // This side ended the connection.
      this.#requeue(row);
    } else if (row.closes >= suspectAfter) {
      const why = code === 'YGG_BROKER_LOST' ? 'The connection closed' : reasonOf(error).replace(/\.$/, '');
      this.#bury(row, 'publish-refused', `${why} whenever it was sent, alone in the end.`);
    } else {
      this.#deps.outbox.charge(row.sequence, { closes: 1 });
      this.#requeue(row);
    }
    this.#pump();
  }

  #takeRest({ messageId, responseTo }: ResponseRow, error: unknown): void {
    if (this.#rest.taken || !this.#connected) return;
    const fields = { message_id: messageId, response_to: responseTo, error: reasonOf(error) };
    this.#deps.log.warn({ ...fields, wait_ms: this.#rest.begin() }, 'the broker takes no messages for now');
  }

  #requeue({ sequence }: ResponseRow): void {
    this.#again.push(sequence);
    if (this.#next) this.#again.push(this.#next.sequence);
    this.#next = undefined;
    this.#again.sort((a, b) => a - b);
  }

  #bury(row: ResponseRow, reason: DeadReason, message: string): void {
    const { outbox, counters, log } = this.#deps;
    outbox.bury(row.sequence, reason, message);
    counters.count('responses_dead');
    log.error(
      { message_id: row.messageId, response_to: row.responseTo, reason, error: message },
      'a response was given up',
    );
  }

  #checkIdle(): void {
    const waiting = this.#again.length + this.#responses.size + this.#reports.size + (this.#next ? 1 : 0);
    const going = this.#sendsData && waiting > 0;
    if (going || this.#flying.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}
