/**
 * The answers of one attached process: each is written once, and gets its receipt when it is on disk.
 *
 * Owns what is known of their ids, the credit for them, and those that come in chunks. Signals out: data-return. Never
 * decides what becomes of a message; it only writes the end of one together with its last answer when it is told to.
 */
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SharedWait } from '../base/shared-wait.ts';
import type { Counters } from '../counters.ts';
import { isAddress, maxIdLength } from '../messages.ts';
import type { Answer, AnswerReceipt, WorkerFrame } from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import type { Signals } from '../signals.ts';
import { checkAnswer } from './answer-bounds.ts';
import type { Caller } from './caller.ts';
import type { Job } from './job.ts';
import type { LargeAnswers, WholeAnswer } from './large-answers.ts';
import type { LiveWorker } from './live-worker.ts';
import type { MemoryPlace } from './memory-room.ts';
import type { Returns } from './returns.ts';
import type { Settler } from './settler.ts';

export interface AttachedAnswersDeps {
  readonly signals: Signals;
  readonly counters: Counters;
  readonly log: Logger;
  readonly caller: Caller;
  readonly returns: Returns;
  readonly settler: Settler;
  readonly large: LargeAnswers;
  /** The stream of the moment. */
  readonly stream: () => AttachStream | undefined;
  readonly find: (delivery: number) => Job | undefined;
  /** The last answers of these, and their ends, are on disk. */
  readonly onFinished: (jobs: readonly Job[]) => void;
}

/** Of answers that are not receipted yet. */
export const answerCredit: { readonly answers: number; readonly bytes: number } = {
  answers: 1024,
  bytes: 8 * 1024 * 1024,
};
/** Answers, and bytes, beyond the credit that are put down to a misunderstanding. */
const overdraft = { answers: 1024, bytes: 4 * 1024 * 1024 } as const;
/** Ids that are known: more than a worker can have without a receipt. */
const mostKnown: number = 2 * (answerCredit.answers + overdraft.answers);
/** How many are forgotten at a time. */
const forgetStep = 256;

interface Writing {
  readonly answer: Answer;
  /** In the outbox. */
  readonly sequence: number;
  /** What it finishes. */
  readonly job: Job | undefined;
  readonly place: MemoryPlace | undefined;
  /** The HTTP result, when it is there before the receipt. */
  result: AnswerReceipt['result'];
  receipted: boolean;
}

/** What the worker is told when nobody knows what a post came to. */
const noResult = { status: 0, headers: {}, body: new Uint8Array(0) };

export class AttachedAnswers {
  readonly #deps: AttachedAnswersDeps;
  /** Of the answers of this process, oldest first. */
  readonly #known = new Map<string, 'writing' | 'kept'>();
  readonly #writing: SharedWait<Writing>;
  #credit = { answers: 0, bytes: 0 };

  constructor(deps: AttachedAnswersDeps) {
    this.#deps = deps;
    this.#writing = new SharedWait((written, error) => {
      if (error === undefined) this.#onKept(written);
      else for (const { answer, job, place } of written) this.#onLost(answer, job, place, error);
    });
  }

  /** A new stream: credit begins anew, and so do answers in chunks. */
  open(stream: AttachStream): void {
    this.#credit = { ...answerCredit };
    stream.credit(answerCredit.answers, answerCredit.bytes);
  }

  close(): void {
    this.#deps.large.clear();
  }

  /** These are on disk from an earlier run of the daemon. */
  knows(messageIds: Iterable<string>): void {
    for (const messageId of messageIds) this.#known.set(messageId, 'kept');
  }

  /** Those of a hello that have no receipt: says what is known of them, and gives back what has to be sent again. */
  compare(unreceipted: readonly string[], stream: AttachStream): string[] {
    return unreceipted.filter((messageId) => {
      const fate = this.#known.get(messageId);
      if (fate === 'kept') stream.add('receipts', { messageId });
      return fate === undefined;
    });
  }

  /** Everything received so far is on disk or refused. */
  settled(): Promise<void> {
    return this.#writing.settled();
  }

  /**
   * Takes the answers of a frame, those that its chunks complete included. The last answer of a message that is `done`
   * is written together with its end. Gives back the deliveries of those that are refused.
   */
  take(
    answers: WorkerFrame['answers'],
    chunks: WorkerFrame['chunks'],
    done: ReadonlyMap<number, Job>,
  ): ReadonlySet<number> {
    if (answers.length + chunks.length === 0) return none;
    const whole = this.#receive(answers, chunks);
    const last = new Map<number, Answer>();
    if (done.size > 0) for (const { answer } of whole) last.set(answer.delivery, answer);
    const refused = new Set<number>();
    for (const { answer, place } of whole) {
      const { delivery } = answer;
      const ends = last.get(delivery) === answer && !refused.has(delivery);
      try {
        this.#keep(answer, ends ? done.get(delivery) : undefined, place);
      } catch (error) {
        refused.add(delivery);
        this.#onLost(answer, undefined, place, error);
      }
    }
    return refused;
  }

  /** Those that are new and whole. */
  #receive(answers: WorkerFrame['answers'], chunks: WorkerFrame['chunks']): WholeAnswer[] {
    const whole: WholeAnswer[] = [];
    for (const answer of answers) {
      this.#charge(answer);
      if (this.#isRepeated(answer)) continue;
      if (answer.totalSize > 0) {
        this.#begin(answer);
      } else {
        whole.push({ answer, place: nowhere });
        this.#remember(answer.messageId);
      }
    }
    for (const { messageId, content } of chunks) {
      const completed = this.#deps.large.take(messageId, content);
      if (!completed) continue;
      whole.push(completed);
      this.#remember(messageId);
    }
    return whole;
  }

  /** @throws YggError why it is refused */
  #keep(answer: Answer, job: Job | undefined, place: MemoryPlace): void {
    const { caller, returns, settler, find } = this.#deps;
    const { messageId, delivery, responseTo } = answer;
    checkNamed(messageId);
    const worker = senderOf(job ?? find(delivery), responseTo);
    const { sequence, flushed } = returns.keep(caller, answer, worker, job?.doc.sequence);
    if (job) settler.ending(job);
    const writing: Writing = { answer, sequence, job, place, result: undefined, receipted: false };
    if (answer.wantsResult && isAddress(answer.directive)) this.#awaitResult(writing);
    this.#writing.add(flushed, writing);
  }

  #awaitResult(writing: Writing): void {
    const waits = this.#deps.returns.awaitResult(writing.sequence, (result = noResult) => {
      writing.result = result;
      if (writing.receipted) this.#tellResult(writing);
    });
    if (!waits) writing.result = noResult;
  }

  #onKept(written: readonly Writing[]): void {
    const { signals, counters, log } = this.#deps;
    const stream = this.#deps.stream();
    const finished: Job[] = [];
    for (const writing of written) {
      const { answer, sequence, job, place } = writing;
      const { messageId, responseTo } = answer;
      log.debug({ message_id: responseTo, sequence }, 'response stored');
      place?.release();
      this.#known.set(messageId, 'kept');
      this.#settleCredit(answer);
      // A handler may wait for the receipt of what it sent on the way, but has ended when its message has.
      if (job) stream?.addLater('receipts', { messageId });
      else stream?.add('receipts', { messageId });
      writing.receipted = true;
      if (writing.result) this.#tellResult(writing);
      if (job) finished.push(job);
      signals.nudge('data-return', { sequence });
    }
    counters.count('responses_returned', written.length);
    if (finished.length > 0) this.#deps.onFinished(finished);
  }

  #tellResult({ answer, result }: Writing): void {
    if (result)
      this.#deps.stream()?.add('receipts', { messageId: answer.messageId, result }, result.body.length);
  }

  #onLost(answer: Answer, job: Job | undefined, place: MemoryPlace | undefined, error: unknown): void {
    if (job) this.#deps.settler.notEnding(job);
    place?.release();
    this.#known.delete(answer.messageId);
    this.refuse(answer, error);
  }

  /** Tells why an answer is not taken. */
  refuse(answer: Answer, error: unknown): void {
    const { counters, log, caller } = this.#deps;
    const refusal =
      error instanceof YggError ? error : new YggError('YGG_INTERNAL', reasonOf(error), { cause: error });
    const { code, message, facts } = refusal;
    counters.count('responses_refused');
    log.warn(
      { message_id: answer.responseTo.slice(0, maxIdLength), worker: caller.title, code, error: message },
      'response refused',
    );
    this.#settleCredit(answer);
    const { messageId } = answer;
    this.#deps.stream()?.add('receipts', { messageId, code, text: message, retry: facts.retry });
  }

  #begin(answer: Answer): void {
    try {
      checkNamed(answer.messageId);
      checkAnswer(answer, Number.POSITIVE_INFINITY);
      this.#deps.large.begin(answer);
    } catch (error) {
      this.refuse(answer, error);
    }
  }

  /** Whether it was received before; one that is on disk gets its receipt once more. */
  #isRepeated(answer: Answer): boolean {
    const fate = this.#known.get(answer.messageId);
    if (!fate) return false;
    this.#settleCredit(answer);
    if (fate === 'kept') this.#deps.stream()?.add('receipts', { messageId: answer.messageId });
    return true;
  }

  #remember(messageId: string): void {
    this.#known.set(messageId, 'writing');
    // Some at a time: the oldest is found behind the places of all that were forgotten before.
    if (this.#known.size < mostKnown + forgetStep) return;
    for (const [oldest, fate] of this.#known) {
      if (this.#known.size <= mostKnown || fate === 'writing') break;
      this.#known.delete(oldest);
    }
  }

  #charge({ content }: Answer): void {
    const credit = this.#credit;
    credit.answers -= 1;
    credit.bytes -= content.length;
    if (credit.answers >= -overdraft.answers && credit.bytes >= -overdraft.bytes) return;
    this.#deps.stream()?.end('RESOURCE_EXHAUSTED', 'There were answers far beyond the credit.');
  }

  #settleCredit({ content, totalSize }: Answer): void {
    const bytes = totalSize > 0 ? 0 : content.length;
    this.#credit.answers += 1;
    this.#credit.bytes += bytes;
    this.#deps.stream()?.credit(1, bytes);
  }
}

const none: ReadonlySet<number> = new Set();
const nowhere: MemoryPlace = { release() {} };

/** By it the worker knows its receipt. */
function checkNamed(messageId: string): void {
  if (messageId === '') throw new YggError('YGG_MESSAGE_INVALID', 'An answer has no message_id.');
}

/** A response to a message goes by the worker that was given it; any other is looked up. */
function senderOf(job: Job | undefined, responseTo: string): LiveWorker | undefined {
  return job?.doc.messageId === responseTo ? job.worker : undefined;
}
