/**
 * What the programs take from the process they run in, so that nothing else has to ask for it.
 */
import { fstatSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import type { LogFormat } from '../src/base/logger.ts';
import type { Environment } from '../src/config/options.ts';

export function processEnvironment(): Environment {
  return {
    uid: process.getuid?.() ?? 0,
    currentDirectory: process.cwd(),
    homeDirectory: homeDirectory(),
    temporaryDirectory: tmpdir(),
    variables: process.env,
  };
}

/** Also of a user whom nobody knows, as in a bare root with no HOME: nothing that is then asked of it may fail. */
function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

/** The format that suits the place standard error goes to: systemd names its own in `JOURNAL_STREAM`. */
export function suitableLogFormat(): LogFormat {
  const journal = process.env['JOURNAL_STREAM'];
  if (!journal) return 'text';
  const { dev, ino } = fstatSync(process.stderr.fd);
  return journal === `${dev}:${ino}` ? 'journal' : 'text';
}

/** Whether people see what a stream is given, and want colours (no-color.org). */
export function wantsColour(stream: { readonly isTTY?: boolean } = process.stderr): boolean {
  return stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}
