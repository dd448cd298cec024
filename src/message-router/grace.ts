/**
 * How long a request waits for a worker before it is given up as `no-worker`.
 *
 * Owns one index of when the oldest request of each directive without a worker is due, and one timer for the earliest.
 * The grace runs from the latest of arrival, daemon start, and the moment the directive lost its worker. The wall clock
 * of a host may jump when it is set at boot, so no message is taken to be older than this daemon.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Inbox, RequestRow } from '../journal/journal.ts';

export interface GraceDeps {
  readonly inbox: Pick<Inbox, 'waiting' | 'cancels' | 'bury'>;
  readonly workers: Pick<Datastore['workers'], 'get'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds; `reconsider` when it has changed. */
  readonly grace: number;
}

/** Requests given up at a time; the next ones follow when these are written. */
const page = 64;
/** Directives of which is remembered when they lost their worker. */
const maxLost = 1_024;

export class Grace {
  readonly #deps: GraceDeps;
  /** Monotonic, as all times here. */
  readonly #startedAt: number;
  readonly #lostAt = new Map<string, number>();
  /** When the oldest request of a directive is due. */
  readonly #due = new Map<string, number>();
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #closed = false;

  constructor(deps: GraceDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.monotonic();
  }

  /** Something waits for a directive without a worker. */
  watch(directive: string): void {
    if (this.#closed || this.#due.has(directive)) return;
    const oldest = this.#oldest(directive);
    if (!oldest) return;
    const due = this.#dueOf(oldest);
    this.#due.set(directive, due);
    this.#wakeBy(due);
  }

  onRegister(directive: string): void {
    this.#due.delete(directive);
    this.#lostAt.delete(directive);
  }

  onUnregister(directive: string): void {
    this.#lostAt.set(directive, this.#deps.clock.monotonic());
    for (const forgotten of this.#lostAt.keys()) {
      if (this.#lostAt.size <= maxLost) break;
      this.#lostAt.delete(forgotten);
    }
    this.watch(directive);
  }

  /** The grace has changed: everything that waits is due at another time. */
  reconsider(): void {
    const directives = [...this.#due.keys()];
    this.#due.clear();
    for (const directive of directives) this.watch(directive);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.timer.cancel();
  }

  #oldest(directive: string): RequestRow | undefined {
    const { inbox } = this.#deps;
    const [request] = inbox.waiting(directive, 1);
    const [cancel] = inbox.cancels(directive, 1);
    if (!request || !cancel) return request ?? cancel;
    return request.sequence < cancel.sequence ? request : cancel;
  }

  #dueOf({ directive, receivedAt }: RequestRow): number {
    const { clock, grace } = this.#deps;
    const now = clock.monotonic();
    const arrived = now - Math.max(0, clock.now() - receivedAt);
    return Math.max(arrived, this.#startedAt, this.#lostAt.get(directive) ?? 0) + grace;
  }

  /** A timer that rings earlier stays; it looks for the next one when it rings. */
  #wakeBy(at: number): void {
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const wait = Math.max(0, at - this.#deps.clock.monotonic());
    this.#timer = { at, timer: this.#deps.clock.after(wait, () => void this.#onTimer()) };
  }

  async #onTimer(): Promise<void> {
    this.#timer = undefined;
    const now = this.#deps.clock.monotonic();
    for (const [directive, due] of [...this.#due]) {
      if (due > now) continue;
      await this.#expire(directive);
      if (!this.#due.delete(directive)) continue;
      if (!this.#deps.workers.get(directive)) this.watch(directive);
    }
    let next = Number.POSITIVE_INFINITY;
    for (const due of this.#due.values()) next = Math.min(next, due);
    if (!this.#closed && Number.isFinite(next)) this.#wakeBy(next);
  }

  /** Gives up what is due, a page at a time; a worker that registers meanwhile gets the rest. */
  async #expire(directive: string): Promise<void> {
    const { inbox, workers, clock } = this.#deps;
    for (;;) {
      if (this.#closed || workers.get(directive)) return;
      const rows = [...inbox.waiting(directive, page), ...inbox.cancels(directive, page)];
      const expired = rows.filter((row) => this.#dueOf(row) <= clock.monotonic());
      let written: Promise<void> | undefined;
      for (const row of expired) written = this.#bury(row);
      if (!written) return;
      await written;
    }
  }

  #bury({ sequence, messageId, directive }: RequestRow): Promise<void> {
    const { inbox, counters, log, grace } = this.#deps;
    const message = `No worker registered for ${directive} within ${grace / 1000} s.`;
    counters.count('messages_dead');
    log.warn({ message_id: messageId, directive, reason: 'no-worker' }, 'no worker came for a message');
    return inbox.bury(sequence, 'no-worker', message).committed;
  }
}
