/**
 * Who owns a directory: at most one living process, whatever became of the ones before.
 *
 * The owner is the record with the highest number, `owner.N`, if the process it names still runs (the same pid,
 * start time and boot) and did not let go. Taking over means to link `owner.N+1`, which succeeds for one of any number
 * of processes that try, and to be the highest afterwards. Nothing is removed before that, so nobody ever removes
 * the record of a living owner, however slowly it looked. Records are not flushed: they name the boot, and mean nothing
 * after the next one.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { writeWhole } from '../base/durable-file.ts';
import { systemCodeOf, YggError } from '../base/errors.ts';
import { parseProcessStat } from '../base/process-stat.ts';

/** What a claim needs of the world; each has the real thing for a default. */
export interface ClaimDeps {
  readonly pid?: number;
  readonly uuid?: () => string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly processTable?: string;
}

export interface Claim {
  /** The directory is free for the next owner. */
  release(): void;
}

interface Owner {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot: field 22 of proc(5) `stat`. */
  readonly start: string;
  readonly boot: string;
  readonly released: boolean;
}

const recordName = /^owner\.([0-9]+)$/;
const draftName = /^owner\.draft-/;
/** Milliseconds after which a draft is one that a crash left behind. */
const draftAge = 60_000;

/**
 * Takes a directory that exists and is ours alone. Throws `YGG_ALREADY_RUNNING` naming the process that owns it, also
 * when that one is stopped by a signal and answers nothing.
 */
export function claimDirectory(directory: string, deps: ClaimDeps = {}): Claim {
  const { pid = process.pid, uuid = randomUUID, now = Date.now, processTable = '/proc' } = deps;
  const self: Owner = {
    pid,
    start: startOf(processTable, pid) ?? '',
    boot: bootOf(processTable),
    released: false,
  };
  const draft = path.join(directory, `owner.draft-${uuid()}`);
  writeWhole(draft, recordOf(self), 0o600);
  try {
    for (;;) {
      const last = highest(directory);
      const owner = last > 0 ? readOwner(recordPath(directory, last)) : undefined;
      if (owner && lives(processTable, owner)) throw alreadyRunning(directory, owner.pid);
      const own = last + 1;
      if (!link(draft, recordPath(directory, own))) continue;
      if (highest(directory) === own) {
        removeBelow(directory, own, now() - draftAge);
        return claim(recordPath(directory, own), self);
      }
      // Others came and went meanwhile, and this number was already one of the past.
      rmSync(recordPath(directory, own), { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The process that owns a directory now, if one does. */
export function ownerOf(directory: string, processTable = '/proc'): number | undefined {
  const last = highest(directory);
  const owner = last > 0 ? readOwner(recordPath(directory, last)) : undefined;
  return owner && lives(processTable, owner) ? owner.pid : undefined;
}

function claim(record: string, self: Owner): Claim {
  let held = true;
  return {
    release() {
      if (held) writeWhole(record, recordOf({ ...self, released: true }), 0o600);
      held = false;
    },
  };
}

function highest(directory: string): number {
  const numbers = readdirSync(directory).map((name) => Number(recordName.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/** Says whether it was this process that made the record. */
function link(draft: string, record: string): boolean {
  try {
    linkSync(draft, record);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function removeBelow(directory: string, own: number, draftsBefore: number): void {
  for (const name of readdirSync(directory)) {
    const file = path.join(directory, name);
    const number = recordName.exec(name)?.[1];
    const isOld =
      number !== undefined ? Number(number) < own : draftName.test(name) && changedAt(file) < draftsBefore;
    if (isOld) rmSync(file, { force: true });
  }
}

/** Milliseconds since the epoch; a file that has just gone is as new as can be. */
function changedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
}

/** `undefined` when it is gone, or is not a record: nobody can be asked about it. */
function readOwner(record: string): Owner | undefined {
  let owner: unknown;
  try {
    owner = JSON.parse(readFileSync(record, 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof owner !== 'object' || owner === null) return undefined;
  const { pid, start, boot, released }: { [field in keyof Owner]?: unknown } = owner;
  if (typeof pid !== 'number' || typeof start !== 'string' || typeof boot !== 'string') return undefined;
  return { pid, start, boot, released: released === true };
}

function lives(processTable: string, { pid, start, boot, released }: Owner): boolean {
  return !released && boot === bootOf(processTable) && start === startOf(processTable, pid);
}

/** Start time of a process, or `undefined` when there is none or only its exit status is left. */
function startOf(processTable: string, pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(path.join(processTable, String(pid), 'stat'), 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
  return parseProcessStat(stat)?.startTime;
}

function bootOf(processTable: string): string {
  return readFileSync(path.join(processTable, 'sys/kernel/random/boot_id'), 'utf8').trim();
}

function recordPath(directory: string, number: number): string {
  return path.join(directory, `owner.${number}`);
}

function recordOf(owner: Owner): string {
  return `${JSON.stringify(owner)}\n`;
}

function alreadyRunning(directory: string, pid: number): YggError {
  return new YggError(
    'YGG_ALREADY_RUNNING',
    `${directory} belongs to another daemon, process ${pid}: stop that one, or name another directory.`,
  );
}
