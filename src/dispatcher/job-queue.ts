/**
 * The jobs of one directive that are not offered yet: waiting ones oldest first, cancels beside them, and those that
 * rest before they wait again.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Job } from './job.ts';

export class JobQueue {
  readonly #clock: Clock;
  /** By sequence. */
  readonly #waiting: Job[] = [];
  readonly #cancels: Job[] = [];
  readonly #resting = new Map<Job, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The oldest that waits. */
  get first(): Job | undefined {
    return this.#waiting[0];
  }

  /** How many rest. */
  get resting(): number {
    return this.#resting.size;
  }

  shift(): Job | undefined {
    return this.#waiting.shift();
  }

  shiftCancel(): Job | undefined {
    return this.#cancels.shift();
  }

  add(job: Job): void {
    job.phase = 'waiting';
    if (job.doc.cancel) {
      this.#cancels.push(job);
      return;
    }
    let index = this.#waiting.length;
    while (index > 0 && (this.#waiting[index - 1]?.doc.sequence ?? 0) > job.doc.sequence) index -= 1;
    this.#waiting.splice(index, 0, job);
  }

  /** Adds it after `ms`, and says so. */
  addLater(job: Job, ms: number, onAdded: () => void): void {
    job.phase = 'resting';
    const timer = this.#clock.after(ms, () => {
      this.#resting.delete(job);
      this.add(job);
      onAdded();
    });
    this.#resting.set(job, timer);
  }

  /** Takes out the message with this id; cancels are not looked at. */
  take(messageId: string): Job | undefined {
    const index = this.#waiting.findIndex(({ doc }) => doc.messageId === messageId);
    if (index >= 0) return this.#waiting.splice(index, 1)[0];
    for (const [job, timer] of this.#resting) {
      if (job.doc.messageId !== messageId || job.doc.cancel) continue;
      timer.cancel();
      this.#resting.delete(job);
      return job;
    }
    return undefined;
  }

  takeAll(): Job[] {
    for (const timer of this.#resting.values()) timer.cancel();
    const jobs = [...this.#cancels.splice(0), ...this.#waiting.splice(0), ...this.#resting.keys()];
    this.#resting.clear();
    return jobs;
  }
}
