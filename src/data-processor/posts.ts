/**
 * Delivers responses by HTTP POST, and tries again for as long as they are young enough.
 *
 * Owns a queue for each host, of sequences only: rows and bodies are read from disk for each try. A host that is in
 * trouble is left alone with a growing pause and then probed with one response at a time, so that it takes no place
 * from others. Ends each response delivered (`message-send`) or dead, and tells its owner.
 */
import { setMaxListeners } from 'node:events';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { ContentClient, Posted } from '../http/content-client.ts';
import type { Egress } from '../http/egress.ts';
import type { Failure } from '../http/failure.ts';
import { postHeaders } from '../http/headers.ts';
import type { DeadReason, Journal, ResponseRow } from '../journal/journal.ts';
import type { Signals } from '../signals.ts';

export interface PostsDeps {
  readonly signals: Signals;
  readonly journal: Pick<Journal, 'outbox'>;
  readonly client: Pick<ContentClient, 'post'>;
  readonly egress: Egress;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** `yggd/<version>`. */
  readonly userAgent: string;
  /** Answers that look final before a response is given up (`http-retries`). */
  readonly finalAnswers: number;
  /** Milliseconds after which a response that could not be delivered is given up (`http-retry-age`). */
  readonly retryAge: number;
  /** The response is delivered, dead, or no longer there. */
  readonly onEnd: (post: Post) => void;
}

/** A response on its way. */
export interface Post {
  readonly sequence: number;
  readonly lane: number;
  /** Tries that failed since the start. */
  failures: number;
}

interface Host {
  readonly name: string;
  /** Those that may be tried as soon as there is a place. */
  readonly ready: Post[];
  running: number;
  /** Times in a row that the host was in trouble. */
  failures: number;
  /** Set if and only if the host is left alone; `until` on the monotonic clock. */
  held: { readonly timer: Timer; readonly until: number } | undefined;
}

const perHost = 4;
const overall = 32;
/** Bytes of content under way; one larger than that goes alone. */
const overallBytes = 16 * 1024 * 1024;
/** Milliseconds. */
const retryFloor = 1_000;
const retryCap = 600_000;

export class Posts {
  readonly #deps: PostsDeps;
  readonly #hosts = new Map<string, Host>();
  /** Hosts with something ready and a place for it, the one served longest ago first. */
  readonly #servable = new Set<Host>();
  readonly #pauses = new Set<Timer>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #idle: Array<() => void> = [];
  #total = 0;
  #bytes = 0;

  constructor(deps: PostsDeps) {
    this.#deps = deps;
    // Every post under way waits for it.
    setMaxListeners(0, this.#abort.signal);
  }

  /** Takes a response whose directive is an address. */
  add(row: ResponseRow, lane: number): void {
    const post: Post = { sequence: row.sequence, lane, failures: 0 };
    try {
      this.#enqueue(post, this.#deps.egress.route(row.directive).url.host);
    } catch (error) {
      // Not before the caller has taken note of the post: `onEnd` may lead to the next one.
      queueMicrotask(() => this.#bury(post, row, 'delivery-failed', reasonOf(error)));
    }
  }

  /** Resolves when nothing is under way or could be; hosts and responses that wait for another try do not count. */
  settled(abort: AbortSignal): Promise<void> {
    if (this.#total === 0 && this.#servable.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      abort.addEventListener('abort', () => resolve(), { once: true });
      if (abort.aborted) resolve();
    });
  }

  /** Cuts everything off; what was not delivered is found on disk after the next start. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#servable.clear();
    await Promise.all(this.#tasks);
    for (const pause of this.#pauses) pause.cancel();
    for (const host of this.#hosts.values()) host.held?.timer.cancel();
  }

  #enqueue(post: Post, name: string): void {
    let host = this.#hosts.get(name);
    if (!host) {
      host = { name, ready: [], running: 0, failures: 0, held: undefined };
      this.#hosts.set(name, host);
    }
    host.ready.push(post);
    this.#update(host);
    this.#schedule();
  }

  /** Decides whether a host is servable, and forgets one that nothing refers to. */
  #update(host: Host): void {
    const places = host.failures > 0 ? 1 : perHost;
    if (host.ready.length > 0 && host.running < places && !host.held && !this.#abort.signal.aborted)
      this.#servable.add(host);
    else this.#servable.delete(host);
    if (host.ready.length === 0 && host.running === 0 && !host.held) this.#hosts.delete(host.name);
  }

  #schedule(): void {
    while (this.#total < overall) {
      const [host] = this.#servable;
      const post = host?.ready.shift();
      if (!host || !post) break;
      const row = this.#deps.journal.outbox.row(post.sequence);
      const size = row?.size ?? 0;
      if (this.#total > 0 && this.#bytes + size > overallBytes) {
        host.ready.unshift(post);
        break;
      }
      // Away and back: the next round begins with another host.
      this.#servable.delete(host);
      if (row) this.#start(host, post, row);
      this.#update(host);
      if (!row) this.#deps.onEnd(post);
    }
    if (this.#total === 0 && this.#servable.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #start(host: Host, post: Post, row: ResponseRow): void {
    host.running += 1;
    this.#total += 1;
    this.#bytes += row.size;
    const task = this.#run(host, post, row).finally(() => {
      host.running -= 1;
      this.#total -= 1;
      this.#bytes -= row.size;
      this.#tasks.delete(task);
      this.#update(host);
      this.#schedule();
    });
    this.#tasks.add(task);
  }

  async #run(host: Host, post: Post, row: ResponseRow): Promise<void> {
    try {
      const result = await this.#post(post, row);
      const inTrouble = !result.ok && result.kind === 'host';
      if (!inTrouble) host.failures = 0;
      if (result.ok) await this.#delivered(host, post, row, result);
      else await this.#failed(host, post, row, result);
    } catch (error) {
      this.#deps.log.error({ message_id: row.messageId, error: reasonOf(error) }, 'posting failed in itself');
      this.#bury(post, row, 'internal', reasonOf(error));
    }
  }

  async #post(post: Post, row: ResponseRow): Promise<Posted> {
    const { journal, client, egress, log, userAgent } = this.#deps;
    const body = journal.outbox.body(row.sequence);
    if (!body) throw new YggError('YGG_JOURNAL_RECORD', 'The content of the response is damaged on disk.');
    const { headers, dropped } = postHeaders(body.metadata, userAgent);
    if (dropped.length > 0 && post.failures === 0)
      log.warn(
        { message_id: row.messageId, headers: dropped },
        'metadata that cannot be HTTP headers is left out',
      );
    return client.post(egress.route(row.directive), headers, body.content, this.#abort.signal);
  }

  async #delivered(host: Host, post: Post, row: ResponseRow, { answer }: Posted): Promise<void> {
    const { signals, journal, counters, log } = this.#deps;
    const { sequence, messageId, responseTo } = row;
    journal.outbox.remove(sequence);
    counters.count('responses_posted');
    log.debug({ message_id: messageId, response_to: responseTo, host: host.name }, 'response posted');
    this.#deps.onEnd(post);
    void signals.emit('message-send', { sequence, messageId });
    if (answer) await signals.emit('data-deliver', { sequence, ...answer });
  }

  async #failed(host: Host, post: Post, row: ResponseRow, failure: Posted & Failure): Promise<void> {
    const { signals, journal, clock, log } = this.#deps;
    const { kind, error, answer } = failure;
    if (kind === 'aborted') return;
    post.failures += 1;
    const final = kind === 'permanent' && row.failures + 1 >= this.#deps.finalAnswers;
    const tooOld = kind !== 'permanent' && clock.now() - row.returnedAt >= this.#deps.retryAge;
    if (kind === 'refused' || final || tooOld) this.#bury(post, row, 'delivery-failed', error.message);
    else {
      if (kind === 'permanent') journal.outbox.charge(row.sequence, { failures: 1 });
      const retry = kind === 'host' ? this.#hold(host, post, failure) : this.#pause(host, post);
      log.info(
        {
          message_id: row.messageId,
          host: host.name,
          error: error.message,
          code: error.code,
          retry_ms: retry,
        },
        'response not posted, trying again',
      );
    }
    // The worker learns of an answer that is not expected to change; of others, when they do.
    if (kind === 'permanent' && answer)
      await signals.emit('data-deliver', { sequence: row.sequence, ...answer });
  }

  /** Only this response waits. */
  #pause(host: Host, post: Post): number {
    const { clock, random } = this.#deps;
    const delay = backoffDelay({ floor: retryFloor, cap: retryCap, random }, post.failures);
    const pause = clock.after(delay, () => {
      this.#pauses.delete(pause);
      this.#enqueue(post, host.name);
    });
    this.#pauses.add(pause);
    return delay;
  }

  /** The whole host waits; this response goes behind the others, so that each is a probe in its turn. */
  #hold(host: Host, post: Post, { retryAfter = 0, error }: Failure): number {
    const { clock, random } = this.#deps;
    host.ready.push(post);
    // Posts that failed beside each other are one failure of the host.
    if (host.held) return Math.round(host.held.until - clock.monotonic());
    host.failures += 1;
    const backoff = backoffDelay({ floor: retryFloor, cap: retryCap, random }, host.failures);
    const delay = Math.max(backoff, Math.min(retryAfter, retryCap));
    const timer = clock.after(delay, () => {
      host.held = undefined;
      this.#update(host);
      this.#schedule();
    });
    host.held = { timer, until: clock.monotonic() + delay };
    this.#expire(host, error);
    return delay;
  }

  /** Those too old to be tried again die without a probe of their own, or a long queue would outlive its age. */
  #expire(host: Host, { message }: YggError): void {
    const { journal, clock, retryAge } = this.#deps;
    for (;;) {
      const [post] = host.ready;
      const row = post && journal.outbox.row(post.sequence);
      if (!post || (row && clock.now() - row.returnedAt < retryAge)) return;
      host.ready.shift();
      if (row) this.#bury(post, row, 'delivery-failed', message);
      else this.#deps.onEnd(post);
    }
  }

  #bury(post: Post, row: ResponseRow, reason: DeadReason, message: string): void {
    const { journal, counters, log } = this.#deps;
    journal.outbox.bury(row.sequence, reason, message);
    counters.count('responses_dead');
    log.warn(
      { message_id: row.messageId, response_to: row.responseTo, reason, error: message },
      'response given up',
    );
    this.#deps.onEnd(post);
  }
}
