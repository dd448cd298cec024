/**
 * The way of one directive's messages to its worker, oldest first.
 *
 * Owns the jobs that are not offered yet; cancels overtake. Lanes share nothing, so that one directive's trouble delays
 * no other's. Never decides what an outcome means; `outcomes.ts` does.
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SharedWait } from '../base/shared-wait.ts';
import type { Counters } from '../counters.ts';
import type { WorkingMessage } from '../datastore.ts';
import type { Journal, Receipt } from '../journal/journal.ts';
import type { HandOver } from '../rpc/worker-connection.ts';
import type { Signals } from '../signals.ts';
import { type HandedMessage, loadMessage } from './handed-message.ts';
import { createJob, type Job } from './job.ts';
import { JobQueue } from './job-queue.ts';
import type { LiveWorker } from './live-worker.ts';
import type { Happening, Verdict } from './outcomes.ts';
import type { Settler } from './settler.ts';

export interface LaneDeps {
  readonly journal: Journal;
  readonly signals: Signals;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settler: Settler;
}

/** Bytes of content that calls under way to one worker may hold in memory; one call always may. */
const mostLoaded = 8 * 1024 * 1024;
/** Messages one worker may have accepted and not answered. */
const mostAccepted = 1024;
/** Milliseconds after which an accepted message frees its slot. */
const pace = 1_000;
/** Messages of one directive that may rest without a slot until their worker wants them again. */
const mostResting = 1024;
/** Milliseconds a call without a clear answer waits for the worker's end, or its response, to tell more. */
const doubt = 3_000;
/** Milliseconds a suspect that was accepted keeps the others waiting. */
const suspectPatience = 60_000;
/** The part of a directive's share of the outbox at which its hand-over pauses. */
const outboxMark = 0.8;

export class Lane {
  readonly directive: string;
  readonly #deps: LaneDeps;
  #worker: LiveWorker | undefined;
  readonly #queue: JobQueue;
  /** Being written as offered. */
  readonly #offering: SharedWait<{ readonly job: Job; readonly worker: LiveWorker }>;
  #turnAsked = false;
  #quiet = false;

  constructor(directive: string, deps: LaneDeps) {
    this.directive = directive;
    this.#deps = deps;
    this.#queue = new JobQueue(deps.clock);
    this.#offering = new SharedWait((offered, error) => {
      for (const { job, worker } of offered)
        if (error === undefined) this.#load(job, worker);
        else this.#fail(job, error);
    });
  }

  /** From now on its messages go to this worker. */
  attach(worker: LiveWorker): void {
    this.#worker = worker;
    this.pump();
  }

  /** Nobody takes its messages: those not offered yet go back to the inbox. */
  detach(): void {
    this.#worker = undefined;
    for (const job of this.#queue.takeAll()) this.#deps.settler.giveBack(job);
  }

  /** No new hand-over, for good. */
  quiet(): void {
    this.#quiet = true;
    for (const job of this.#queue.takeAll()) this.#deps.settler.giveBack(job);
  }

  /** Takes a message whose content is there. */
  take(doc: WorkingMessage): void {
    // Offered on arrival: it is new, so it is no suspect, and its content came with it.
    const row = doc.state === 'offered' ? undefined : this.#deps.journal.inbox.row(doc.sequence);
    const job = createJob(doc, row);
    if (!this.#worker || this.#quiet) {
      this.#deps.settler.giveBack(job);
    } else if (job.size > this.#worker.link.contentLimit) {
      const limit = `its content of ${job.size} bytes is over the ${this.#worker.link.contentLimit} bytes that it takes.`;
      this.#end(job, { kind: 'refused', reason: limit });
    } else {
      this.#queue.add(job);
      this.pump();
    }
  }

  /** Calls off a message that was not handed over yet; says whether it was found here. */
  cancel(messageId: string): boolean {
    const job = this.#queue.take(messageId);
    if (job) this.#end(job, { kind: 'cancelled', begun: false });
    return job !== undefined;
  }

  /** Hands over what may be handed over now. */
  pump(): void {
    const worker = this.#worker;
    if (!worker?.link.ready || this.#quiet) return;
    for (let job = this.#queue.shiftCancel(); job; job = this.#queue.shiftCancel()) this.#offer(job, worker);
    if (!this.#queue.first || this.#outboxIsFull()) return;
    for (let handed = 0; handed < worker.link.perTurn; handed += 1) {
      const next = this.#queue.first;
      if (!next || !this.#mayFollow(next, worker)) return;
      this.#queue.shift();
      this.#offer(next, worker);
    }
    this.#askTurn();
  }

  /** What time brings: slots freed, doubts resolved, messages that were never answered. */
  sweep(): void {
    const worker = this.#worker;
    if (!worker) return;
    const now = this.#deps.clock.monotonic();
    for (const job of worker.pacing) {
      if (now - job.since < pace) break;
      worker.release(job);
      this.#deps.settler.release(job.doc);
    }
    for (const job of worker.unclear) {
      if (now - job.since < doubt) break;
      this.settle(job, { kind: 'unclear', reason: 'its call ended without a clear answer.' });
    }
    for (const job of worker.accepted) {
      if (now - job.since < worker.facts.timeout) break;
      worker.link.drop(job);
      this.settle(job, { kind: 'unanswered', reason: `not within ${worker.facts.timeout} ms.` });
    }
    this.pump();
  }

  /** Ends what a worker had in hand, by what happened to it. Tells of the write, if it took one. */
  settle(job: Job, happening: Happening): Receipt | undefined {
    if (job.phase === 'settled' || job.answering) return undefined;
    return this.#end(job, happening);
  }

  #end(job: Job, happening: Happening): Receipt | undefined {
    const { settler } = this.#deps;
    const { worker } = job;
    const verdict = this.#judge(job, happening);
    if (verdict.kind === 'again') this.#noteAgain(job, happening);
    const patient = happening.kind === 'failed' && this.#queue.resting < mostResting;
    // What has freed its slot has to be admitted anew, unless it is to rest first.
    const stays = this.#worker && !this.#quiet && (job.doc.slot || job.doc.cancel || patient);
    this.#askTurn();
    if (verdict.kind !== 'again' || !stays) return settler.carryOut(job, verdict);
    worker?.forget(job);
    const receipt = settler.charge(job, verdict);
    if (patient && verdict.rest >= pace) settler.release(job.doc);
    if (verdict.rest > 0) this.#queue.addLater(job, verdict.rest, () => this.pump());
    else this.#queue.add(job);
    return receipt;
  }

  #judge(job: Job, happening: Happening): Verdict {
    const { settler } = this.#deps;
    const redelivery = job.worker?.facts.redelivery ?? 'until-accepted';
    const verdict = settler.judge(job, happening, redelivery);
    if (verdict.kind !== 'again' || !job.calledOff) return verdict;
    return settler.judge(job, { kind: 'cancelled', begun: true }, redelivery);
  }

  #noteAgain({ doc: { messageId, directive } }: Job, { kind }: Happening): void {
    const fields = { message_id: messageId, directive, because: kind };
    this.#deps.log[kind === 'not-sent' ? 'debug' : 'info'](fields, 'to be handed over again');
  }

  #mayFollow(job: Job, worker: LiveWorker): boolean {
    if (worker.room <= 0) return false;
    if (worker.loaded > 0 && worker.loaded + job.size > mostLoaded) return false;
    const now = this.#deps.clock.monotonic();
    return job.suspect ? !worker.isBusy(now, suspectPatience) : !worker.hasSuspect(now, suspectPatience);
  }

  #outboxIsFull(): boolean {
    const { messages, bytes, limit } = this.#deps.journal.outbox.fill(this.directive);
    return messages >= limit.messages * outboxMark || bytes >= limit.bytes * outboxMark;
  }

  /** Commits `offered`, then loads and calls. */
  #offer(job: Job, worker: LiveWorker): void {
    job.phase = 'offering';
    worker.offer(job);
    if (job.doc.state === 'offered') this.#load(job, worker);
    else {
      job.doc.state = 'offered';
      const { committed } = this.#deps.journal.inbox.offer(job.doc.sequence, worker.facts.redelivery);
      this.#offering.add(committed, { job, worker });
    }
  }

  #load(job: Job, worker: LiveWorker): void {
    try {
      const message = loadMessage(this.#deps.journal, job, worker.link.inlineLimit);
      if (!(message instanceof Promise)) {
        this.#hand(job, worker, message);
        return;
      }
      message.then(
        (loaded) => this.#hand(job, worker, loaded),
        (error: unknown) => this.#fail(job, error),
      );
    } catch (error) {
      this.#fail(job, error);
    }
  }

  #fail(job: Job, error: unknown): void {
    const reason = reasonOf(error);
    this.#deps.log.error({ message_id: job.doc.messageId, error: reason }, 'could not be handed over');
    this.settle(job, { kind: 'internal', reason });
  }

  #hand(job: Job, worker: LiveWorker, message: HandedMessage): void {
    if (job.phase !== 'offering' || job.worker !== worker) return;
    const { clock, counters } = this.#deps;
    if (job.calledOff) {
      this.settle(job, { kind: 'cancelled', begun: false });
      return;
    }
    // The worker may have gone while the journal committed or the content was read.
    if (!worker.live || !worker.link.ready || this.#quiet) {
      this.settle(job, { kind: 'not-sent', reason: 'the worker is not there any longer.' });
      return;
    }
    if (worker.link.room <= 0 && !job.doc.cancel) {
      worker.forget(job);
      this.#queue.add(job);
      return;
    }
    job.phase = 'calling';
    job.accepted = false;
    job.announced = false;
    // Counted now: the worker may have it also when nothing tells so.
    if (job.attempt > 1) counters.count('messages_redelivered');
    const state = worker.link.hand(job, message, (outcome) => this.#onOutcome(job, worker, outcome));
    if (state === 'calling') return;
    worker.accept(job, clock.monotonic());
    job.doc.state = 'in-hand';
  }

  #onOutcome(job: Job, worker: LiveWorker, outcome: HandOver): void {
    if (worker.closed) return;
    if (outcome.kind === 'accepted') this.#deps.settler.announce(job, worker);
    // Answered, or given up, before the call came back.
    if (job.phase !== 'calling' || job.worker !== worker) return;
    const { clock, log } = this.#deps;
    if (this.#queue.first) this.#askTurn();
    const { kind } = outcome;
    if (kind === 'accepted') {
      this.#onAccepted(job, worker);
    } else if (kind === 'unclear' || job.answering) {
      // What becomes of a response that is on its way to the disk says more than the call does.
      log.debug({ message_id: job.doc.messageId, error: outcome.reason }, 'hand-over without a clear answer');
      worker.doubt(job, clock.monotonic());
    } else {
      this.settle(job, outcome);
    }
  }

  #onAccepted(job: Job, worker: LiveWorker): void {
    const { journal, clock, settler } = this.#deps;
    worker.accept(job, clock.monotonic());
    job.doc.state = 'in-hand';
    if (!job.answering) journal.inbox.accept(job.doc.sequence, 'soon');
    if (worker.silent) {
      worker.release(job);
      settler.release(job.doc);
    }
    if (worker.accepted.size <= mostAccepted) return;
    const [oldest] = worker.accepted;
    if (oldest)
      this.settle(oldest, { kind: 'unanswered', reason: `${mostAccepted} later ones are unanswered.` });
  }

  /** Goes on in the next turn of the event loop, after the answers that have come in. */
  #askTurn(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    setImmediate(() => {
      this.#turnAsked = false;
      this.pump();
    });
  }
}
