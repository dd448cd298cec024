/**
 * The link under a daemon that knows Register and Send only.
 *
 * Owns the answers that are not taken yet. There, a message that was taken is never handed over again: whoever asks
 * for another run gets it in this process, and a failure is an answer of the form that the daemon's own reports have.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Answer, Delivery, Outcome } from './frames.ts';
import { results } from './frames.ts';
import { type HttpResult, noResult, type OnResult } from './http-result.ts';
import type { Link, LinkReceiver } from './link.ts';
import type { Data } from './protocol.ts';

export interface UnaryLinkDeps {
  readonly receiver: LinkReceiver;
  readonly clock: Pick<Clock, 'after'>;
  /** Sends one answer until the daemon has taken or refused it; with its HTTP result when that is wanted. */
  readonly send: (data: Data, done: OnSent, wantsResult: boolean) => void;
  /** Nothing is in hand and nothing waits to be sent. */
  readonly onIdle: () => void;
}

export type OnSent = (error?: Error, result?: HttpResult) => void;

interface Queued {
  readonly data: Data;
  readonly done: ((error?: Error) => void) | undefined;
  readonly onResult: OnResult | undefined;
}

interface Work {
  readonly delivery: Delivery;
  /** In order; the first one is being sent. */
  readonly answers: Queued[];
  ended: boolean;
}

export class UnaryLink implements Link {
  readonly #deps: UnaryLinkDeps;
  readonly #work = new Map<number, Work>();
  #count = 0;
  /** Messages of the worker's own accord on their way, and runs that are to come. */
  #outside = 0;

  constructor(deps: UnaryLinkDeps) {
    this.#deps = deps;
  }

  get idle(): boolean {
    return this.#work.size === 0 && this.#outside === 0;
  }

  /** Takes a message of the daemon. */
  take({ messageId, responseTo, directive, metadata, content }: Data): void {
    this.#count += 1;
    this.#begin({
      number: this.#count,
      messageId,
      responseTo,
      directive,
      metadata,
      content,
      attempt: 1,
      totalSize: 0,
      file: '',
      cancel: metadata['event'] === 'cancel',
    });
  }

  answer({ delivery, ...data }: Answer, done?: (error?: Error) => void, onResult?: OnResult): void {
    const work = this.#work.get(delivery);
    if (!work) {
      this.#outside += 1;
      const onSent = (error?: Error): void => {
        this.#outside -= 1;
        done?.(error);
        this.#checkIdle();
      };
      this.#deps.send(data, onSent, false);
      return;
    }
    work.answers.push({ data, done, onResult });
    if (work.answers.length === 1) this.#sendNext(work);
  }

  /** A message is taken with its hand-over. */
  accept(): Promise<void> {
    return Promise.resolve();
  }

  progress(): void {}

  /** All content comes with its message. */
  content(delivery: Delivery): Readable {
    return Readable.from([delivery.content], { objectMode: false });
  }

  end({ delivery: number, result, code = '', text = '', retry = false, delayMs = 0 }: Outcome): void {
    const work = this.#work.get(number);
    if (!work) return;
    if (result === results.failed && retry) this.#runAgain(work.delivery, delayMs);
    else if (result === results.failed || result === results.cancelled) {
      this.#report(work.delivery, result === results.cancelled ? 'cancelled' : code, text);
    }
    work.ended = true;
    this.#forget(work);
  }

  #begin(delivery: Delivery): void {
    this.#work.set(delivery.number, { delivery, answers: [], ended: false });
    this.#deps.receiver.onDelivery(delivery);
  }

  #sendNext(work: Work): void {
    const [next] = work.answers;
    if (!next) {
      this.#forget(work);
      return;
    }
    const onSent = (error?: Error, result: HttpResult = noResult): void => {
      work.answers.shift();
      next.done?.(error);
      if (!error) next.onResult?.(result);
      this.#sendNext(work);
    };
    this.#deps.send(next.data, onSent, next.onResult !== undefined);
  }

  #forget(work: Work): void {
    if (!work.ended || work.answers.length > 0) return;
    if (this.#work.get(work.delivery.number) === work) this.#work.delete(work.delivery.number);
    this.#checkIdle();
  }

  #runAgain(delivery: Delivery, delay: number): void {
    this.#outside += 1;
    this.#count += 1;
    const number = this.#count;
    this.#deps.clock.after(delay, () => {
      this.#outside -= 1;
      this.#begin({ ...delivery, number, attempt: delivery.attempt + 1 });
    });
  }

  #report({ number, messageId, directive }: Delivery, code: string, message: string): void {
    this.answer({
      messageId: randomUUID(),
      responseTo: messageId,
      directive,
      metadata: { status: 'failed', reason: code },
      content: Buffer.from(JSON.stringify({ error: { code, message } })),
      delivery: number,
    });
  }

  #checkIdle(): void {
    if (this.idle) this.#deps.onIdle();
  }
}
