/**
 * Workers that have ended: their last words are read and written, then what they still had in hand is decided on.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Caller } from './caller.ts';
import type { ForeignWatch } from './foreign-watch.ts';
import type { Job } from './job.ts';
import type { Lane } from './lane.ts';
import type { LiveWorker } from './live-worker.ts';
import type { Happening } from './outcomes.ts';
import type { Registry } from './registry.ts';

export interface RetirementDeps {
  readonly log: Logger;
  readonly registry: Pick<Registry, 'leave' | 'close'>;
  readonly watch: Pick<ForeignWatch, 'remove'>;
  readonly laneOf: (directive: string) => Lane;
}

/** Milliseconds the socket of a worker that ended is read on: it may have answered and exited at once. */
const drainPatience = 1_000;

export class Retirement {
  readonly #deps: RetirementDeps;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: RetirementDeps) {
    this.#deps = deps;
  }

  /** How many are under way. */
  get size(): number {
    return this.#underWay.size;
  }

  async over(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** The incarnation that called has ended, because it was `asked` to or by itself. */
  retireCaller(caller: Caller, asked: boolean): void {
    this.#track(this.#retireCaller(caller, asked));
  }

  /** One worker has ended, and nobody else says so; `asked`: it left of its own accord, or was told to. */
  retire(worker: LiveWorker, asked: boolean): void {
    this.#track(this.#retire(worker, asked));
  }

  async #retireCaller(caller: Caller, asked: boolean): Promise<void> {
    const workers = [...caller.workers.values()];
    for (const worker of workers) this.#deps.registry.leave(worker, asked ? 'stopped' : 'it ended', false);
    await caller.socket?.drained(drainPatience);
    await Promise.all(workers.map((worker) => this.#settleHands(worker, asked)));
    caller.socket?.close();
  }

  async #retire(worker: LiveWorker, asked: boolean): Promise<void> {
    this.#deps.watch.remove(worker);
    const { workers, socket } = worker.caller;
    await socket?.drained(0);
    await this.#settleHands(worker, asked);
    if (workers.get(worker.handler) === worker) workers.delete(worker.handler);
  }

  /** Decides on everything a worker that ended had in hand, after its last responses are on disk. */
  async #settleHands(worker: LiveWorker, asked: boolean): Promise<void> {
    await Promise.all([worker.link.settled(), ...worker.returning]);
    const lane = this.#deps.laneOf(worker.handler);
    const jobs = [...worker.hands.values()];
    const alone = jobs.filter((job) => !job.doc.cancel && !isUntouched(job, worker)).length === 1;
    const happening: Happening = asked ? { kind: 'stopped' } : { kind: 'worker-died', alone };
    const notBegun: Happening = { kind: 'not-sent', reason: 'the worker ended before' };
    for (const job of jobs) lane.settle(job, isUntouched(job, worker) ? notBegun : happening);
    this.#deps.registry.close(worker);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) =>
        this.#deps.log.error({ error: reasonOf(error) }, 'the end of a worker was not settled'),
      )
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}

/** Whether it is certain that a job was not begun: not handed over, or not accepted by a worker that accepts first. */
function isUntouched({ phase, accepted }: Job, { accepts, facts }: LiveWorker): boolean {
  if (phase === 'offering') return true;
  return accepts && facts.redelivery === 'until-accepted' && phase === 'in-hand' && !accepted;
}
