/**
 * What workers are started with: execa, which is slow to load and so loaded only here, and a guard where there is one.
 *
 * The guard keeps a worker from outliving a daemon that was killed: `setpriv` asks the kernel for a SIGKILL at its
 * parent's death and then becomes the worker, under the same pid. It does not reach what the worker has started;
 * those are found when the worker has ended (`leftovers.ts`), or by the next daemon (`orphans.ts`).
 */
import type { execa } from 'execa';
import { workerPath } from './worker-environment.ts';

export interface Launcher {
  readonly execa: typeof execa;
  /** The command, and its arguments, to put before a worker; empty: the worker is started directly. */
  readonly guard: readonly string[];
}

const guard = ['setpriv', '--pdeathsig', 'KILL'] as const;

/** Milliseconds. */
const probeDeadline = 2_000;

/** Loads what is needed and finds out whether this host has the guard. */
export async function createLauncher(): Promise<Launcher> {
  const { execa } = await import('execa');
  const [command, ...words] = guard;
  const { exitCode } = await execa(command, [...words, 'true'], {
    cwd: '/',
    env: { PATH: workerPath },
    extendEnv: false,
    stdio: 'ignore',
    timeout: probeDeadline,
    reject: false,
  });
  return { execa, guard: exitCode === 0 ? guard : [] };
}
