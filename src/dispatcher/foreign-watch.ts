/**
 * Watches the workers that the daemon did not start, because nobody tells when they end.
 *
 * By process id and start time, once a second; one whose process cannot be seen (another pid namespace) counts as
 * ended when its socket has taken no connection for half a minute. Never sends a signal.
 */
import type { LiveWorker } from './live-worker.ts';
import { startTime } from './pulse.ts';

export interface ForeignWatchDeps {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onEnd: (worker: LiveWorker) => void;
}

/** Milliseconds. */
const unseenPatience = 30_000;

export class ForeignWatch {
  readonly #deps: ForeignWatchDeps;
  /** When each one's process was started; `undefined` for those that cannot be seen. */
  readonly #born = new Map<LiveWorker, string | undefined>();

  constructor(deps: ForeignWatchDeps) {
    this.#deps = deps;
  }

  add(worker: LiveWorker): void {
    this.#born.set(worker, startTime(worker.facts.pid));
  }

  remove(worker: LiveWorker): void {
    this.#born.delete(worker);
  }

  /** Looks at each one; to be called once a second. */
  look(): void {
    for (const [worker, born] of [...this.#born]) {
      if (this.#ended(worker, born)) this.#deps.onEnd(worker);
    }
  }

  #ended(worker: LiveWorker, born: string | undefined): boolean {
    if (born !== undefined) return startTime(worker.facts.pid) !== born;
    return worker.downSince !== undefined && this.#deps.now() - worker.downSince >= unseenPatience;
  }
}
