/** Reading of /proc: who runs, what they were started with, how much they use. */
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** Fields of /proc/PID/stat from the state on; the program name before them may contain anything. */
function statFields(pid: number): string[] {
  const stat = readProc(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether the process is there and not a zombie. */
export function alive(pid: number): boolean {
  const [state = ''] = statFields(pid);
  return state !== '' && state !== 'Z' && state !== 'X';
}

/** Processes whose environment contains `text`: workers carry their socket's path, and their children inherit it. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => alive(pid) && readProc(pid, 'environ').includes(text));
}

/** Whether it has a handler of its own for a signal (proc_pid_status(5), SigCgt). */
export function catches(pid: number, signal: NodeJS.Signals): boolean {
  const [, mask = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readProc(pid, 'status')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}

/** Direct children. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statFields(pid)[1]) === parent && alive(pid));
}

/** `NAME=value` pairs of its environment. */
export function environmentOf(pid: number): Map<string, string> {
  const pairs = readProc(pid, 'environ').split('\0').filter(Boolean);
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** Milliseconds of processor time so far, in user and kernel mode. */
export function cpuOf(pid: number): number {
  const fields = statFields(pid);
  // Clock ticks are 10 ms on every Linux that Node runs on.
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Milliseconds in which its main thread could have run and no processor was free. */
export function starvationOf(pid: number): number {
  return Number(readProc(pid, 'schedstat').split(' ')[1] ?? 0) / 1e6;
}

export interface Memory {
  /** Bytes resident, the mapped pages of files included. */
  readonly rss: number;
  /** Bytes resident that belong to no file. */
  readonly anonymous: number;
}

export function memoryOf(pid: number): Memory {
  const status = readProc(pid, 'status');
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { rss: kibibytes('VmRSS'), anonymous: kibibytes('RssAnon') };
}

/** Descriptors the process has open, as the links of /proc/PID/fd name them. */
export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
