/**
 * Ends processes that are not, or no longer, our children: SIGTERM, patience, SIGKILL.
 */
import { pause } from '../base/deadline.ts';
import { type ProcessEntry, signalProcess } from './process-table.ts';

export interface Ending {
  /** Looked up again and again, because processes that are ending still start others. */
  readonly find: () => readonly ProcessEntry[];
  /** Fires when patience is over: from then on SIGKILL. */
  readonly impatience: AbortSignal;
  /** False when SIGTERM was sent already; a second one makes some programs drop what they are finishing. */
  readonly ask?: boolean;
}

/** Milliseconds after SIGKILL until a process counts as stuck in the kernel. */
const killDeadline = 2_000;

/** Resolves with what is left: nothing, or what not even SIGKILL could end in time. */
export async function endProcesses({
  find,
  impatience,
  ask = true,
}: Ending): Promise<readonly ProcessEntry[]> {
  const asked = new Set<number>();
  let stuckAt: number | undefined;
  for (let wait = 5; ; wait = Math.min(wait * 2, 40)) {
    const found = find();
    const now = performance.now();
    if (impatience.aborted) stuckAt ??= now + killDeadline;
    if (found.length === 0 || (stuckAt !== undefined && now > stuckAt)) return found;
    for (const entry of found) {
      if (impatience.aborted) {
        signalProcess(entry, 'SIGKILL');
      } else if (ask && !asked.has(entry.pid)) {
        asked.add(entry.pid);
        signalProcess(entry, 'SIGTERM');
      }
    }
    await pause(wait);
  }
}
