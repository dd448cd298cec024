/**
 * Whether a worker lives, by what can be seen of it from outside: its process, and whether its socket takes
 * connections.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { parseProcessStat } from '../base/process-stat.ts';
import { takesConnections } from '../rpc/address.ts';

/** Start time of a process in clock ticks since boot, or `undefined` when it cannot be seen (gone, or hidden). */
export function startTime(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    // Read at once, and not in its turn: a process that is seen when it registers may be gone in a moment.
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime;
  } catch {
    return undefined;
  }
}

/** Whether somebody takes connections at the socket within `ms`; one who only just starts to listen counts. */
export async function listens(socket: string, ms: number, clock: Clock): Promise<boolean> {
  const deadline = clock.monotonic() + ms;
  while (clock.monotonic() < deadline) {
    if (await takesConnections(socket)) return true;
    await pause(20, { clock });
  }
  return false;
}
