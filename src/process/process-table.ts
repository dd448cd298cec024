/**
 * The running processes, as Linux shows them in /proc.
 *
 * A process id alone names nothing, because ids are used again; an id with its start time does, for as long as the
 * host is up, and /proc shows only what runs since then.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type ProcessStat, parseProcessStat } from '../base/process-stat.ts';

export interface ProcessEntry extends ProcessStat {
  readonly pid: number;
}

/** Not there, or only a zombie that waits for its parent: undefined. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = parseProcessStat(readProcFile(pid, 'stat'));
  return stat && { pid, ...stat };
}

/** Every process but zombies. */
export function listProcesses(): ProcessEntry[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names.flatMap((name) => (/^\d+$/.test(name) ? (readProcess(Number(name)) ?? []) : []));
}

/** Who started it: a program that runs with the rights of its file's owner has its caller's id here. */
export function realUser(pid: number): number | undefined {
  const [, uid] = /^Uid:\t(\d+)/m.exec(readProcFile(pid, 'status')) ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** What a process was started with in its environment; undefined also where we may not look. */
export function readVariable(pid: number, name: string): string | undefined {
  const entry = readProcFile(pid, 'environ')
    .split('\0')
    .find((candidate) => candidate.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

/** Sends a signal to exactly this process: one that got its id since is left alone. */
export function signalProcess(entry: ProcessEntry, signal: NodeJS.Signals): void {
  if (readProcess(entry.pid)?.startTime !== entry.startTime) return;
  try {
    process.kill(entry.pid, signal);
  } catch {
    // It ended in between, or became another user's: both show at the next look.
  }
}

function readProcFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}
