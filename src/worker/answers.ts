/**
 * The answers of a worker that have no receipt yet: sent as credit allows, again on a new stream, in order.
 *
 * Owns the credit of the stream and the chunks of large answers. Tells when the last answer of a delivery is out,
 * since its end goes with it or after.
 */

import type { Clock } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { Answer, AnswerReceipt } from './frames.ts';
import { noResult, type OnResult, Results } from './http-result.ts';

export interface AnswersDeps {
  readonly clock: Pick<Clock, 'after'>;
  /** Nothing of this delivery waits to be sent any longer. */
  readonly onSent: (delivery: number) => void;
  /** The daemon will not take one of its answers. */
  readonly onRefused: (delivery: number, error: YggRefusal) => void;
}

/** Why an answer is not taken, with the code the daemon gave. */
export class YggRefusal extends Error {
  override readonly name = 'YggRefusal';
  readonly code: string;

  constructor({ code, text }: Pick<AnswerReceipt, 'code' | 'text'>) {
    super(text);
    this.code = code;
  }
}

interface Pending {
  readonly answer: Answer;
  readonly done: ((error?: Error) => void) | undefined;
  /** `queued` until all of it is sent. */
  state: 'queued' | 'announced' | 'sent' | 'resting';
  /** Was in the hello of the stream of the moment. */
  listed: boolean;
  /** Of a large one: bytes sent on this stream. */
  sent: number;
}

/** What was agreed for one stream. */
export interface AnswersTerms {
  /** Bytes of content from which on it goes in chunks. */
  readonly inline: number;
  /** Bytes of the largest frame the daemon takes. */
  readonly frame: number;
  /** Ids the daemon does not have. */
  readonly repeat: readonly string[];
  /** Whether the daemon tells HTTP results. */
  readonly tellsResults: boolean;
}

/** Bytes of metadata, at most: half of a frame leaves room for content and the rest. */
const mostMetadata: number = 2 * 1024 * 1024;
/** Milliseconds until an answer that was not taken now is sent again. */
const rest = 1_000;

export class Answers {
  readonly #deps: AnswersDeps;
  readonly #pending = new Map<string, Pending>();
  /** To be sent, oldest first. */
  #queue: Pending[] = [];
  /** Answers of a delivery that are not wholly sent. */
  readonly #unsent = new Map<number, number>();
  readonly #results: Results;
  /** Whether the daemon tells HTTP results. */
  #tellsResults = false;
  #writer: FrameWriter | undefined;
  #inline = 0;
  #mostMetadata = mostMetadata;
  #credit = { answers: 0, bytes: 0 };

  constructor(deps: AnswersDeps) {
    this.#deps = deps;
    this.#results = new Results(deps.clock);
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Whether answers of this delivery wait to be sent. */
  waits(delivery: number): boolean {
    return this.#unsent.has(delivery);
  }

  add(answer: Answer, done: Pending['done'], onResult?: OnResult): void {
    if (onResult) this.#results.expect(answer.messageId, onResult);
    const pending: Pending = { answer, done, state: 'queued', listed: false, sent: 0 };
    this.#pending.set(answer.messageId, pending);
    this.#enqueue(pending);
    this.#pump();
  }

  /** Ids for a hello. */
  list(): string[] {
    for (const pending of this.#pending.values()) pending.listed = true;
    return [...this.#pending.keys()];
  }

  /** A stream that was welcomed: what the daemon does not have is sent again. */
  open(writer: FrameWriter, { inline, frame, repeat, tellsResults }: AnswersTerms): void {
    this.#writer = writer;
    this.#inline = inline;
    this.#mostMetadata = Math.min(mostMetadata, frame / 2);
    this.#tellsResults = tellsResults;
    this.#credit = { answers: 0, bytes: 0 };
    const missing = new Set(repeat);
    this.#queue = [];
    this.#unsent.clear();
    for (const pending of this.#pending.values()) {
      pending.sent = 0;
      if (pending.state === 'resting') continue;
      if (pending.listed && !missing.has(pending.answer.messageId)) pending.state = 'sent';
      else this.#enqueue(pending);
    }
  }

  close(): void {
    this.#writer = undefined;
  }

  onCredit(answers: number, bytes: number): void {
    this.#credit.answers += answers;
    this.#credit.bytes += bytes;
    this.#pump();
  }

  onReceipt(receipt: AnswerReceipt): void {
    const { messageId, result } = receipt;
    if (result) this.#results.tell(messageId, result);
    const pending = this.#pending.get(messageId);
    if (!pending || result) return;
    if (receipt.code === '') {
      this.#pending.delete(messageId);
      this.#settleUnsent(pending);
      pending.done?.();
      if (this.#tellsResults) this.#results.begin(messageId);
      else this.#results.tell(messageId, noResult);
    } else if (receipt.retry) this.#rest(pending);
    else this.#refuse(pending, new YggRefusal(receipt));
  }

  onPull(messageId: string, until: number): void {
    const pending = this.#pending.get(messageId);
    if (pending?.state !== 'announced' || !this.#writer) return;
    const { content } = pending.answer;
    while (pending.sent < Math.min(until, content.length)) {
      const chunk = content.subarray(pending.sent, Math.min(until, pending.sent + this.#inline));
      pending.sent += chunk.length;
      this.#writer.add('chunks', { messageId, content: chunk }, chunk.length);
    }
    if (pending.sent >= content.length) this.#onSent(pending);
  }

  /** Nobody will hear of the rest. */
  giveUp(): void {
    for (const { done } of this.#pending.values())
      done?.(new YggError('YGG_CLOSED', 'The worker has ended.'));
    this.#results.giveUp();
    this.#pending.clear();
    this.#queue = [];
  }

  #enqueue(pending: Pending): void {
    pending.state = 'queued';
    this.#queue.push(pending);
    const { delivery } = pending.answer;
    if (delivery > 0) this.#unsent.set(delivery, (this.#unsent.get(delivery) ?? 0) + 1);
  }

  #pump(): void {
    while (this.#writer && this.#credit.answers > 0 && this.#credit.bytes > 0) {
      const pending = this.#queue.shift();
      if (!pending) return;
      this.#send(pending, this.#writer);
    }
  }

  #send(pending: Pending, writer: FrameWriter): void {
    const { answer } = pending;
    const { length } = answer.content;
    const besides = sizeOf(answer.metadata);
    if (besides > this.#mostMetadata) {
      const text = `The metadata of an answer has ${besides} bytes and may have ${this.#mostMetadata}.`;
      this.#refuse(pending, new YggRefusal({ code: 'YGG_MESSAGE_TOO_LARGE', text }));
      return;
    }
    this.#credit.answers -= 1;
    if (length > this.#inline) {
      pending.state = 'announced';
      writer.add('answers', { ...answer, content: nothing, totalSize: length }, besides);
      return;
    }
    this.#credit.bytes -= length;
    writer.add('answers', answer, length + besides);
    this.#onSent(pending);
  }

  #onSent(pending: Pending): void {
    this.#settleUnsent(pending);
    pending.state = 'sent';
  }

  /** One answer less of its delivery is to be sent; only if it was counted. */
  #settleUnsent({ state, answer: { delivery } }: Pending): void {
    const unsent = this.#unsent.get(delivery);
    if (unsent === undefined || (state !== 'queued' && state !== 'announced')) return;
    if (unsent > 1) this.#unsent.set(delivery, unsent - 1);
    else {
      this.#unsent.delete(delivery);
      this.#deps.onSent(delivery);
    }
  }

  #rest(pending: Pending): void {
    if (pending.state === 'announced') this.#settleUnsent(pending);
    pending.state = 'resting';
    this.#deps.clock.after(rest, () => {
      if (!this.#pending.has(pending.answer.messageId)) return;
      pending.sent = 0;
      this.#enqueue(pending);
      this.#pump();
    });
  }

  #refuse(pending: Pending, error: YggRefusal): void {
    const { messageId, delivery } = pending.answer;
    this.#pending.delete(messageId);
    this.#results.forget(messageId);
    // Before what waits for it is told that it is out: its end may have to be another one now.
    this.#deps.onRefused(delivery, error);
    this.#settleUnsent(pending);
    pending.done?.(error);
  }
}

const nothing: Uint8Array = new Uint8Array(0);

/** Bytes, at most. */
function sizeOf(metadata: Answer['metadata']): number {
  let bytes = 0;
  for (const name in metadata) bytes += 3 * (name.length + (metadata[name]?.length ?? 0));
  return bytes;
}
