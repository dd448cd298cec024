/**
 * When the last connection status was sent, kept in the state directory: a host without a clock of its own may start in
 * the past, and servers ignore what is older than what they have.
 *
 * Owns `<state-dir>/status-sent`. A write is never waited for; what cannot be written is only logged.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface StatusTimes {
  /** Milliseconds since the epoch; 0 when nothing is known. */
  readonly last: number;
  keep(sent: number): void;
  /** Resolves when what was kept last is written. */
  close(): Promise<void>;
}

/** Never fails: without a usable file nothing is known. */
export function openStatusTimes(stateDir: string, log: Logger): StatusTimes {
  const file = path.join(stateDir, 'status-sent');
  let wanted = 0;
  let written = 0;
  /** Set while a write is under way. */
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    while (written !== wanted) {
      const sent = wanted;
      try {
        const beside = `${file}.new`;
        await writeFile(beside, `${new Date(sent).toISOString()}\n`, { mode: 0o600, flush: true });
        await rename(beside, file);
      } catch (error) {
        log.debug({ file, error: reasonOf(error) }, 'the time of the last status could not be kept');
      }
      written = sent;
    }
    writing = undefined;
  }

  return {
    last: readLast(file),
    keep(sent) {
      wanted = sent;
      writing ??= write();
    },
    close: async () => await writing,
  };
}

function readLast(file: string): number {
  try {
    const time = Date.parse(readFileSync(file, 'utf8').trim());
    return Number.isNaN(time) ? 0 : time;
  } catch {
    return 0;
  }
}
