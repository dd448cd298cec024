/**
 * Says that jobs were accepted, and takes them out of the working set: journal first, then the store, then the signal.
 *
 * Every end of a request that the Dispatcher knows goes through here, so that a slot is freed exactly once.
 */
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore, WorkingMessage } from '../datastore.ts';
import type { Journal, Receipt, Redelivery } from '../journal/journal.ts';
import type { Settlement, Signals } from '../signals.ts';
import type { Job } from './job.ts';
import type { LiveWorker } from './live-worker.ts';
import { type Charges, type Happening, judge, type Verdict } from './outcomes.ts';

export interface SettlerDeps {
  readonly journal: Journal;
  readonly datastore: Datastore;
  readonly signals: Signals;
  readonly counters: Counters;
  readonly log: Logger;
}

const nothingCharged: Charges = { workerDeaths: 0, daemonDeaths: 0, workerErrors: 0, internalErrors: 0 };

export class Settler {
  readonly #deps: SettlerDeps;

  constructor(deps: SettlerDeps) {
    this.#deps = deps;
  }

  /** Tells that a worker accepted a job; once for each hand-over. */
  announce(job: Job, { facts }: LiveWorker): void {
    if (job.announced) return;
    job.announced = true;
    const { signals, counters, log } = this.#deps;
    const { attempt } = job;
    const { sequence, directive, messageId } = job.doc;
    log.debug({ message_id: messageId, directive, pid: facts.pid, attempt }, 'accepted by its worker');
    counters.count('messages_dispatched');
    signals.nudge('data-dispatch', { sequence, directive, messageId, pid: facts.pid, attempt });
  }

  /** The verdict over a job, by what its row says it was charged with so far. */
  judge(job: Job, happening: Happening, redelivery: Redelivery): Verdict {
    const row = this.#deps.journal.inbox.row(job.doc.sequence);
    return judge(happening, redelivery, row ?? nothingCharged);
  }

  /**
   * Its end is being written, and its worker has done with it. What waits behind it, on disk or not written yet, is made ready
   * meanwhile, so that it is offered in the transaction that ends this one, and not two flushes later.
   */
  ending(job: Job): void {
    job.answering = true;
    job.worker?.ending(job);
    this.release(job.doc);
  }

  /** Its end was refused by the disk: the worker has it still. */
  notEnding(job: Job): void {
    job.answering = false;
    job.worker?.notEnding(job);
  }

  /** Its response is on disk and has finished it there. */
  answered(job: Job): void {
    this.#deps.counters.count('messages_done');
    this.#leave(job, 'done');
  }

  /** Carries out a verdict; `again` gives it back to the inbox. Tells of the write, if it took one. */
  carryOut(job: Job, verdict: Verdict): Receipt | undefined {
    const { journal, counters, log } = this.#deps;
    const { sequence, messageId, directive } = job.doc;
    switch (verdict.kind) {
      case 'done': {
        const receipt = journal.inbox.finish(sequence);
        counters.count('messages_unanswered');
        log.info({ message_id: messageId, directive }, 'accepted and never answered, taken as done');
        this.#leave(job, 'done');
        return receipt;
      }
      case 'dead': {
        const receipt = journal.inbox.bury(sequence, verdict.reason, verdict.message);
        counters.count('messages_dead');
        log.warn(
          { message_id: messageId, directive, reason: verdict.reason, error: verdict.message },
          'dead letter',
        );
        this.#leave(job, 'dead');
        return receipt;
      }
      case 'again': {
        const receipt = this.charge(job, verdict);
        this.#leave(job, 'back');
        return receipt;
      }
    }
  }

  /** To the inbox, with nothing charged. */
  giveBack(job: Job): void {
    this.carryOut(job, { kind: 'again', charge: {}, rest: 0 });
  }

  /** Waiting again on disk, with what it is charged; it stays in the working set. */
  charge(job: Job, { charge }: Extract<Verdict, { kind: 'again' }>): Receipt | undefined {
    const { doc } = job;
    // What is waiting already and is not charged needs no write.
    const untouched = doc.state === 'received' || doc.state === 'fetched';
    const writes = !untouched || Object.keys(charge).length > 0;
    const receipt = writes ? this.#deps.journal.inbox.back(doc.sequence, charge) : undefined;
    doc.state = this.#deps.journal.inbox.row(doc.sequence)?.state ?? 'received';
    if (charge.suspect) job.suspect = true;
    return receipt;
  }

  /** Its slot is free, and it is not settled. */
  release(doc: WorkingMessage): void {
    if (!doc.slot) return;
    doc.slot = false;
    this.#tell(doc, 'released');
  }

  #leave(job: Job, outcome: Settlement): void {
    job.worker?.forget(job);
    job.phase = 'settled';
    this.#deps.datastore.messages.remove(job.doc.sequence);
    this.#tell(job.doc, outcome);
  }

  #tell({ sequence, directive }: WorkingMessage, outcome: Settlement): void {
    // Not waited for: the channel holds the whole working set, and a gRPC answer may wait for what calls this.
    void this.#deps.signals.emit('message-settle', { sequence, directive, outcome });
  }
}
