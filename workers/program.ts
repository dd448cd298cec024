/**
 * Runs a program for a message: one that nobody else could have changed, in a process group of its own that ends with
 * the message.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from 'yggd/worker';
import { refused } from './settings.ts';

/** Characters of output that are told at a time, and that are kept of each stream. */
const mostProgress = 1_024;
const mostOutput = 65_536;

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Where the program really is. As its path is written, and where that leads in the end, nobody but root and this user
 * can have changed it or put another one in its place; otherwise it is refused.
 */
export function safeProgram(listed: string): string {
  const program = realpathSync(listed);
  for (const start of [listed, program]) {
    for (let part = start, above = ''; part !== above; part = path.dirname(above)) {
      checkOwn(part);
      above = part;
    }
  }
  return program;
}

function checkOwn(part: string): void {
  const { uid, mode } = statSync(part);
  const sticky = (mode & 0o1000) !== 0;
  const loose = (mode & 0o022) !== 0 && !sticky;
  if (loose || (uid !== 0 && uid !== process.getuid?.())) throw refused(`${part} can be changed by others.`);
}

/** Starts it without a shell; resolves when it has ended, rejects when the message is over before. */
export async function runProgram(program: string, words: readonly string[], job: Job): Promise<Ended> {
  job.signal.throwIfAborted();
  // By the name of the socket a daemon finds what was left behind. Nothing else of the worker is passed on.
  const { PATH, YGG_SOCKET_ADDR } = process.env;
  const env = { PATH, YGG_SOCKET_ADDR, LANG: 'C.UTF-8' };
  const child = spawn(program, words, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close').catch(() => {});
  const output = { stdout: '', stderr: '' };
  let fresh = '';
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-mostOutput);
      fresh = (fresh + text).slice(-mostProgress);
    });
  }
  const tell = (): void => {
    if (fresh !== '') job.progress(Buffer.from(fresh));
    fresh = '';
  };
  const timers = [setInterval(tell, 100)];
  job.signal.addEventListener('abort', () => {
    signalGroup(child.pid, 'SIGTERM');
    timers.push(setTimeout(signalGroup, 2_000, child.pid, 'SIGKILL'));
  });
  try {
    const [status, signal] = await once(child, 'exit');
    if (job.signal.aborted) signalGroup(child.pid, 'SIGKILL');
    // What it started in the background may hold its output open.
    await Promise.race([closed, pause(500)]);
    tell();
    job.signal.throwIfAborted();
    return { status, signal, ...output };
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}
