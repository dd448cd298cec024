/**
 * Which worker file last held each handler, also over restarts of the daemon: it keeps the handler for as long as it
 * exists and is starting, so that a second file that asks for the same one does not win by being faster.
 *
 * Owns one small file, which is not flushed, because a worker waits while it is written. Without one, or when it cannot
 * be written, it remembers for this run only.
 */
import { readFileSync } from 'node:fs';
import { writeWhole } from '../base/durable-file.ts';
import { reasonOf, systemCodeOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface HoldersDeps {
  /** Not set: nothing is kept over a restart. */
  readonly file: string | undefined;
  readonly log: Logger;
}

export class Holders {
  readonly #deps: HoldersDeps;
  readonly #files: Map<string, string>;

  constructor(deps: HoldersDeps) {
    this.#deps = deps;
    this.#files = deps.file ? load(deps.file, deps.log) : new Map();
  }

  get(handler: string): string | undefined {
    return this.#files.get(handler);
  }

  set(handler: string, workerFile: string): void {
    if (this.#files.get(handler) === workerFile) return;
    this.#files.set(handler, workerFile);
    const { file, log } = this.#deps;
    if (!file) return;
    try {
      writeWhole(file, `${JSON.stringify(Object.fromEntries(this.#files), null, 2)}\n`, 0o600);
    } catch (error) {
      log.warn({ file, error: reasonOf(error) }, 'who holds which handler is forgotten at the next restart');
    }
  }
}

function load(file: string, log: Logger): Map<string, string> {
  try {
    const holders: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof holders !== 'object' || holders === null) throw new TypeError('not an object');
    const entries = Object.entries(holders);
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch (error) {
    const absent = systemCodeOf(error) === 'ENOENT';
    if (!absent) log.warn({ file, error: reasonOf(error) }, 'who held which handler could not be read');
    return new Map();
  }
}
