/**
 * One registration of one incarnation of a worker, and what it has in hand.
 *
 * Owns the link to the worker and the books over its jobs; the lane decides what to do with them.
 */
import type { Worker } from '../datastore.ts';
import type { Caller } from './caller.ts';
import type { Job } from './job.ts';
import type { WorkerLink } from './worker-link.ts';

export interface LiveWorkerOptions {
  /** Its document in the datastore. */
  readonly facts: Worker;
  readonly caller: Caller;
  readonly link: WorkerLink;
  /** Monotonic milliseconds. */
  readonly now: number;
}

export class LiveWorker {
  readonly caller: Caller;
  readonly link: WorkerLink;
  /** It says `accepted` before it does anything that must not be repeated. */
  accepts = false;
  /** Everything it had in hand was decided on: what its calls still come to means nothing. */
  closed = false;
  facts: Worker;
  /** Registered, and neither dead nor replaced: it may be given messages. */
  live = true;
  /** Monotonic milliseconds since when it cannot be reached; `undefined` while it can. */
  downSince: number | undefined;
  /** It was said that it cannot be reached. */
  complained = false;
  /** Everything offered to it and not settled, by sequence. */
  readonly hands: Map<number, Job> = new Map();
  /** Those it accepted, oldest first. */
  readonly accepted: Set<Job> = new Set();
  /** Those of `accepted` that still hold a slot, oldest first. */
  readonly pacing: Set<Job> = new Set();
  /** Those whose call ended without a clear answer, oldest first. */
  readonly unclear: Set<Job> = new Set();
  /** Responses of it that are on the way to the disk. */
  readonly returning: Set<Promise<void>> = new Set();
  /** Those of `hands` by id, in the order they were offered: servers use an id again. */
  readonly #byMessageId = new Map<string, Job[]>();
  /** Those of `hands` that were there when a worker or the daemon died. */
  readonly #suspects = new Set<Job>();
  /** Those of `hands` whose end is on its way to the disk, cancels not among them. */
  readonly #ending = new Set<Job>();
  #loaded = 0;
  /** Offered, and not handed over yet. */
  #offering = 0;
  /** Of `hands`, those that call others off. */
  #cancels = 0;
  /** Slots freed by time since its last response. */
  #freedByTime = 0;

  constructor({ facts, caller, link, now }: LiveWorkerOptions) {
    this.facts = facts;
    this.caller = caller;
    this.link = link;
    this.downSince = now;
  }

  get handler(): string {
    return this.facts.handler;
  }

  /**
   * It has let a whole window pass without a single response, so waiting for responses would only hold it up: its
   * slots are freed as soon as it accepts.
   */
  get silent(): boolean {
    return this.#freedByTime >= this.facts.slots;
  }

  /** How many more messages may be offered to it now; cancels are not counted. */
  get room(): number {
    const { link, facts } = this;
    if (!link.settles) return link.room;
    const held = this.hands.size - this.#cancels - this.#ending.size;
    return Math.min(link.room - this.#offering, facts.slots - held);
  }

  /** Bytes of content in memory for calls to it. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Whether anything is in hand, what has been accepted for `patience` not counted. */
  isBusy(now: number, patience: number): boolean {
    return holdsRecent(this.hands.values(), now, patience);
  }

  /** Whether a suspect is in hand, one that has been accepted for `patience` not counted. */
  hasSuspect(now: number, patience: number): boolean {
    return holdsRecent(this.#suspects, now, patience);
  }

  offer(job: Job): void {
    job.worker = this;
    job.loaded = true;
    this.#loaded += job.size;
    this.#offering += 1;
    if (job.doc.cancel) this.#cancels += 1;
    this.hands.set(job.doc.sequence, job);
    if (job.suspect) this.#suspects.add(job);
    const namesakes = this.#byMessageId.get(job.doc.messageId);
    if (namesakes) namesakes.push(job);
    else this.#byMessageId.set(job.doc.messageId, [job]);
  }

  accept(job: Job, now: number): void {
    this.#unload(job);
    job.phase = 'in-hand';
    job.since = now;
    this.accepted.add(job);
    if (job.doc.slot) this.pacing.add(job);
  }

  doubt(job: Job, now: number): void {
    this.#unload(job);
    job.phase = 'unclear';
    job.since = now;
    this.unclear.add(job);
  }

  /** Its slot is free from now on, because the time for its response is over. */
  release(job: Job): void {
    this.pacing.delete(job);
    if (!this.link.settles) this.#freedByTime += 1;
  }

  answered(): void {
    this.#freedByTime = 0;
  }

  /** It has said what became of it: that takes no room any longer, though it has to be written yet. */
  ending(job: Job): void {
    if (!job.doc.cancel) this.#ending.add(job);
  }

  /** What it said could not be written. */
  notEnding(job: Job): void {
    this.#ending.delete(job);
  }

  /** It is not with this worker any longer. */
  forget(job: Job): void {
    this.#unload(job);
    job.worker = undefined;
    if (this.hands.delete(job.doc.sequence) && job.doc.cancel) this.#cancels -= 1;
    this.accepted.delete(job);
    this.pacing.delete(job);
    this.unclear.delete(job);
    this.#suspects.delete(job);
    this.#ending.delete(job);
    this.#forgetId(job);
  }

  #unload(job: Job): void {
    if (!job.loaded) return;
    this.#loaded -= job.size;
    this.#offering -= 1;
    job.loaded = false;
  }

  /** The job that a response to `messageId` answers; of several with one id the first that has no answer yet. */
  find(messageId: string): Job | undefined {
    const namesakes = this.#byMessageId.get(messageId);
    return namesakes?.find(({ answering }) => !answering) ?? namesakes?.[0];
  }

  #forgetId(job: Job): void {
    const { messageId } = job.doc;
    const others = this.#byMessageId.get(messageId)?.filter((namesake) => namesake !== job) ?? [];
    if (others.length > 0) this.#byMessageId.set(messageId, others);
    else this.#byMessageId.delete(messageId);
  }
}

function holdsRecent(jobs: Iterable<Job>, now: number, patience: number): boolean {
  for (const job of jobs) {
    if (job.phase !== 'in-hand' || now - job.since < patience) return true;
  }
  return false;
}
