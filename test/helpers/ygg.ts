/** The built ygg on the bus of a pretend host: alone, or at a terminal. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';

export const yggProgram: string = path.resolve(import.meta.dirname, '../../dist/cmd/ygg.js');
const terminalProgram = path.resolve(import.meta.dirname, '../fixtures/rhsm/terminal.py');

export interface YggOptions {
  /** Of the system bus. */
  readonly address: string;
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface YggEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs to its end. */
export async function ygg(scope: Scope, options: YggOptions, ...words: string[]): Promise<YggEnd> {
  const child = startYgg(scope, options, ...words);
  const { code } = await child.ended(30_000);
  return { code, out: child.stdout.join('\n'), err: child.stderr.join('\n') };
}

export function startYgg(scope: Scope, { address, stdin = '', env }: YggOptions, ...words: string[]): Child {
  const input = path.join(tempDir(scope), 'input');
  writeFileSync(input, stdin);
  const shell = ['-c', `exec "$0" "$@" < '${input}'`, process.execPath, yggProgram, ...words];
  return new Child(scope, '/bin/sh', shell, { env: environment(address, env) });
}

/** What a person does: waits for some text, then types, or sends the signal of a number. */
export type Turn = readonly [expected: string, deed: string | number];

export interface TerminalEnd {
  readonly code: number | null;
  /** All that the terminal was sent. */
  readonly shown: string;
  /** The terminal shows what is typed, line by line, as it did before. */
  readonly usual: boolean;
}

/** Runs it at a terminal of its own, with a person at it. */
export async function yggAtTerminal(
  scope: Scope,
  { address, env }: YggOptions,
  turns: readonly Turn[],
  ...words: string[]
): Promise<TerminalEnd> {
  const program = [terminalProgram, JSON.stringify(turns), process.execPath, yggProgram, ...words];
  const options = { env: environment(address, { TERM: 'xterm', ...env }) };
  const child = new Child(scope, '/usr/bin/python3', program, options);
  const { code } = await child.ended(60_000);
  if (code !== 0) throw new Error(`the terminal failed\n${child.output}`);
  return JSON.parse(child.stdout.join('\n'));
}

function environment(address: string, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], DBUS_SYSTEM_BUS_ADDRESS: address, ...env };
}
