/**
 * Notices that one of a few files became another: written, replaced, removed, or reached through other links.
 *
 * The directories of the paths, and those they lead to, are watched, and everything is looked at every ten seconds
 * besides, because a link that is swapped in the middle of a path escapes a watch. Reports a change once it has settled.
 */
import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';

export interface FileWatchDeps {
  readonly files: readonly string[];
  readonly clock: Clock;
  readonly onChange: () => void;
}

/** Milliseconds between looks at everything. */
const lookInterval = 10_000;
/** Milliseconds a change must stay as it is before it is reported: files are written in pieces, pairs one by one. */
const settleTime = 250;

export class FileWatch {
  readonly #deps: FileWatchDeps;
  /** By directory. */
  readonly #watchers = new Map<string, FSWatcher>();
  #looks: Timer | undefined;
  /** Set while a change waits to settle. */
  #settling: Timer | undefined;
  /** What was there when it was last reported. */
  #reported = '';
  /** What was there at the last look. */
  #seen = '';

  constructor(deps: FileWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#reported = this.#look();
    this.#looks = this.#deps.clock.every(lookInterval, () => this.#check());
  }

  stop(): void {
    this.#watch(new Set());
    this.#looks?.cancel();
    this.#settling?.cancel();
    this.#looks = undefined;
    this.#settling = undefined;
  }

  #check(): void {
    if (this.#settling) return;
    this.#seen = this.#look();
    if (this.#seen !== this.#reported) this.#settle();
  }

  #settle(): void {
    this.#settling = this.#deps.clock.after(settleTime, () => {
      this.#settling = undefined;
      const now = this.#look();
      if (now !== this.#seen) {
        this.#seen = now;
        this.#settle();
      } else if (now !== this.#reported) {
        this.#reported = now;
        this.#deps.onChange();
      }
    });
  }

  /** What is there now. The directories in which it can change are watched from then on. */
  #look(): string {
    const { files } = this.#deps;
    const found = files.map(lookAt);
    this.#watch(
      new Set([...files, ...found.flatMap(({ real }) => real ?? [])].map((file) => path.dirname(file))),
    );
    return found.map(({ real, stamp }) => `${real} ${stamp}`).join('\n');
  }

  #watch(directories: ReadonlySet<string>): void {
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of directories) {
      if (this.#watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#check());
        // A directory that goes away ends its watch; the looks go on.
        watcher.on('error', () => this.#forget(directory, watcher));
        this.#watchers.set(directory, watcher);
      } catch {
        // Not there yet: the looks will find what comes.
      }
    }
  }

  #forget(directory: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(directory) === watcher) this.#watchers.delete(directory);
  }
}

interface Seen {
  /** The file a path leads to; not set when it leads nowhere. */
  readonly real?: string;
  /** Changes when that is another file, or was written. */
  readonly stamp: string;
}

function lookAt(file: string): Seen {
  try {
    const real = realpathSync(file);
    const { ino, size, mtimeMs, ctimeMs } = statSync(real);
    return { real, stamp: [ino, size, mtimeMs, ctimeMs].join(' ') };
  } catch {
    return { stamp: '' };
  }
}
