/**
 * Who may work at the same time: a few jobs of each directive, not too many in all.
 *
 * Owns the jobs that wait for a place. A directive's first job never waits for other directives, so the bound is the
 * overall one plus one for each directive.
 */

export interface PlacesOptions<Job> {
  readonly perDirective: number;
  /** Beyond this many, a directive gets no second place. */
  readonly overall: number;
  /** Must not reject. */
  readonly run: (job: Job) => Promise<void>;
}

export class Places<Job extends { readonly directive: string }> {
  readonly #options: PlacesOptions<Job>;
  /** By directive, oldest first; no empty lists. */
  readonly #waiting = new Map<string, Job[]>();
  readonly #running = new Map<string, number>();
  readonly #tasks = new Set<Promise<void>>();

  constructor(options: PlacesOptions<Job>) {
    this.#options = options;
  }

  add(job: Job): void {
    const waiting = this.#waiting.get(job.directive);
    if (waiting) waiting.push(job);
    else this.#waiting.set(job.directive, [job]);
    this.#schedule();
  }

  /** Forgets a job that waits for a place. */
  remove(job: Job): void {
    const waiting = this.#waiting.get(job.directive)?.filter((other) => other !== job) ?? [];
    if (waiting.length > 0) this.#waiting.set(job.directive, waiting);
    else this.#waiting.delete(job.directive);
  }

  /** Forgets every job that waits for a place. */
  clear(): void {
    this.#waiting.clear();
  }

  /** Resolves when what runs now has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks);
  }

  #schedule(): void {
    for (const [directive, waiting] of this.#waiting) {
      while (this.#hasPlace(directive)) {
        const job = waiting.shift();
        if (!job) break;
        this.#start(job);
      }
      if (waiting.length === 0) this.#waiting.delete(directive);
    }
  }

  #hasPlace(directive: string): boolean {
    const { perDirective, overall } = this.#options;
    const running = this.#running.get(directive) ?? 0;
    return running === 0 || (running < perDirective && this.#tasks.size < overall);
  }

  #start(job: Job): void {
    const { directive } = job;
    this.#running.set(directive, (this.#running.get(directive) ?? 0) + 1);
    // In a turn of its own, so that a job that ends at once does not come back into this schedule.
    const turn = Promise.resolve().then(() => this.#options.run(job));
    const task = turn.finally(() => {
      const left = (this.#running.get(directive) ?? 1) - 1;
      if (left > 0) this.#running.set(directive, left);
      else this.#running.delete(directive);
      this.#tasks.delete(task);
      this.#schedule();
    });
    this.#tasks.add(task);
  }
}
