/**
 * One run of one message: what its handler can say and ask, and what becomes of it.
 *
 * Owns the signal and the timer of the run. A run ends once: with what its handler returned or threw, when its time is
 * over, or when the message is taken away.
 */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { failureEvent, InputInvalid } from './commands.ts';
import { contentOf } from './content.ts';
import { eventParts } from './event-answer.ts';
import { Cancelled, failureOf, RetryLater, retryDelay } from './failure.ts';
import { type Delivery, type Metadata, type Outcome, type Result, results } from './frames.ts';
import type { Handler } from './handler.ts';
import type { HttpResult, OnResult } from './http-result.ts';
import type { Link } from './link.ts';
import { type ContentSource, DeliveredMessage } from './message.ts';

export interface ReplyOptions {
  readonly metadata?: Metadata;
  /** A handler, a name the server knows, or the URL it is posted to; the answer's own when not set. */
  readonly directive?: string;
}

/** What a handler has at hand for one message. */
export interface Job {
  /** Aborted when the message is cancelled, when its time is over, and when the worker has to end. */
  readonly signal: AbortSignal;
  /** Which run of the message this is, from 1 up. */
  readonly attempt: number;
  /** When the time of this run is over. */
  readonly deadline: Date | undefined;
  /** Every line carries the id of the message. */
  readonly log: Logger;
  /** Sends an answer, also an `event(...)`; resolves when it is safe with the daemon. Any number of times. */
  reply(content: unknown, options?: ReplyOptions): Promise<void>;
  /**
   * Sends an answer that the daemon posts to a URL; resolves with what the server said. Status 0 when that is not known
   * after a minute, or the daemon does not tell; the delivery goes on.
   */
  post(url: string | URL, content: unknown, options?: Pick<ReplyOptions, 'metadata'>): Promise<HttpResult>;
  /** Tells observers of the daemon how far it is; at most 4 KiB, nothing is stored, what is too much is left out. */
  progress(data: unknown): void;
  /** Resolves when it is on disk that this worker has taken the message upon itself. */
  accept(): Promise<void>;
}

export interface RunDeps {
  readonly delivery: Delivery;
  readonly handler: Handler;
  readonly link: Link;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds the daemon gives a run. */
  readonly limit: () => number;
  /** Whether a message may be run again after it began: what the daemon has granted. */
  readonly repeats: () => boolean;
  /** Called once, when the handler may take another message. */
  readonly onEnd: (run: Run) => void;
}

export class Run implements Job {
  readonly delivery: Delivery;
  readonly #deps: RunDeps;
  #state: 'waiting' | 'running' | 'ended' = 'waiting';
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;
  #interrupted = false;
  /** Milliseconds since the epoch. */
  #started = 0;
  #timer: Timer | undefined;
  #log: Logger | undefined;

  constructor(deps: RunDeps) {
    this.#deps = deps;
    this.delivery = deps.delivery;
  }

  get deadline(): Date | undefined {
    const { handler, limit } = this.#deps;
    const time = Math.min(handler.timeout ?? Number.POSITIVE_INFINITY, limit());
    return Number.isFinite(time) ? new Date(this.#started + time) : undefined;
  }

  get attempt(): number {
    return this.delivery.attempt;
  }

  /** Made when somebody asks for it: most handlers do not. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#abortReason) this.#abort.abort(this.#abortReason);
    return this.#abort.signal;
  }

  get log(): Logger {
    this.#log ??= this.#deps.log.child({ message_id: this.delivery.messageId });
    return this.#log;
  }

  get waiting(): boolean {
    return this.#state === 'waiting';
  }

  start(source: ContentSource): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'running';
    this.#started = this.#deps.clock.now();
    const { handler, clock } = this.#deps;
    const { timeout } = handler;
    if (timeout !== undefined) this.#timer = clock.after(timeout, () => this.#onTimeout(timeout));
    let result: unknown;
    try {
      result = handler.onMessage(new DeliveredMessage(this.delivery, source), this);
    } catch (error) {
      this.#onThrown(error);
      return;
    }
    if (isThenable(result)) {
      result.then(
        (value) => this.#onReturned(value),
        (error) => this.#onThrown(error),
      );
    } else this.#onReturned(result);
  }

  reply(content: unknown, options: ReplyOptions = {}): Promise<void> {
    return this.#reply((resolve, reject) => {
      this.#answer(content, options, (error) => (error ? reject(error) : resolve()));
    });
  }

  post(url: string | URL, content: unknown, options: ReplyOptions = {}): Promise<HttpResult> {
    const directive = new URL(url).href;
    return this.#reply((resolve, reject) => {
      this.#answer(content, { ...options, directive }, (error) => error && reject(error), resolve);
    });
  }

  #reply<Result>(
    send: (resolve: (result: Result) => void, reject: (error: Error) => void) => void,
  ): Promise<Result> {
    const replied = new Promise<Result>((resolve, reject) => {
      if (this.#state !== 'running')
        throw new YggError('YGG_CLOSED', 'The message has ended: no reply is sent.');
      send(resolve, reject);
    });
    // A handler need not wait for it.
    replied.catch((error) => this.log.warn({ error }, 'a reply was not taken'));
    return replied;
  }

  progress(data: unknown): void {
    if (this.#state === 'running') this.#deps.link.progress(this.delivery.number, contentOf(data));
  }

  accept(): Promise<void> {
    return this.#deps.link.accept(this.delivery.number);
  }

  /** Called off: what did not begin ends at once, a handler hears of it and ends when it can. */
  cancel(): void {
    const reason = new Cancelled('The message was cancelled.');
    if (this.#state === 'waiting') this.#finish('cancelled');
    else this.#raise(reason);
  }

  /** The worker has to end. */
  interrupt(reason: string): void {
    this.#interrupted = true;
    this.#raise(new YggError('YGG_CLOSED', reason));
  }

  /** It is not this worker's any longer: nothing is said of it. */
  drop(): void {
    this.#raise(new YggError('YGG_CLOSED', 'The message was taken away.'));
    this.#close();
  }

  /** Gives back what has not begun. */
  giveBack(): void {
    this.#finish('returned');
  }

  /** What it needed to begin cannot be had. */
  fail(thrown: unknown): void {
    this.#onThrown(thrown);
  }

  #raise(reason: Error): void {
    if (this.#state === 'ended') return;
    this.#abortReason ??= reason;
    this.#abort?.abort(this.#abortReason);
  }

  #onTimeout(timeout: number): void {
    const error = new YggError('YGG_DEADLINE', `The handler did not end within ${timeout} ms.`);
    this.#raise(error);
    this.#onThrown(error);
  }

  #onReturned(value: unknown): void {
    if (this.#state === 'ended') return;
    try {
      if (value !== undefined) this.#answer(value, {});
    } catch (error) {
      this.#onThrown(error);
      return;
    }
    this.#finish('done');
  }

  #onThrown(thrown: unknown): void {
    if (this.#state === 'ended') return;
    const { handler } = this.#deps;
    if (this.#abortReason instanceof Cancelled) {
      this.#finish('cancelled');
      return;
    }
    const failure = failureOf(thrown);
    if (this.#interrupted) {
      // It did not come to an end: another run is what until-done promises, and all it may have.
      this.#finish('failed', { ...failure, retry: this.#deps.repeats() });
      return;
    }
    this.log.warn({ code: failure.code, error: failure.text, attempt: this.attempt }, 'the handler failed');
    if (thrown instanceof RetryLater)
      this.#finish('failed', { ...failure, retry: true, delayMs: thrown.delay });
    else if (this.attempt <= handler.retries && !(thrown instanceof InputInvalid)) {
      this.#finish('failed', { ...failure, retry: true, delayMs: retryDelay(this.attempt) });
    } else if (handler.answersFailures) this.#onReturned(failureEvent(thrown, failure));
    else this.#finish('failed', failure);
  }

  #answer(value: unknown, options: ReplyOptions, done?: (error?: Error) => void, onResult?: OnResult): void {
    const { content, event } = eventParts(value);
    const { handler, link } = this.#deps;
    const { number, messageId, directive, metadata } = this.delivery;
    const returnUrl = handler.detached ? metadata['return_url'] : undefined;
    link.answer(
      {
        messageId: randomUUID(),
        responseTo: messageId,
        directive: options.directive ?? returnUrl ?? directive,
        metadata: event === undefined ? (options.metadata ?? {}) : { ...options.metadata, event },
        content: contentOf(content),
        delivery: number,
      },
      done,
      onResult,
    );
  }

  #finish(result: Result, more: Omit<Outcome, 'delivery' | 'result'> = {}): void {
    if (this.#state === 'ended') return;
    this.#deps.link.end({ delivery: this.delivery.number, result: results[result], ...more });
    this.#close();
  }

  #close(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#timer?.cancel();
    this.#deps.onEnd(this);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
