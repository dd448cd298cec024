/**
 * Notices that one of a few files became another: written, replaced, removed, or reached through other links.
 *
 * The directories are watched, and everything is looked at every ten seconds besides, because a link that is swapped
 * in the middle of a path, as certificates are rotated, escapes a watch. Reports a change once it has settled.
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
  readonly #watchers: FSWatcher[] = [];
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
    const { files, clock } = this.#deps;
    this.#reported = this.#look();
    for (const directory of new Set(files.map((file) => path.dirname(file)))) {
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#check());
        // A directory that goes away ends its watch; the looks go on.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // Not there yet: the looks will find what comes.
      }
    }
    this.#looks = clock.every(lookInterval, () => this.#check());
  }

  stop(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
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

  #look(): string {
    return this.#deps.files.map(identity).join('\n');
  }
}

/** Which file a path leads to and when it was last written; empty when it leads nowhere. */
function identity(file: string): string {
  try {
    const real = realpathSync(file);
    const { ino, size, mtimeMs, ctimeMs } = statSync(real);
    return [real, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch {
    return '';
  }
}
