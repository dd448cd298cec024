/** A disk under the journal that is full, fails, takes no writes or hesitates when it is told to. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import type { Edit } from './instrumented.ts';

export type DiskFault = 'full' | 'error' | 'read-only' | 'slow';

const switchName = 'YGGD_DISK_FAULT';

const ask = `
import { readFileSync as readFault } from 'node:fs';
async function diskFault() {
  const fault = readFault(process.env['${switchName}'], 'utf8');
  if (fault === 'error') throw new Error('EIO: i/o error, write');
  if (fault === 'read-only') throw new Error('EROFS: read-only file system, write');
  if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, 2_500));
}
`;

const writers = ['log-file', 'lmdb-store'] as const;
const writing = {
  'log-file': {
    find: 'write: (pieces, at) => writeAll(',
    put: 'write: async (pieces, at) => await diskFault() ?? writeAll(',
  },
  'lmdb-store': {
    find: 'this.#checkSpace(writes); this.#count',
    put: 'this.#checkSpace(writes); await diskFault(); this.#count',
  },
} as const;

/** The edits that make a daemon ask before each write; that a disk is full it finds out by itself. */
export const failingDisk: readonly Edit[] = writers.flatMap((name) => {
  const file = `src/journal/${name}`;
  const first = name === 'log-file' ? 'import { close,' : 'import path from';
  return [
    { file, find: first, put: `${ask}$&` },
    { file, ...writing[name] },
  ];
});

export interface FailingDisk {
  /** What it can be told; to be full it needs a file system of its own, which only root can mount. */
  readonly faults: readonly [DiskFault, ...DiskFault[]];
  /** For the state of one daemon. */
  readonly directory: string;
  /** Of a daemon with these edits. */
  readonly environment: NodeJS.ProcessEnv;
  set(fault: DiskFault | undefined): void;
}

/** MiB. */
const size = 48;

export function createFailingDisk(scope: Scope): FailingDisk {
  const folder = tempDir(scope, 'ygg-disk-');
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m,mode=0700`, 'yggd-fault', folder]);
    scope.defer(() => void execFileSync('umount', ['--lazy', folder]));
  }
  const control = path.join(tempDir(scope, 'ygg-fault-'), 'fault');
  const filler = path.join(folder, 'filler');
  writeFileSync(control, '');
  return {
    faults: isRoot ? ['full', 'error', 'read-only', 'slow'] : ['error', 'read-only', 'slow'],
    directory: folder,
    environment: { ...process.env, [switchName]: control },
    set(fault) {
      if (fault === 'full') fill(filler);
      else rmSync(filler, { force: true });
      writeFileSync(control, fault === undefined || fault === 'full' ? '' : fault);
    },
  };
}

/** Until there is not a block left. */
function fill(file: string): void {
  for (let bytes = 1024 * 1024; bytes >= 4_096; bytes /= 2) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      // Smaller pieces may still fit.
    }
  }
}
