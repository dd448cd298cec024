/**
 * The test daemon's end of one stream: says what it has for the worker, and takes what the worker says.
 *
 * Owns credit and chunks of the stream. What was delivered, and which answers are known, outlives it in the books.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  type Answer,
  type Delivery,
  type DispatcherFrame,
  type Hello,
  inlineContent,
  type Metadata,
  type WorkerFrame,
} from '../worker/frames.ts';
import type { HttpResult } from '../worker/http-result.ts';
import { TestAnswer, type TestDelivery } from './test-delivery.ts';

/** What outlives a stream. */
export interface Books {
  /** Given to the daemon and not settled, in order. */
  readonly deliveries: Map<number, TestDelivery>;
  /** Ids of answers that were taken. */
  readonly known: Set<string>;
  /** Answers to no delivery. */
  readonly sent: TestAnswer[];
  /** What the server says to an answer that is posted. */
  readonly post: (answer: TestAnswer) => Promise<HttpResult>;
  /** The last results of the worker's checks. */
  health: ReadonlyArray<{ readonly name: string; readonly healthy: boolean; readonly status: string }>;
}

export interface HandlerFacts {
  readonly name: string;
  readonly features: Metadata;
  readonly concurrency: number;
  readonly redelivery: number;
}

type Call = ServerDuplexStream<WorkerFrame, Partial<DispatcherFrame>>;
type Writable<Frame> = { -readonly [Field in keyof Frame]?: Frame[Field] };

const window = { answers: 1024, bytes: 8 * 1024 * 1024 };

export class AttachedWorker {
  handlers: readonly HandlerFacts[] = [];
  readonly #call: Call;
  readonly #books: Books;
  readonly #onHello: (worker: AttachedWorker) => void;
  /** Numbers the worker has on this stream. */
  readonly #given = new Set<number>();
  readonly #large = new Map<
    string,
    { readonly answer: Answer; readonly chunks: Uint8Array[]; size: number }
  >();
  /** Bytes of large deliveries that were sent. */
  readonly #chunked = new Map<number, number>();
  #credit = 0;
  #leaving = false;
  #pumpAsked = false;

  constructor(call: Call, books: Books, onHello: (worker: AttachedWorker) => void) {
    this.#call = call;
    this.#books = books;
    this.#onHello = onHello;
    call.on('error', () => {});
    call.on('data', (frame: WorkerFrame) => this.#onFrame(frame));
    call.on('end', () => call.end());
  }

  get open(): boolean {
    return !this.#call.cancelled && !this.#call.writableEnded;
  }

  takes(directive: string): boolean {
    return this.open && !this.#leaving && this.handlers.some(({ name }) => name === directive);
  }

  say(frame: Partial<DispatcherFrame>): void {
    if (this.open) this.#call.write(frame);
  }

  /** Hands over what there is, at the end of this turn. */
  pump(): void {
    if (this.#pumpAsked) return;
    this.#pumpAsked = true;
    setImmediate(() => {
      this.#pumpAsked = false;
      this.#pump();
    });
  }

  /** Ends the stream with a status of gRPC. */
  end(code: number, details: string): void {
    this.#call.emit('error', { code, details });
  }

  #onFrame(frame: WorkerFrame): void {
    const reply: Writable<DispatcherFrame> = {};
    if (frame.hello) this.#open(frame.hello, reply);
    this.#takeAccepted(frame, reply);
    for (const { delivery, data } of frame.progress ?? []) {
      this.#books.deliveries.get(delivery)?.progress.push(Buffer.from(data).toString('utf8'));
    }
    this.#takeAnswers(frame, reply);
    this.#takeOutcomes(frame, reply);
    this.#takePulls(frame);
    this.#credit += frame.credit ?? 0;
    if (frame.health) this.#books.health = frame.health.results;
    if (frame.goodbye) this.#leaving = true;
    if (Object.keys(reply).length > 0) this.say(reply);
    if (frame.hello) this.#onHello(this);
    this.pump();
  }

  #open(hello: Hello, reply: Writable<DispatcherFrame>): void {
    const { deliveries, known } = this.#books;
    this.handlers = hello.handlers;
    for (const number of hello.inWork) this.#given.add(number);
    reply.welcome = {
      version: 1,
      features: ['chunks', 'cancel', 'files', 'progress', 'results', 'health'],
      clientId: 'test-host',
      configDirectory: '/etc/yggdrasil',
      maxContentSize: 32 * 1024 * 1024,
      largestFrame: 4 * 1024 * 1024,
      inlineContent,
      handlers: hello.handlers.map(({ name, concurrency, redelivery }) => ({
        name,
        slots: slotsOf(concurrency),
        redelivery,
        timeoutMs: 3_600_000,
      })),
      refused: [],
      repeat: hello.unreceipted.filter((id) => !known.has(id)),
    };
    reply.drops = hello.inWork.filter((number) => !deliveries.has(number));
    reply.receipts = hello.unreceipted.filter((id) => known.has(id)).map(receiptFor);
    reply.credit = window;
  }

  #takeAccepted({ accepted = [] }: WorkerFrame, reply: Writable<DispatcherFrame>): void {
    if (accepted.length > 0) reply.recorded = accepted;
    for (const number of accepted) {
      const delivery = this.#books.deliveries.get(number);
      if (delivery) delivery.accepted = true;
    }
  }

  #takeAnswers({ answers = [], chunks = [] }: WorkerFrame, reply: Writable<DispatcherFrame>): void {
    const whole: Answer[] = [];
    for (const answer of answers) {
      const { totalSize = 0, messageId } = answer;
      if (totalSize === 0) whole.push(answer);
      else {
        this.#large.set(messageId, { answer, chunks: [], size: 0 });
        this.say({ pulls: [{ messageId, until: totalSize }] });
      }
    }
    for (const { messageId, content } of chunks) {
      const large = this.#large.get(messageId);
      if (!large) continue;
      large.chunks.push(content);
      large.size += content.length;
      if (large.size < (large.answer.totalSize ?? 0)) continue;
      this.#large.delete(messageId);
      whole.push({ ...large.answer, content: Buffer.concat(large.chunks), totalSize: 0 });
    }
    if (whole.length === 0) return;
    for (const answer of whole) this.#keep(answer);
    reply.receipts = [...(reply.receipts ?? []), ...whole.map(({ messageId }) => receiptFor(messageId))];
    reply.credit ??= {
      answers: whole.length,
      bytes: whole.reduce((sum, { content }) => sum + content.length, 0),
    };
  }

  #keep(answer: Answer): void {
    const { known, deliveries, sent, post } = this.#books;
    if (known.has(answer.messageId)) return;
    known.add(answer.messageId);
    const taken = new TestAnswer(answer);
    (deliveries.get(answer.delivery)?.answers ?? sent).push(taken);
    if (!answer.wantsResult) return;
    const receipt = receiptFor(answer.messageId);
    void post(taken).then((result) => this.say({ receipts: [{ ...receipt, result }] }));
  }

  #takeOutcomes({ outcomes = [] }: WorkerFrame, reply: Writable<DispatcherFrame>): void {
    if (outcomes.length === 0) return;
    reply.settled = outcomes.map(({ delivery }) => delivery);
    for (const outcome of outcomes) {
      this.#given.delete(outcome.delivery);
      const delivery = this.#books.deliveries.get(outcome.delivery);
      this.#books.deliveries.delete(outcome.delivery);
      delivery?.settle(outcome);
    }
  }

  #takePulls({ pulls = [] }: WorkerFrame): void {
    for (const { delivery: number, until } of pulls) {
      const content = this.#books.deliveries.get(number)?.content;
      if (!content) continue;
      let from = this.#chunked.get(number) ?? 0;
      while (from < Math.min(until, content.length)) {
        const chunk = content.subarray(from, Math.min(until, from + inlineContent));
        from += chunk.length;
        this.say({ chunks: [{ delivery: number, content: chunk }] });
      }
      this.#chunked.set(number, from);
    }
  }

  #pump(): void {
    if (!this.open || this.#leaving) return;
    const deliveries: Delivery[] = [];
    const free = new Map(this.handlers.map(({ name, concurrency }) => [name, slotsOf(concurrency)]));
    for (const number of this.#given) {
      const directive = this.#books.deliveries.get(number)?.directive ?? '';
      free.set(directive, (free.get(directive) ?? 0) - 1);
    }
    for (const delivery of this.#books.deliveries.values()) {
      if (this.#given.has(delivery.number)) continue;
      const frame = delivery.frame(inlineContent);
      const slots = free.get(delivery.directive) ?? 0;
      if (!frame.cancel && (slots <= 0 || this.#credit <= 0)) continue;
      if (!frame.cancel) {
        this.#credit -= 1;
        free.set(delivery.directive, slots - 1);
      }
      this.#given.add(delivery.number);
      delivery.given = true;
      deliveries.push(frame);
      if (deliveries.length >= 64) this.say({ deliveries: deliveries.splice(0) });
    }
    if (deliveries.length > 0) this.say({ deliveries });
  }
}

function slotsOf(concurrency: number): number {
  return concurrency > 0 ? concurrency : 64;
}

function receiptFor(messageId: string): DispatcherFrame['receipts'][number] {
  return { messageId, code: '', text: '', retry: false, result: null };
}
