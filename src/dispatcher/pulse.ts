/**
 * Whether a worker lives, by what can be seen of it from outside: its process, and whether its socket takes
 * connections.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { takesConnections } from '../rpc/address.ts';

/** Start time of a process in clock ticks since boot, or `undefined` when it cannot be seen (gone, or hidden). */
export async function startTime(pid: number): Promise<string | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name in brackets, may hold anything; the start time is field 22, and a dead
    // process that nobody has waited for is one too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
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
