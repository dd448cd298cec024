/**
 * One message that a test gave to a worker, and what came of it.
 */
import { contentOf } from '../worker/content.ts';
import type { Answer, Delivery, Metadata, Outcome, Result } from '../worker/frames.ts';
import { results } from '../worker/frames.ts';

/** A message for a worker; what is not said has a usual value. */
export interface TestMessage {
  readonly directive: string;
  /** Bytes as they are, anything else as JSON. */
  readonly content?: unknown;
  readonly metadata?: Metadata;
  readonly messageId?: string;
  readonly responseTo?: string;
  /** Which run this is (1). */
  readonly attempt?: number;
  /** File with the content, as fetched content has it. */
  readonly file?: string;
}

/** What a worker sent. */
export class TestAnswer {
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Metadata;
  readonly content: Uint8Array;

  constructor(answer: Answer) {
    this.messageId = answer.messageId;
    this.responseTo = answer.responseTo;
    this.directive = answer.directive;
    this.metadata = answer.metadata;
    this.content = answer.content;
  }

  text(): string {
    return Buffer.from(this.content).toString('utf8');
  }

  json(): unknown {
    return JSON.parse(this.text());
  }
}

export interface TestResult {
  readonly outcome: Result;
  /** Of a failure. */
  readonly code: string;
  readonly text: string;
  /** The handler asks for another run, so many milliseconds later. */
  readonly retry: boolean;
  readonly delay: number;
  readonly answers: readonly TestAnswer[];
}

export class TestDelivery {
  readonly number: number;
  readonly messageId: string;
  /** In order of arrival. */
  readonly answers: TestAnswer[] = [];
  /** What the handler said of its progress, as text. */
  readonly progress: string[] = [];
  /** Whether it was handed to a worker. */
  given = false;
  /** Whether the worker has taken it upon itself. */
  accepted = false;
  /** What came of it. */
  readonly result: Promise<TestResult>;
  readonly content: Uint8Array;
  readonly #message: TestMessage;
  readonly #onCancel: (delivery: TestDelivery) => void;
  #resolve: (result: TestResult) => void = () => {};

  constructor(number: number, message: TestMessage, onCancel: (delivery: TestDelivery) => void) {
    this.number = number;
    this.messageId = message.messageId ?? `message-${number}`;
    this.content = message.content === undefined ? new Uint8Array(0) : contentOf(message.content);
    this.#message = message;
    this.#onCancel = onCancel;
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get directive(): string {
    return this.#message.directive;
  }

  /** Calls it off. */
  cancel(): void {
    this.#onCancel(this);
  }

  /** As it travels; `inline` is how many bytes of content may go with it. */
  frame(inline: number): Delivery {
    const { directive, metadata = {}, responseTo = '', attempt = 1, file = '' } = this.#message;
    const large = this.content.length > inline;
    return {
      number: this.number,
      messageId: this.messageId,
      responseTo,
      directive,
      metadata,
      content: large ? new Uint8Array(0) : this.content,
      attempt,
      totalSize: large ? this.content.length : 0,
      file,
      cancel: metadata['event'] === 'cancel',
    };
  }

  settle({ result, code = '', text = '', retry = false, delayMs = 0 }: Outcome): void {
    const outcome = outcomeNames.get(result) ?? 'failed';
    this.#resolve({ outcome, code, text, retry, delay: delayMs, answers: this.answers });
  }
}

const outcomeNames = new Map<number, Result>([
  [results.done, 'done'],
  [results.failed, 'failed'],
  [results.cancelled, 'cancelled'],
  [results.returned, 'returned'],
]);
