/**
 * One worker process that attached, over all its streams: the link to each of its workers.
 *
 * Owns the stream of the moment, what was agreed on it, and its credit. A stream that breaks is not the end of the
 * process: what it has stays with it until its next hello, which says what arrived (`reunion.ts`), or until its end.
 */
import { reasonOf } from '../base/errors.ts';
import type { WorkerHealth } from '../datastore.ts';
import {
  attachVersion,
  dispatcherFeatures,
  type Hello,
  inlineContent,
  largestFrame,
  mostPerFrame,
  type WorkerFrame,
} from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import { type BrokerEvent, brokerEvents } from '../rpc/protocol.ts';
import type { HandOver } from '../rpc/worker-connection.ts';
import { AttachedAnswers } from './attached-answers.ts';
import { AttachedOutcomes } from './attached-outcomes.ts';
import type { AttachDeps } from './attachments.ts';
import type { Caller } from './caller.ts';
import { deliveryOf, type HandedMessage, sizeOf } from './handed-message.ts';
import { shortened } from './health.ts';
import type { Job } from './job.ts';
import { LargeAnswers } from './large-answers.ts';
import { LargeDeliveries } from './large-deliveries.ts';
import type { LiveWorker } from './live-worker.ts';
import { claimHandlers, compareBooks } from './opening.ts';
import { startTime } from './pulse.ts';
import { answersOnDisk } from './reunion.ts';
import type { WorkerLink } from './worker-link.ts';

/** Which process it is, over all its streams. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot; tells it from a later process with the same id. */
  readonly startTime: string;
}

/** Deliveries a worker may be ready for at a time, beyond which it has miscounted. */
const mostCredit = 65_536;
/** Bytes of a frame besides the content and the metadata of its only delivery. */
const headroom = 16 * 1024;

export class AttachedProcess implements WorkerLink {
  readonly settles = true;
  readonly perTurn: number = mostPerFrame;
  readonly inlineLimit: number = inlineContent;
  readonly caller: Caller;
  readonly identity: ProcessIdentity;
  /** By handler; one that has left stays until what it has in hand is decided on. */
  readonly workers: Map<string, LiveWorker> = new Map();
  readonly #deps: AttachDeps;
  readonly #answers: AttachedAnswers;
  readonly #outcomes: AttachedOutcomes;
  #stream: AttachStream | undefined;
  /** The stream of the moment has had its welcome. */
  #welcomed = false;
  /** It said goodbye: it finishes what it has. */
  #leaving = false;
  #features: ReadonlySet<string> = new Set();
  #credit = 0;
  #pulled: LargeDeliveries | undefined;
  #health: readonly WorkerHealth[] | undefined;

  constructor(caller: Caller, identity: ProcessIdentity, deps: AttachDeps) {
    this.caller = caller;
    this.identity = identity;
    this.#deps = deps;
    const stream = (): AttachStream | undefined => this.#stream;
    const find = (delivery: number): Job | undefined => this.find(delivery);
    this.#outcomes = new AttachedOutcomes({ ...deps, stream, find });
    this.#answers = new AttachedAnswers({
      ...{ ...deps, caller, stream, find },
      large: new LargeAnswers({
        clock: deps.clock,
        room: deps.memory,
        limit: deps.terms.maxContentSize,
        onPull: (messageId, until) => this.#stream?.add('pulls', { messageId, until }),
        onFail: (answer, error) => this.#answers.refuse(answer, error),
      }),
      onFinished: (jobs) => this.#outcomes.finished(jobs),
    });
  }

  get ready(): boolean {
    return this.#welcomed && !this.#leaving && this.#stream?.open === true;
  }

  get room(): number {
    return this.#stream?.writable ? this.#credit : 0;
  }

  get contentLimit(): number {
    return this.#features.has('chunks') ? Infinity : inlineContent;
  }

  hand(job: Job, message: HandedMessage, done: (outcome: HandOver) => void): 'calling' | 'in-hand' {
    const bytes = sizeOf(message);
    if (bytes > largestFrame - headroom) {
      const reason = `with its metadata it has ${bytes} bytes and a frame may have ${largestFrame}.`;
      queueMicrotask(() => done({ kind: 'refused', reason }));
      return 'calling';
    }
    if (!job.doc.cancel) this.#credit -= 1;
    this.#stream?.add('deliveries', deliveryOf(job, message, this.#features.has('files')), bytes);
    return 'in-hand';
  }

  cancel({ doc: { sequence, messageId } }: Job): boolean {
    if (!this.#features.has('cancel')) return false;
    // Without a stream it is said after the next hello.
    this.#stream?.add('cancels', { delivery: sequence, messageId });
    return true;
  }

  drop({ doc }: Job): void {
    this.#stream?.add('drops', doc.sequence);
  }

  notify(event: BrokerEvent): Promise<'heard' | 'failed'> {
    this.#stream?.add('events', { name: brokerEvents[event], detail: '', metadata: {} });
    return Promise.resolve(this.#stream ? 'heard' : 'failed');
  }

  lives(): Promise<boolean> {
    const { pid, startTime: born } = this.identity;
    return Promise.resolve(this.ready || startTime(pid) === born);
  }

  async settled(): Promise<void> {
    await Promise.all([this.#answers.settled(), this.#outcomes.settled()]);
  }

  /** Called for each worker of it; after the last one it is over. */
  close(): void {
    for (const [handler, { closed }] of this.workers) if (closed) this.workers.delete(handler);
    if (this.workers.size > 0) return;
    this.#answers.close();
    this.#stream?.end('ABORTED', 'The process counts as ended.');
    this.#deps.onOver(this);
  }

  /** No further delivery is sent; what is in hand may be finished within `patience` milliseconds. */
  drain(reason: string, patience: number): void {
    this.#stream?.say({ drain: { reason, patienceMs: patience } });
  }

  /** Ends the stream, not the process. */
  dismiss(reason: string): void {
    this.#stream?.say({ goodbye: { reason } });
    this.#stream?.end('UNAVAILABLE', reason);
  }

  /** Takes a stream of this process in place of the one before, and answers its hello. */
  async open(stream: AttachStream, hello: Hello): Promise<void> {
    const isNew = this.workers.size === 0;
    const former = this.#stream;
    this.#stream = stream;
    former?.end('ABORTED', 'A newer stream of the same process took its place.');
    this.#forgetStream();
    this.#leaving = false;
    this.#features = new Set(hello.features);
    this.#pulled = new LargeDeliveries(
      {
        journal: this.#deps.journal,
        find: (delivery) => this.find(delivery),
        onUnreadable: (job, error) => this.#onUnreadable(job, error),
      },
      stream,
    );
    const claimed = await claimHandlers(this.#deps, this, hello, () => this.#stream === stream);
    if (isNew && hello.unreceipted.length > 0) {
      this.#answers.knows(await answersOnDisk(this.#deps.journal, hello.unreceipted));
    }
    if (this.#stream !== stream) return;
    for (const worker of [...this.workers.values()]) {
      if (!claimed.handlers.some(({ name }) => name === worker.handler)) this.#giveUp(worker);
    }
    compareBooks(this.#deps, this, hello, stream);
    const repeat = this.#answers.compare(hello.unreceipted, stream);
    const version = Math.min(hello.version, attachVersion);
    const { largestFrame: largest } = stream;
    const own = { version, features: dispatcherFeatures, largestFrame: largest, inlineContent, repeat };
    stream.say({ welcome: { ...this.#deps.terms, ...own, ...claimed } });
    if (claimed.handlers.length > 0) {
      this.#begin(stream);
    } else {
      stream.end('FAILED_PRECONDITION', 'No handler is the own one of the caller.');
      if (this.workers.size === 0) this.#deps.onOver(this);
    }
  }

  onFrame(frame: WorkerFrame): void {
    const { accepted, progress, answers, chunks, outcomes, pulls, credit, health, goodbye } = frame;
    if (accepted.length > 0) this.#outcomes.accept(accepted);
    if (progress.length > 0) this.#outcomes.note(progress);
    const done = this.#outcomes.doneBy(outcomes);
    const refused = this.#answers.take(answers, chunks, done);
    if (outcomes.length > 0) this.#outcomes.end(outcomes, refused);
    for (const { delivery, until } of pulls) this.#pulled?.pull(delivery, until);
    if (credit > 0) {
      this.#credit = Math.min(this.#credit + credit, mostCredit);
      this.#pump();
    }
    if (health) this.#keepHealth(shortened(health.results));
    if (goodbye) this.#leave(goodbye.reason);
  }

  onDrain(): void {
    this.#pulled?.send();
    this.#pump();
  }

  /** The worker has said everything on this stream. */
  async onHalfClose(stream: AttachStream): Promise<void> {
    if (this.#leaving) {
      await this.settled();
      if (this.#stream !== stream || !this.#leaving) return;
      stream.end('OK', '');
      for (const worker of [...this.workers.values()]) this.#deps.onGone(worker);
    } else {
      stream.end('OK', '');
    }
  }

  onClose(stream: AttachStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#forgetStream();
    for (const worker of this.workers.values()) this.#deps.registry.reaches(worker, false);
  }

  #begin(stream: AttachStream): void {
    this.#answers.open(stream);
    this.#welcomed = true;
    if (this.#health) this.#keepHealth(this.#health);
    for (const worker of this.workers.values()) this.#deps.registry.reaches(worker, true);
  }

  #forgetStream(): void {
    this.#welcomed = false;
    this.#credit = 0;
    this.#pulled = undefined;
    this.#answers.close();
  }

  /** What one of its workers has in hand. */
  find(delivery: number): Job | undefined {
    for (const { hands } of this.workers.values()) {
      const job = hands.get(delivery);
      if (job) return job;
    }
    return undefined;
  }

  #pump(): void {
    for (const { handler } of this.workers.values()) this.#deps.laneOf(handler).pump();
  }

  /** A handler that its process does not offer any longer. */
  #giveUp(worker: LiveWorker): void {
    this.#deps.registry.leave(worker, 'not offered any longer', false);
    this.#deps.onGone(worker);
  }

  #leave(reason: string): void {
    if (this.#leaving) return;
    this.#leaving = true;
    const why = reason === '' ? 'it said goodbye' : `it said goodbye: ${reason.slice(0, 200)}`;
    for (const worker of this.workers.values()) this.#deps.registry.leave(worker, why, false);
  }

  #keepHealth(results: readonly WorkerHealth[]): void {
    this.#health = results;
    for (const handler of this.workers.keys()) {
      const doc = this.#deps.datastore.workers.get(handler);
      if (doc) doc.health = results;
    }
  }

  #onUnreadable(job: Job, error: unknown): void {
    const reason = reasonOf(error);
    const { messageId, directive } = job.doc;
    const fields = { message_id: messageId, error: reason };
    this.#deps.log.error(fields, 'content could not be read for its worker');
    this.drop(job);
    this.#deps.laneOf(directive).settle(job, { kind: 'internal', reason });
  }
}
