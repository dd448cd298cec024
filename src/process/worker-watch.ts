/**
 * Says when to look at the worker directories again; what has changed there is for the one who looks.
 *
 * Owns a chokidar watcher for promptness, and a slow poll for what it misses: swapped symbolic links, permissions
 * of parents, network file systems, a host that is out of watches.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { FSWatcher } from 'chokidar';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface WorkerWatchDeps {
  /** Absolute paths of directories; those that are not there yet are waited for. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Called once after the last of changes that come together. */
  readonly onChange: () => void;
}

/** Milliseconds. */
const pollInterval = 10_000;
/** Milliseconds in which changes are taken together. */
const gatherSpan = 50;

export class WorkerWatch {
  readonly #deps: WorkerWatchDeps;
  #watcher: FSWatcher | undefined;
  /** Which directories the watcher was opened on. It stays with those, also when others take their names. */
  #watched = '';
  #opening = false;
  #poll: Timer | undefined;
  #next: Timer | undefined;
  #closed = false;

  constructor(deps: WorkerWatchDeps) {
    this.#deps = deps;
  }

  /** Resolves when changes are seen promptly; `onChange` is called then, for what was missed until then. */
  async open(): Promise<void> {
    this.#poll = this.#deps.clock.every(pollInterval, () => this.#look());
    await this.#openWatcher();
    if (!this.#closed) this.#deps.onChange();
  }

  /** Looks when `delay` milliseconds have passed, unless it will do so sooner anyway. */
  lookSoon(delay: number): void {
    if (this.#closed) return;
    this.#next ??= this.#deps.clock.after(delay, () => {
      this.#next = undefined;
      this.#look();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#poll?.cancel();
    this.#next?.cancel();
    await this.#watcher?.close();
  }

  #look(): void {
    this.#deps.onChange();
    if (this.#opening || this.#identity() === this.#watched) return;
    this.#openWatcher().then(
      () => this.lookSoon(0),
      (error: unknown) => this.#sayBlind(error),
    );
  }

  async #openWatcher(): Promise<void> {
    this.#opening = true;
    try {
      const { watch } = await import('chokidar');
      await this.#watcher?.close();
      if (this.#closed) return;
      this.#watched = this.#identity();
      const watcher = watch([...new Set(this.#deps.paths.map(nearest))], {
        ignoreInitial: true,
        depth: 0,
        ignorePermissionErrors: true,
        ignored: (candidate) => !this.#matters(candidate),
      });
      this.#watcher = watcher;
      watcher.on('all', () => this.lookSoon(gatherSpan));
      watcher.on('error', (error) => this.#sayBlind(error));
      await new Promise<void>((resolve) => watcher.once('ready', resolve));
    } finally {
      this.#opening = false;
    }
  }

  #sayBlind(error: unknown): void {
    this.#deps.log.warn(
      { error: reasonOf(error) },
      'a worker directory cannot be watched; it is looked at every 10 s',
    );
  }

  /** Our directories, what lies in them, and the way to those that are not there yet. */
  #matters(candidate: string): boolean {
    return this.#deps.paths.some(
      (folder) => candidate === folder || path.dirname(candidate) === folder || isAbove(candidate, folder),
    );
  }

  #identity(): string {
    return this.#deps.paths
      .map((folder) => {
        const there = nearest(folder);
        const stats = statSync(there, { throwIfNoEntry: false });
        return `${there} ${stats?.dev} ${stats?.ino}`;
      })
      .join('\n');
  }
}

/** The directory, or the nearest one above it that is there. */
function nearest(folder: string): string {
  let there = folder;
  while (there !== path.dirname(there) && !exists(there)) there = path.dirname(there);
  return there;
}

function exists(folder: string): boolean {
  try {
    return statSync(folder, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function isAbove(candidate: string, folder: string): boolean {
  return folder.startsWith(candidate === '/' ? '/' : `${candidate}/`);
}
