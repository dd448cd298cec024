/**
 * What a connection status says of this host, kept up to date.
 *
 * Owns the watch on the tags file and the facts file, and looks every minute for what has changed without a file:
 * names, addresses, interfaces.
 */
import type { Clock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import type { CanonicalFacts, StringMap } from '../messages.ts';
import { type FactSources, readFacts } from './facts.ts';
import { FileWatch } from './file-watch.ts';
import { readTags } from './tags.ts';

export interface HostDeps {
  readonly sources: FactSources;
  /** Read each time they are needed: other ones hold from the next `refresh` on. */
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds between looks at the host itself. */
const lookInterval = 60_000;

export interface HostFiles {
  readonly factsFile: string | undefined;
  readonly tagsFile: string;
}

export interface Host {
  facts(): CanonicalFacts;
  /** Undefined or empty: there are none. */
  tags(): StringMap | undefined;
  /** Calls back after facts or tags changed; returns the function that stops it. */
  onChange(listener: () => void): () => void;
  /** Gathers everything anew. */
  refresh(): Promise<void>;
  /** Ends the watch. */
  close(): void;
}

/** Gathers facts and tags, and watches the files they come from. Never fails: what cannot be read is left out. */
export async function openHost(deps: HostDeps): Promise<Host> {
  const { sources, clock, log } = deps;
  const listeners = new Set<() => void>();
  let files = { ...deps.files };
  // Before they are read: what changes meanwhile is seen.
  let watch = watchOver();
  let tags = readTags({ ...files, log });
  let facts = await readFacts({ ...files, sources, log });

  function watchOver(): FileWatch {
    const { factsFile, tagsFile } = files;
    const named = factsFile === undefined ? [tagsFile] : [tagsFile, factsFile];
    const begun = new FileWatch({ files: named, clock, onChange: () => void refresh() });
    begun.start();
    return begun;
  }

  async function refresh(): Promise<void> {
    const { factsFile, tagsFile } = deps.files;
    if (files.factsFile !== factsFile || files.tagsFile !== tagsFile) {
      watch.stop();
      files = { factsFile, tagsFile };
      watch = watchOver();
    }
    tags = readTags({ tagsFile, log });
    facts = await readFacts({ sources, factsFile, log });
    for (const listener of listeners) listener();
  }
  /** Says nothing of a file that cannot be used: that was said when it was read. */
  async function look(): Promise<void> {
    const found = await readFacts({ ...files, sources, log: silentLogger });
    if (JSON.stringify(found) === JSON.stringify(facts)) return;
    facts = found;
    log.info({}, 'facts of this host have changed');
    for (const listener of listeners) listener();
  }

  const looks = clock.every(lookInterval, () => void look());
  return {
    facts: () => facts,
    tags: () => tags,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh,
    close() {
      watch.stop();
      looks.cancel();
    },
  };
}
