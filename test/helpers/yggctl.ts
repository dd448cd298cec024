/** The built yggctl, asked about the daemon of a home. */
import path from 'node:path';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';
import type { Home } from './yggd.ts';

export const yggctlProgram: string = path.resolve(import.meta.dirname, '../../dist/cmd/yggctl.js');

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Standard output, one JSON object per line. */
  readonly json: ReadonlyArray<Readonly<Record<string, unknown>>>;
}

/** Asks the daemon that runs in this home; to its end. */
export async function ask(scope: Scope, home: Home, ...words: string[]): Promise<Said> {
  return await said(startYggctl(scope, home, ...words));
}

/** The same for programs. */
export async function askJson(scope: Scope, home: Home, ...words: string[]): Promise<Said> {
  return await ask(scope, home, ...words, '--format', 'json');
}

/** Looks into a home in which no daemon runs. */
export async function askStopped(scope: Scope, home: Home, ...words: string[]): Promise<Said> {
  const place = ['--state-dir', home.stateDir, '--format', 'json'];
  return await said(new Child(scope, process.execPath, [yggctlProgram, ...words, ...place]));
}

export function startYggctl(scope: Scope, home: Home, ...words: string[]): Child {
  return new Child(scope, process.execPath, [yggctlProgram, ...words, '--runtime-dir', home.runtimeDir]);
}

async function said(child: Child): Promise<Said> {
  const { code } = await child.ended(30_000);
  return {
    code,
    out: child.stdout.join('\n'),
    err: child.stderr.join('\n'),
    get json() {
      return child.stdout.map((line): Readonly<Record<string, unknown>> => JSON.parse(line));
    },
  };
}
