/**
 * Sends each response of the outbox on its way, by HTTP or by MQTT.
 *
 * Owns the cursor into the outbox, the lanes and the posts. The outbox is the queue: a nudge only says that it is
 * worth reading on. Reads rows in pages, never bodies.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Timer } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { Lanes } from './lanes.ts';
import { Posts, type PostsDeps } from './posts.ts';

export type DeliveriesDeps = Omit<PostsDeps, 'onEnd'>;

const pageSize = 64;
/** Milliseconds. */
const sweepInterval = 5_000;

export class Deliveries {
  readonly #deps: DeliveriesDeps;
  readonly #posts: Posts;
  readonly #lanes: Lanes;
  /** Last sequence that entered its lane. */
  #cursor = 0;
  #reading: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #sweeping: Timer | undefined;
  #unobserve: (() => void) | undefined;

  constructor(deps: DeliveriesDeps) {
    this.#deps = deps;
    this.#posts = new Posts({
      ...deps,
      get finalAnswers() {
        return deps.finalAnswers;
      },
      get retryAge() {
        return deps.retryAge;
      },
      onEnd: ({ lane }) => this.#lanes.leave(lane),
    });
    this.#lanes = new Lanes({
      outbox: deps.journal.outbox,
      publish: (sequence) => deps.signals.emit('data-consume', { sequence }),
      post: (row, lane) => this.#posts.add(row, lane),
    });
  }

  /** Begins with what the last run left in the outbox. */
  start(): void {
    const { signals, clock } = this.#deps;
    this.#unobserve = signals.observe('message-send', ({ sequence }) => this.#lanes.published(sequence));
    this.#sweeping = clock.every(sweepInterval, () => {
      this.#lanes.sweep();
      this.nudge();
    });
    this.nudge();
  }

  /** There may be something new in the outbox. */
  nudge(): void {
    if (this.#stopped) return;
    if (this.#reading) this.#again = true;
    else
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
  }

  /** Resolves when all that can be posted without waiting for a better time is posted, or when `abort` fires. */
  async drain(abort: AbortSignal): Promise<void> {
    this.nudge();
    const aborted = new Promise<void>((resolve) => {
      abort.addEventListener('abort', () => resolve(), { once: true });
      if (abort.aborted) resolve();
    });
    await Promise.race([this.#reading, aborted]);
    await this.#posts.settled(abort);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#sweeping?.cancel();
    this.#unobserve?.();
    await this.#posts.stop();
  }

  async #read(): Promise<void> {
    const { journal, log } = this.#deps;
    try {
      do {
        this.#again = false;
        for (;;) {
          const rows = journal.outbox.responses(this.#cursor, pageSize);
          for (const row of rows) {
            if (this.#stopped) return;
            this.#cursor = row.sequence;
            const pending = this.#lanes.enter(row);
            if (pending) await pending;
          }
          if (rows.length < pageSize) break;
          await nextTurn();
        }
      } while (this.#again);
    } catch (error) {
      // The next sweep reads on.
      if (!this.#stopped) log.error({ error: reasonOf(error) }, 'the outbox could not be read');
    }
  }
}
