/**
 * What workers send back: checked, written to the outbox, and only then answered.
 *
 * Signals out: data-return. Answers every Send as soon as the response is on disk, because Go workers give it one
 * second; only a caller that asked for the settings waits for the HTTP result of what it sent to a URL.
 */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Journal, NewResponse } from '../journal/journal.ts';
import { isAddress, maxIdLength } from '../messages.ts';
import type { Data } from '../rpc/protocol.ts';
import type { SignalMap, Signals } from '../signals.ts';
import { checkAnswer } from './answer-bounds.ts';
import type { Caller } from './caller.ts';
import { type HttpResult, httpResultBytes } from './http-result.ts';
import type { Job } from './job.ts';
import type { LiveWorker } from './live-worker.ts';
import type { Settler } from './settler.ts';

export interface ReturnsDeps {
  readonly journal: Journal;
  readonly signals: Signals;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settler: Settler;
  /** Bytes of the largest content. */
  readonly responseLimit: number;
  /** Who is the worker of a directive at the moment. */
  readonly workerOf: (directive: string) => LiveWorker | undefined;
  /** A response has finished a job: there is room for another. */
  readonly onFinish: (directive: string) => void;
}

/** What a response was written as. */
export interface KeptResponse {
  /** In the outbox. */
  readonly sequence: number;
  readonly flushed: Promise<void>;
}

/** Called once: when the response is safe, or with the reason why it is not taken. */
export type Answer = (error: YggError | undefined, result?: Uint8Array) => void;

/** Called once: with the HTTP result, or without when it took too long. */
type OnResult = (result?: HttpResult) => void;

/** Milliseconds a caller waits for the HTTP result; the delivery goes on without it. */
const resultPatience = 60_000;
/** Callers that may wait at the same time; the others are answered at once. */
const mostWaiting = 1024;

interface Sender {
  /** Whose share of the outbox it counts against. */
  readonly handler: string;
  /** What it finishes. */
  readonly job: Job | undefined;
  readonly worker: LiveWorker | undefined;
}

export class Returns {
  readonly #deps: ReturnsDeps;
  /** By outbox sequence. */
  readonly #waiting = new Map<number, { readonly onResult: OnResult; readonly timer: Timer }>();

  constructor(deps: ReturnsDeps) {
    this.#deps = deps;
  }

  /** Takes one Send. Never throws. */
  send(caller: Caller, data: Data, answer: Answer): void {
    try {
      checkAnswer(data, this.#deps.responseLimit);
      const sender = this.#senderOf(caller, data);
      this.#keep(caller, data, sender, answer);
    } catch (error) {
      this.#refuse(caller, data, error, answer);
    }
  }

  /**
   * Writes an answer of an attached worker, together with the end of the message it finishes.
   *
   * @throws YggError `YGG_OUTBOX_FULL`, `YGG_FOREIGN_RESPONSE`, `YGG_NOT_REGISTERED`, and as `checkAnswer`
   */
  keep(caller: Caller, data: Data, worker: LiveWorker | undefined, finishes?: number): KeptResponse {
    checkAnswer(data, this.#deps.responseLimit);
    const handler = worker?.handler ?? this.#senderOf(caller, data).handler;
    return this.#deps.journal.outbox.respond(responseOf(data, handler), finishes);
  }

  /** Tells the HTTP result of a kept response, if there is room to wait for it; says whether there is. */
  awaitResult(sequence: number, onResult: OnResult): boolean {
    if (this.#waiting.size >= mostWaiting) return false;
    this.#wait(sequence, onResult);
    return true;
  }

  /** The HTTP result of a response is known. */
  deliver({ sequence, ...result }: SignalMap['data-deliver']): void {
    this.#answerWaiting(sequence, result);
  }

  /** Answers everybody who still waits. */
  close(): void {
    for (const sequence of [...this.#waiting.keys()]) this.#answerWaiting(sequence);
  }

  #keep(caller: Caller, data: Data, { handler, job, worker }: Sender, answer: Answer): void {
    const { journal, signals, counters, log, settler, onFinish } = this.#deps;
    // An attached worker says itself what became of a message.
    const finished = job && !job.answering && !worker?.link.settles ? job : undefined;
    const receipt = journal.outbox.respond(responseOf(data, handler), finished?.doc.sequence);
    const { sequence } = receipt;
    if (finished) finished.answering = true;
    const waits = caller.wantsResults && isAddress(data.directive) && this.#waiting.size < mostWaiting;
    if (waits) this.#wait(sequence, (result) => answer(undefined, result && httpResultBytes(result)));

    const kept = receipt.flushed.then(
      () => {
        counters.count('responses_returned');
        log.debug({ message_id: data.responseTo, handler, sequence }, 'response stored');
        if (!waits) answer(undefined);
        worker?.answered();
        if (finished) {
          settler.answered(finished);
          onFinish(finished.doc.directive);
        }
        signals.nudge('data-return', { sequence });
      },
      (error: unknown) => {
        if (finished) finished.answering = false;
        if (waits) this.#forget(sequence);
        this.#refuse(caller, data, error, answer);
      },
    );
    if (!worker) return;
    worker.returning.add(kept);
    void kept.then(() => worker.returning.delete(kept));
  }

  /** @throws YggError `YGG_FOREIGN_RESPONSE`, `YGG_NOT_REGISTERED` */
  #senderOf(caller: Caller, { responseTo }: Data): Sender {
    for (const worker of caller.workers.values()) {
      const job = worker.find(responseTo);
      if (job) return { handler: worker.handler, job, worker };
    }
    const [first] = caller.workers.values();
    const known = responseTo === '' ? undefined : this.#deps.journal.inbox.find(responseTo);
    if (!known) {
      if (!first) throw notRegistered(caller);
      if (responseTo !== '') this.#noteUnknown(caller, responseTo);
      return { handler: first.handler, job: undefined, worker: first };
    }
    const { directive, sequence } = known;
    const worker = caller.workers.get(directive);
    if (worker) return { handler: directive, job: worker.hands.get(sequence), worker };
    // A worker started by hand goes on over a restart of the daemon, and may answer what it was given before.
    if (caller.shared && !this.#deps.workerOf(directive))
      return { handler: directive, job: undefined, worker };
    if (!first) throw notRegistered(caller);
    const sentence = `The message ${responseTo} was given to ${directive}, and ${caller.title} is not its worker.`;
    throw new YggError('YGG_FOREIGN_RESPONSE', sentence);
  }

  #noteUnknown(caller: Caller, responseTo: string): void {
    this.#deps.counters.count('responses_unknown_id');
    this.#deps.log.info(
      { message_id: responseTo, worker: caller.title },
      'response to an unknown id, passed on',
    );
  }

  #refuse(caller: Caller, data: Data, error: unknown, answer: Answer): void {
    const { counters, log } = this.#deps;
    const refusal =
      error instanceof YggError ? error : new YggError('YGG_INTERNAL', reasonOf(error), { cause: error });
    counters.count('responses_refused');
    const { code, message } = refusal;
    log.warn(
      { message_id: data.responseTo.slice(0, maxIdLength), worker: caller.title, code, error: message },
      'response refused',
    );
    answer(refusal);
  }

  #wait(sequence: number, onResult: OnResult): void {
    const timer = this.#deps.clock.after(resultPatience, () => this.#answerWaiting(sequence));
    this.#waiting.set(sequence, { onResult, timer });
  }

  #answerWaiting(sequence: number, result?: HttpResult): void {
    this.#forget(sequence)?.(result);
  }

  #forget(sequence: number): OnResult | undefined {
    const entry = this.#waiting.get(sequence);
    entry?.timer.cancel();
    this.#waiting.delete(sequence);
    return entry?.onResult;
  }
}

function responseOf(data: Data, handler: string): NewResponse {
  let metadata: NewResponse['metadata'] = null;
  for (const _name in data.metadata) {
    metadata = data.metadata;
    break;
  }
  const { messageId, responseTo, directive, content } = data;
  return { messageId: messageId || randomUUID(), responseTo, directive, metadata, content, handler };
}

function notRegistered(caller: Caller): YggError {
  return new YggError('YGG_NOT_REGISTERED', `${caller.title} sent a response and has registered no handler.`);
}
