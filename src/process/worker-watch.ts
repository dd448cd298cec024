/**
 * Says when to look at the worker directories again; what has changed there is for the one who looks.
 *
 * Owns a chokidar watcher for promptness, and a slow poll for what it misses: swapped symbolic links, permissions
 * of parents, network file systems, a host that is out of watches.
 */
import type { FSWatcher } from 'chokidar';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { quietSpan } from './worker-listing.ts';

export interface WorkerWatchDeps {
  /** Directories; those that are not there yet are waited for. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Called once more after the last of many changes. */
  readonly onChange: () => void;
}

/** Milliseconds. */
const pollInterval = 10_000;
/** Milliseconds in which changes are taken together. */
const gatherSpan = 50;

export class WorkerWatch {
  readonly #deps: WorkerWatchDeps;
  #watcher: FSWatcher | undefined;
  #poll: Timer | undefined;
  #next: Timer | undefined;
  #closed = false;

  constructor(deps: WorkerWatchDeps) {
    this.#deps = deps;
  }

  /** Resolves when changes are seen promptly; `onChange` is called then, for what was missed until then. */
  async open(): Promise<void> {
    const { paths, clock, log, onChange } = this.#deps;
    this.#poll = clock.every(pollInterval, onChange);
    const { watch } = await import('chokidar');
    if (this.#closed) return;
    const watcher = watch([...new Set(paths)], {
      ignoreInitial: true,
      depth: 0,
      ignorePermissionErrors: true,
    });
    this.#watcher = watcher;
    watcher.on('all', () => this.lookSoon(gatherSpan));
    watcher.on('error', (error) =>
      log.warn(
        { error: reasonOf(error) },
        'a worker directory cannot be watched; it is looked at every 10 s',
      ),
    );
    await new Promise<void>((resolve) => watcher.once('ready', resolve));
    if (!this.#closed) onChange();
  }

  /** Looks again when `delay` milliseconds have passed, unless that is to happen sooner anyway. */
  lookSoon(delay: number = quietSpan): void {
    if (this.#closed) return;
    this.#next ??= this.#deps.clock.after(delay, () => {
      this.#next = undefined;
      this.#deps.onChange();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#poll?.cancel();
    this.#next?.cancel();
    await this.#watcher?.close();
  }
}
