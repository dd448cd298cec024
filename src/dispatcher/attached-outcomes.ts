/**
 * What one attached process says of its deliveries: that it took one upon itself, how far it is, what became of it.
 *
 * Each is written to the journal and, once it is on disk, said to be. Signals out: message-progress.
 */

import { SharedWait } from '../base/shared-wait.ts';
import type { Journal } from '../journal/journal.ts';
import { mostProgress, type Outcome, outcomeResults, type WorkerFrame } from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import type { Signals } from '../signals.ts';
import type { Job } from './job.ts';
import type { Lane } from './lane.ts';
import type { Happening } from './outcomes.ts';
import type { Settler } from './settler.ts';

export interface AttachedOutcomesDeps {
  readonly journal: Journal;
  readonly signals: Signals;
  readonly settler: Settler;
  readonly laneOf: (directive: string) => Lane;
  /** The stream of the moment. */
  readonly stream: () => AttachStream | undefined;
  readonly find: (delivery: number) => Job | undefined;
}

/** Characters of a failure's code, and of its text, that are kept. */
const longestCode = 128;
const longestText = 4096;
/** Milliseconds after which a message that rests at its worker's wish is handed over at the latest. */
const longestRest: number = 7 * 24 * 3_600_000;

export class AttachedOutcomes {
  readonly #deps: AttachedOutcomesDeps;
  readonly #recording: SharedWait<number>;
  readonly #settling: SharedWait<number>;
  /** Finished without an answer. */
  readonly #finishing: SharedWait<Job>;

  constructor(deps: AttachedOutcomesDeps) {
    this.#deps = deps;
    this.#recording = new SharedWait((numbers, error) => {
      if (error === undefined) this.#tell('recorded', numbers);
    });
    this.#settling = new SharedWait((numbers, error) => {
      if (error === undefined) this.#tell('settled', numbers);
    });
    this.#finishing = new SharedWait((jobs, error) => {
      if (error === undefined) this.finished(jobs);
    });
  }

  /** Everything said so far is on disk. */
  async settled(): Promise<void> {
    await Promise.all([this.#settling.settled(), this.#finishing.settled()]);
  }

  accept(numbers: WorkerFrame['accepted']): void {
    const { journal, settler, find } = this.#deps;
    for (const number of numbers) {
      const job = find(number);
      if (!job?.worker) {
        this.#tell('drops', [number]);
        continue;
      }
      settler.announce(job, job.worker);
      if (job.worker.facts.redelivery === 'until-done') {
        this.#tell('recorded', [number]);
        continue;
      }
      job.accepted = true;
      // The end of a message that has come already says more.
      if (!job.answering) this.#recording.add(journal.inbox.accept(number).flushed, number);
    }
  }

  note(progress: WorkerFrame['progress']): void {
    for (const { delivery, data } of progress) {
      const job = this.#deps.find(delivery);
      if (!job) continue;
      const { directive, messageId, sequence } = job.doc;
      const said = Buffer.from(data.subarray(0, mostProgress));
      this.#deps.signals.nudge('message-progress', { sequence, directive, messageId, data: said });
    }
  }

  /** Which of these are done, for their last answers to be written with them. */
  doneBy(outcomes: readonly Outcome[]): ReadonlyMap<number, Job> {
    const done = new Map<number, Job>();
    for (const { delivery, result } of outcomes) {
      const job = result === outcomeResults.done ? this.#deps.find(delivery) : undefined;
      if (job && !job.answering) done.set(delivery, job);
    }
    return done;
  }

  /** Ends deliveries, but for those that are done and had an answer refused in the same frame. */
  end(outcomes: readonly Outcome[], refused: ReadonlySet<number>): void {
    for (const outcome of outcomes) {
      const { delivery, result } = outcome;
      const job = this.#deps.find(delivery);
      if (!job?.worker) this.#tell('settled', [delivery]);
      else if (!job.answering && !(result === outcomeResults.done && refused.has(delivery)))
        this.#end(job, outcome);
    }
  }

  /** Their ends are on disk. */
  finished(jobs: readonly Job[]): void {
    const { settler, laneOf } = this.#deps;
    const stream = this.#deps.stream();
    for (const job of jobs) {
      const { sequence } = job.doc;
      if (job.worker) settler.announce(job, job.worker);
      settler.answered(job);
      stream?.addLater('settled', sequence);
    }
    for (const directive of new Set(jobs.map(({ doc }) => doc.directive))) laneOf(directive).pump();
  }

  #end(job: Job, outcome: Outcome): void {
    const { journal, settler, laneOf } = this.#deps;
    const { sequence, directive } = job.doc;
    if (outcome.result === outcomeResults.done) {
      settler.ending(job);
      this.#finishing.add(journal.inbox.finish(sequence).flushed, job);
      return;
    }
    const receipt = laneOf(directive).settle(job, happeningOf(outcome));
    if (receipt) this.#settling.add(receipt.flushed, sequence);
    else this.#tell('settled', [sequence]);
  }

  #tell(list: 'drops' | 'recorded' | 'settled', numbers: readonly number[]): void {
    const stream = this.#deps.stream();
    for (const number of numbers) stream?.add(list, number);
  }
}

function happeningOf({ result, code, text, retry, delayMs }: Outcome): Happening {
  switch (result) {
    case outcomeResults.cancelled:
      return { kind: 'cancelled', begun: true };
    case outcomeResults.returned:
      return { kind: 'not-sent', reason: 'the worker gave it back.' };
    default: {
      const story = text.slice(0, longestText);
      const reason = code === '' ? story : `${code.slice(0, longestCode)}: ${story}`;
      const again = retry ? Math.min(delayMs, longestRest) : undefined;
      return { kind: 'failed', reason: reason === '' ? 'The worker did not say why.' : reason, again };
    }
  }
}
