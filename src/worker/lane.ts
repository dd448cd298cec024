/**
 * The messages of one handler: begun in the order in which they came, so many at a time as was agreed.
 *
 * Large content is read before a message begins, and whatever came after it waits, or the order would be lost.
 */
import { readFile } from 'node:fs/promises';
import { type Delivery, type HandlerGrant, redeliveries } from './frames.ts';
import type { Handler } from './handler.ts';
import { wholeOf } from './incoming-content.ts';
import { Run, type RunDeps } from './job.ts';
import type { ContentSource } from './message.ts';

export interface LaneDeps extends Pick<RunDeps, 'handler' | 'link' | 'clock' | 'log'> {
  readonly onEnd: (delivery: number) => void;
}

export class Lane {
  readonly handler: Handler;
  readonly #deps: LaneDeps;
  /** Runs at a time. */
  #slots: number;
  /** Milliseconds the daemon gives a run. */
  #time = Number.POSITIVE_INFINITY;
  #repeats = false;
  /** Not begun, oldest first. */
  readonly #waiting: Run[] = [];
  readonly #runs = new Map<number, Run>();
  #running = 0;
  #loading = false;

  constructor(deps: LaneDeps) {
    this.#deps = deps;
    this.handler = deps.handler;
    this.#slots = deps.handler.concurrency;
  }

  /** What the daemon has granted holds, whatever the handler asked for. */
  agree({ slots, timeoutMs, redelivery }: HandlerGrant): void {
    if (slots > 0) this.#slots = slots;
    if (timeoutMs > 0) this.#time = timeoutMs;
    this.#repeats = redelivery === redeliveries['until-done'];
    this.#pump();
  }

  take(delivery: Delivery): void {
    const { handler, link, clock, log } = this.#deps;
    const { limit, repeats } = this;
    const run = new Run({ delivery, handler, link, clock, log, limit, repeats, onEnd: this.#onEnd });
    this.#runs.set(delivery.number, run);
    if (delivery.cancel) {
      // One that calls another off does not wait for it, and takes nobody's place.
      this.#running += 1;
      this.#begin(run);
      return;
    }
    this.#waiting.push(run);
    this.#pump();
  }

  readonly limit = (): number => this.#time;
  readonly repeats = (): boolean => this.#repeats;

  find(delivery: number): Run | undefined {
    return this.#runs.get(delivery);
  }

  get runs(): Iterable<Run> {
    return [...this.#runs.values()];
  }

  /** Gives back everything that has not begun. */
  giveBack(): void {
    for (const run of this.#waiting.splice(0)) run.giveBack();
  }

  #pump(): void {
    while (!this.#loading && this.#running < this.#slots) {
      const run = this.#waiting.shift();
      if (!run) return;
      if (!run.waiting) continue;
      this.#running += 1;
      this.#begin(run);
    }
  }

  #begin(run: Run): void {
    const source = this.#sourceOf(run.delivery);
    if (!(source instanceof Promise)) {
      run.start(source);
      return;
    }
    this.#loading = true;
    source
      .then(
        (content) => run.start(content),
        (error) => run.fail(error),
      )
      .finally(() => {
        this.#loading = false;
        this.#pump();
      });
  }

  #sourceOf(delivery: Delivery): ContentSource | Promise<Uint8Array> {
    const { link, handler } = this.#deps;
    if (delivery.totalSize === 0) return delivery.content;
    if (handler.streaming) return () => link.content(delivery);
    return delivery.file === '' ? wholeOf(link.content(delivery)) : readFile(delivery.file);
  }

  readonly #onEnd = (run: Run): void => {
    const { number } = run.delivery;
    this.#runs.delete(number);
    this.#deps.onEnd(number);
    const place = this.#waiting.indexOf(run);
    if (place >= 0) this.#waiting.splice(place, 1);
    else {
      this.#running -= 1;
      this.#pump();
    }
  };
}
