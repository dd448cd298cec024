/** A daemon whose journal lies on a disk with a cache: to kill it is to cut its power. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Edit } from './instrumented.ts';

const disk = pathToFileURL(path.resolve(import.meta.dirname, '../fixtures/volatile-disk.mjs'));

/** Milliseconds that a flush takes. */
interface Flushing {
  readonly shortest: number;
  readonly longest: number;
}

/** The edits that put that disk in. */
export function volatileDisk(flushing: Flushing = { shortest: 100, longest: 300 }): Edit[] {
  return [
    {
      file: 'src/journal/open',
      find: "import { LmdbStore } from './lmdb-store.js';",
      put: `import { MemoryStore } from './memory-store.js';
import { volatile } from '${disk}';
const LmdbStore = volatile(MemoryStore, ${JSON.stringify(flushing)});`,
    },
    // There are no files of LMDB to be probed.
    { file: 'src/journal/open', find: 'if (!unusable && !state.clean &&', put: 'if (false &&' },
  ];
}
