/**
 * One worker process that attached, over all its streams: the link to each of its workers.
 *
 * Owns the stream of the moment, what was agreed on it, and its credit. A stream that breaks is not the end of the
 * process: what it has stays with it until its next hello, which says what arrived (`reunion.ts`), or until its end.
 */
import { reasonOf, YggError } from '../base/errors.ts';
import type { WorkerHealth } from '../datastore.ts';
import {
  attachVersion,
  dispatcherFeatures,
  type HandlerGrant,
  type HandlerOffer,
  type HandlerRefusal,
  type Hello,
  inlineContent,
  largestFrame,
  mostPerFrame,
  redeliveries,
  type WorkerFrame,
} from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import { type BrokerEvent, brokerEvents } from '../rpc/protocol.ts';
import type { HandOver } from '../rpc/worker-connection.ts';
import { AttachedAnswers } from './attached-answers.ts';
import { AttachedOutcomes } from './attached-outcomes.ts';
import type { AttachDeps } from './attachments.ts';
import type { Caller } from './caller.ts';
import type { HandedMessage } from './handed-message.ts';
import type { Job } from './job.ts';
import { LargeAnswers } from './large-answers.ts';
import { LargeDeliveries } from './large-deliveries.ts';
import type { LiveWorker } from './live-worker.ts';
import { startTime } from './pulse.ts';
import type { Offer } from './registry.ts';
import { adoptable, answersOnDisk, fateOf } from './reunion.ts';
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
const mostHealth = 64;
const mostHealthText = 4 * 1024;

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
    const find = (delivery: number): Job | undefined => this.#find(delivery);
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
    const { sequence, cancel } = job.doc;
    const { messageId, responseTo, directive, metadata, content, file } = message;
    let bytes = content.length;
    for (const name in metadata) bytes += 3 * (name.length + (metadata[name]?.length ?? 0));
    if (bytes > largestFrame - headroom) {
      const reason = `with its metadata it has ${bytes} bytes and a frame may have ${largestFrame}.`;
      queueMicrotask(() => done({ kind: 'refused', reason }));
      return 'calling';
    }
    if (!cancel) this.#credit -= 1;
    const delivery = {
      ...{ number: sequence, messageId, responseTo, directive, metadata, content },
      ...{ attempt: job.attempt, totalSize: job.size > inlineContent ? job.size : 0 },
      ...{ file: this.#features.has('files') ? file : '', cancel },
    };
    this.#stream?.add('deliveries', delivery, bytes);
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
        find: (delivery) => this.#find(delivery),
        onUnreadable: (job, error) => this.#onUnreadable(job, error),
      },
      stream,
    );
    const { granted, refused } = await this.#claim(stream, hello);
    if (isNew && hello.unreceipted.length > 0) {
      this.#answers.knows(await answersOnDisk(this.#deps.journal, hello.unreceipted));
    }
    if (this.#stream !== stream) return;
    this.#welcome(stream, hello, granted, refused);
    if (granted.length > 0) return;
    stream.end('FAILED_PRECONDITION', 'No handler is the caller’s own.');
    if (this.workers.size === 0) this.#deps.onOver(this);
  }

  onFrame(frame: WorkerFrame): void {
    const { accepted, progress, answers, chunks, outcomes, pulls, credit, health, goodbye } = frame;
    if (accepted.length > 0) this.#outcomes.accept(accepted);
    if (progress.length > 0) this.#outcomes.note(progress);
    if (answers.length + chunks.length + outcomes.length > 0) this.#settle(frame);
    for (const { delivery, until } of pulls) this.#pulled?.pull(delivery, until);
    if (credit > 0) {
      this.#credit = Math.min(this.#credit + credit, mostCredit);
      this.#pump();
    }
    if (health) this.#keepHealth(health.results);
    if (goodbye) this.#leave(goodbye.reason);
  }

  onDrain(): void {
    this.#pulled?.send();
    this.#pump();
  }

  /** The worker has said everything on this stream. */
  async onHalfClose(stream: AttachStream): Promise<void> {
    if (this.#leaving) {
      await Promise.all([this.#answers.settled(), this.#outcomes.settled()]);
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

  #forgetStream(): void {
    this.#welcomed = false;
    this.#credit = 0;
    this.#pulled = undefined;
    this.#answers.close();
  }

  #find(delivery: number): Job | undefined {
    for (const { hands } of this.workers.values()) {
      const job = hands.get(delivery);
      if (job) return job;
    }
    return undefined;
  }

  #pump(): void {
    for (const { handler } of this.workers.values()) this.#deps.laneOf(handler).pump();
  }

  /** Answers and ends of one frame: the last answer of a message that is done is written together with its end. */
  #settle(frame: WorkerFrame): void {
    const whole = this.#answers.receive(frame);
    const done = this.#outcomes.doneBy(frame.outcomes);
    const finishing = new Map<number, (typeof whole)[number]['answer']>();
    if (done.size > 0) {
      for (const { answer } of whole) if (done.has(answer.delivery)) finishing.set(answer.delivery, answer);
    }
    const refused = this.#answers.keep(whole, (answer) => {
      return finishing.get(answer.delivery) === answer ? done.get(answer.delivery) : undefined;
    });
    this.#outcomes.end(frame.outcomes, refused);
  }

  async #claim(
    stream: AttachStream,
    hello: Hello,
  ): Promise<{ readonly granted: HandlerGrant[]; readonly refused: HandlerRefusal[] }> {
    const granted: HandlerGrant[] = [];
    const refused: HandlerRefusal[] = [];
    for (const offer of hello.handlers) {
      if (this.#stream !== stream) break;
      try {
        granted.push(grantOf(await this.#attach(offer, hello.inWork)));
      } catch (error) {
        const code = error instanceof YggError ? error.code : 'YGG_INTERNAL';
        refused.push({ name: offer.name, code, reason: reasonOf(error) });
      }
    }
    return { granted, refused };
  }

  #attach(offer: HandlerOffer, inWork: readonly number[]): Promise<LiveWorker> {
    const { registry, journal, laneOf } = this.#deps;
    return registry.attach(this.caller, offerOf(offer, this.identity.pid), this, (worker) => {
      this.workers.set(offer.name, worker);
      for (const row of adoptable(journal, offer.name, inWork)) laneOf(offer.name).adopt(row, worker);
    });
  }

  #welcome(
    stream: AttachStream,
    hello: Hello,
    handlers: readonly HandlerGrant[],
    refused: readonly HandlerRefusal[],
  ): void {
    const { terms, registry } = this.#deps;
    const inWork = new Set(hello.inWork);
    for (const worker of [...this.workers.values()]) {
      if (handlers.some(({ name }) => name === worker.handler)) this.#compare(worker, inWork);
      else this.#giveUp(worker);
    }
    for (const number of inWork) {
      const fate = this.#find(number) ? undefined : fateOf(this.#deps.journal, number);
      if (fate) stream.add(fate, number);
    }
    const repeat: string[] = [];
    for (const messageId of hello.unreceipted) {
      const fate = this.#answers.fate(messageId);
      if (fate === 'kept') stream.add('receipts', { messageId });
      else if (!fate) repeat.push(messageId);
    }
    const version = Math.min(hello.version, attachVersion);
    const limits = { largestFrame, inlineContent };
    stream.say({
      welcome: { ...terms, ...limits, version, features: dispatcherFeatures, handlers, refused, repeat },
    });
    if (handlers.length === 0) return;
    this.#answers.open(stream);
    this.#welcomed = true;
    if (this.#health) this.#keepHealth(this.#health);
    for (const worker of this.workers.values()) registry.reaches(worker, true);
  }

  /** What the worker does not know of never arrived; what it knows it goes on with. */
  #compare(worker: LiveWorker, inWork: ReadonlySet<number>): void {
    const lane = this.#deps.laneOf(worker.handler);
    for (const job of [...worker.hands.values()]) {
      if (job.answering || job.phase === 'offering') continue;
      if (!inWork.has(job.doc.sequence)) {
        const forgotten = 'the worker took it upon itself and does not know of it.';
        const accepted = job.doc.state === 'in-hand';
        lane.settle(
          job,
          accepted
            ? { kind: 'unclear', reason: forgotten }
            : { kind: 'not-sent', reason: 'it never arrived.' },
        );
      } else if (job.calledOff) {
        this.cancel(job);
      }
    }
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
    this.#health = results.slice(0, mostHealth).map(({ name, healthy, status }) => ({
      name: name.slice(0, mostHealthText),
      healthy,
      status: status.slice(0, mostHealthText),
    }));
    for (const handler of this.workers.keys()) {
      const doc = this.#deps.datastore.workers.get(handler);
      if (doc) doc.health = this.#health;
    }
  }

  #onUnreadable(job: Job, error: unknown): void {
    const reason = reasonOf(error);
    const { messageId, directive } = job.doc;
    this.#deps.log.error(
      { message_id: messageId, error: reason },
      'content could not be read for its worker',
    );
    this.drop(job);
    this.#deps.laneOf(directive).settle(job, { kind: 'internal', reason });
  }
}

function offerOf(
  { name, detached, features, redelivery, concurrency, accepts }: HandlerOffer,
  pid: number,
): Offer {
  const policy = redelivery === redeliveries['until-done'] ? 'until-done' : 'until-accepted';
  return {
    ...{ handler: name, pid, detachedContent: detached, features, accepts },
    redelivery: redelivery === redeliveries.unsaid ? undefined : policy,
    concurrency: concurrency > 0 ? concurrency : undefined,
  };
}

function grantOf({ facts }: LiveWorker): HandlerGrant {
  const { handler, slots, redelivery, timeout } = facts;
  return { name: handler, slots, redelivery: redeliveries[redelivery], timeoutMs: timeout };
}
