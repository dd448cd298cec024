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

/** The edits that put the log of the journal on that disk; its tables get only what the log has flushed. */
export function volatileDisk(flushing: Flushing = { shortest: 100, longest: 300 }): Edit[] {
  return [
    {
      file: 'src/journal/log-files',
      find: "import { openLogFile } from './log-file.js';",
      put: `import { openLogFile as openRealLogFile } from './log-file.js';
import { volatile } from '${disk}';
const openLogFile = volatile(openRealLogFile, ${JSON.stringify(flushing)});`,
    },
  ];
}
