/**
 * The content of requests for detached workers: fetched once, to disk, then passed on.
 *
 * Owns the queue of fetches. Each directive may have two at a time; its first never waits for other directives. A
 * fetch that waits for its next try holds no place. A cancel takes no place either, is tried once, and goes on with
 * empty content when that fails. Ends each request in `data-process`, or dead.
 */

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { ContentClient, Fetched } from '../http/content-client.ts';
import { keepContent } from '../http/content-file.ts';
import type { Egress } from '../http/egress.ts';
import type { Failure } from '../http/failure.ts';
import type { DeadReason, Journal, RequestRow } from '../journal/journal.ts';
import type { Signals } from '../signals.ts';
import { Places } from './places.ts';

export interface FetchesDeps {
  readonly signals: Signals;
  readonly datastore: Pick<Datastore, 'messages'>;
  readonly journal: Pick<Journal, 'inbox' | 'contentDirectory'>;
  readonly client: Pick<ContentClient, 'fetch'>;
  readonly egress: Egress;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** How often a fetch that failed is tried again (`http-retries`). */
  readonly retries: number;
}

interface Fetch {
  readonly sequence: number;
  readonly directive: string;
  readonly cancel: boolean;
  readonly messageId: string;
  readonly abort: AbortController;
  failures: number;
  /** Set if and only if it waits for its next try. */
  timer: Timer | undefined;
}

const perDirective = 2;
const overall = 32;
/** Looks final, but servers that are being deployed answer 404 too: one more try. */
const finalRetries = 1;
/** Milliseconds. */
const retryFloor = 1_000;
const retryCap = 60_000;
const retryAfterCap = 600_000;
const diskPause = 5_000;

export class Fetches {
  readonly #deps: FetchesDeps;
  readonly #fetches = new Map<number, Fetch>();
  readonly #places = new Places<Fetch>({ perDirective, overall, run: (fetch) => this.#run(fetch) });
  /** Cancels at work; they take no place. */
  readonly #cancels = new Set<Promise<void>>();
  #quiet = false;

  constructor(deps: FetchesDeps) {
    this.#deps = deps;
  }

  /** Takes a request of the working set. One that is being fetched already is left as it is. */
  add(row: RequestRow): void {
    const { sequence, directive, cancel, messageId } = row;
    if (this.#quiet || this.#fetches.has(sequence)) return;
    const abort = new AbortController();
    const fetch: Fetch = { sequence, directive, cancel, messageId, abort, failures: 0, timer: undefined };
    this.#fetches.set(sequence, fetch);
    this.#enqueue(fetch);
  }

  /** Gives up the fetches of a message, which dies as `cancelled`. */
  cancel(directive: string, messageId: string): void {
    for (const fetch of this.#fetches.values()) {
      if (fetch.directive !== directive || fetch.messageId !== messageId || fetch.cancel) continue;
      this.#forget(fetch);
      this.#bury(fetch, 'cancelled', 'It was cancelled while its content was fetched.');
    }
  }

  /** Starts nothing any more; what waits is found on disk after the next start. */
  quiet(): void {
    this.#quiet = true;
    this.#places.clear();
    for (const fetch of this.#fetches.values()) fetch.timer?.cancel();
  }

  /** Cuts everything off. */
  async stop(): Promise<void> {
    this.quiet();
    for (const fetch of this.#fetches.values()) fetch.abort.abort();
    this.#fetches.clear();
    await Promise.all([this.#places.settled(), ...this.#cancels]);
  }

  #enqueue(fetch: Fetch): void {
    if (!fetch.cancel) {
      this.#places.add(fetch);
      return;
    }
    const task = this.#run(fetch).finally(() => this.#cancels.delete(task));
    this.#cancels.add(task);
  }

  async #run(fetch: Fetch): Promise<void> {
    const { datastore, log } = this.#deps;
    // Its worker is gone, and it went back to waiting: it is fetched when the next worker can take it.
    if (!datastore.messages.get(fetch.sequence)) {
      this.#forget(fetch);
      return;
    }
    try {
      const result = this.#hasRoom(fetch) ? await this.#fetch(fetch) : noRoom;
      if (fetch.abort.signal.aborted) {
        if (result.ok) await this.#removeFile(fetch);
      } else if (result.ok) await this.#pass(fetch, result.size);
      else if (fetch.cancel) await this.#passEmpty(fetch, result);
      else this.#failed(fetch, result);
    } catch (error) {
      log.error({ message_id: fetch.messageId, error: reasonOf(error) }, 'fetching content failed in itself');
      this.#forget(fetch);
      this.#bury(fetch, 'internal', reasonOf(error));
    }
  }

  async #fetch(fetch: Fetch): Promise<Fetched | Failure> {
    const { journal, egress, client } = this.#deps;
    try {
      const body = journal.inbox.body(fetch.sequence);
      if (!body) throw new YggError('YGG_JOURNAL_RECORD', 'The content of the message is damaged on disk.');
      const destination = egress.route(addressOf(body.content));
      const file = { directory: journal.contentDirectory, name: fileOf(fetch) };
      return await client.fetch(destination, file, fetch.abort.signal);
    } catch (error) {
      if (error instanceof YggError) return { ok: false, kind: 'refused', error };
      throw error;
    }
  }

  /** A full inbox still lets a directive fetch what it needs to go on: one, when it has nothing else in work. */
  #hasRoom({ directive, sequence }: Fetch): boolean {
    const { journal, datastore } = this.#deps;
    const full = [journal.inbox.fill(), journal.inbox.fill(directive)].some(
      ({ bytes, limit }) => bytes >= limit.bytes,
    );
    if (!full) return true;
    return !datastore.messages
      .all()
      .some((doc) => doc.directive === directive && doc.sequence !== sequence && doc.state !== 'received');
  }

  async #pass(fetch: Fetch, size: number): Promise<void> {
    const { signals, datastore, journal, counters, log } = this.#deps;
    const { sequence, directive, cancel, messageId } = fetch;
    this.#forget(fetch);
    if (!journal.inbox.row(sequence)) {
      await this.#removeFile(fetch);
      return;
    }
    journal.inbox.fetched(sequence, fileOf(fetch), size);
    counters.count('contents_fetched');
    log.debug({ message_id: messageId, directive, size }, 'content fetched');
    const doc = datastore.messages.get(sequence);
    // Its worker may be gone by now; the content stays for the next one.
    if (!doc) return;
    doc.state = 'fetched';
    await signals.emit('data-process', { sequence, directive, cancel });
  }

  async #passEmpty(fetch: Fetch, { error }: Failure): Promise<void> {
    const { journal, counters, log } = this.#deps;
    const { messageId, directive } = fetch;
    counters.count('contents_failed');
    log.info(
      { message_id: messageId, directive, error: error.message, code: error.code },
      'the content of a cancel could not be fetched; it goes on without',
    );
    await keepContent([], { directory: journal.contentDirectory, name: fileOf(fetch), limit: 0 });
    await this.#pass(fetch, 0);
  }

  #failed(fetch: Fetch, failure: Failure): void {
    const { clock, counters, log, random } = this.#deps;
    const { messageId, directive } = fetch;
    const fields = {
      message_id: messageId,
      directive,
      error: failure.error.message,
      code: failure.error.code,
    };
    let delay = diskPause;
    if (failure.kind !== 'disk') {
      fetch.failures += 1;
      if (fetch.failures > this.#retriesOf(failure)) {
        counters.count('contents_failed');
        log.warn(fields, 'content given up');
        this.#forget(fetch);
        this.#bury(fetch, 'content-failed', failure.error.message);
        return;
      }
      delay = Math.max(
        backoffDelay({ floor: retryFloor, cap: retryCap, random }, fetch.failures),
        Math.min(failure.retryAfter ?? 0, retryAfterCap),
      );
    }
    if (this.#quiet) return;
    const level = failure.kind === 'disk' ? 'debug' : 'info';
    log[level]({ ...fields, retry_ms: delay }, 'content not fetched, trying again');
    fetch.timer = clock.after(delay, () => {
      fetch.timer = undefined;
      this.#enqueue(fetch);
    });
  }

  #retriesOf({ kind }: Failure): number {
    if (kind === 'refused') return 0;
    return kind === 'permanent' ? Math.min(finalRetries, this.#deps.retries) : this.#deps.retries;
  }

  #bury({ sequence, directive, messageId }: Fetch, reason: DeadReason, message: string): void {
    const { signals, datastore, journal, counters, log } = this.#deps;
    // Somebody else settled it.
    if (!datastore.messages.get(sequence)) return;
    journal.inbox.bury(sequence, reason, message);
    datastore.messages.remove(sequence);
    counters.count('messages_dead');
    log.info({ message_id: messageId, directive, reason }, 'message is a dead letter');
    void signals.emit('message-settle', { sequence, directive, outcome: 'dead' });
  }

  #forget(fetch: Fetch): void {
    fetch.timer?.cancel();
    fetch.abort.abort();
    this.#fetches.delete(fetch.sequence);
    this.#places.remove(fetch);
  }

  async #removeFile(fetch: Fetch): Promise<void> {
    await rm(path.join(this.#deps.journal.contentDirectory, fileOf(fetch)), { force: true });
  }
}

const noRoom: Failure = {
  ok: false,
  kind: 'disk',
  error: new YggError('YGG_INBOX_FULL', 'The inbox has no room for fetched content at the moment.'),
};

function fileOf({ sequence }: Fetch): string {
  return `${sequence}.content`;
}

/** The content of a message for a detached worker is a JSON string with the address of the real one. */
function addressOf(content: Uint8Array): string {
  try {
    const address: unknown = JSON.parse(Buffer.from(content).toString());
    if (typeof address === 'string') return address;
  } catch {
    // Said below.
  }
  throw new YggError(
    'YGG_CONTENT_REFUSED',
    'The content of a message for a worker with detached content must be a JSON string with its address.',
  );
}
