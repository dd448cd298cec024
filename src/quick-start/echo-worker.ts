/**
 * Puts the echo worker of this package into a worker directory.
 *
 * The file there is a small script with absolute paths: a worker's PATH is fixed, and the Node that runs the daemon
 * need not be on it (nvm). A script that is as it should be is left alone, so that a running worker is not replaced;
 * settings that are there are somebody's choice.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { writeDurably } from '../base/durable-file.ts';

export interface EchoWorkerPlaces {
  readonly workerDir: string;
  readonly configDir: string;
  /** The built worker, `worker.js`. */
  readonly program: string;
  /** The Node that runs it. */
  readonly node: string;
  /** Its settings, to be copied: `echo.toml`. */
  readonly settings: string;
}

const script = (node: string, program: string): string =>
  `#!/bin/sh\n# Written by the quick start at every start.\nexec ${quoted(node)} ${quoted(program)}\n`;

export function installEchoWorker({ workerDir, configDir, program, node, settings }: EchoWorkerPlaces): void {
  const settingsDir = path.join(configDir, 'workers');
  mkdirSync(settingsDir, { recursive: true, mode: 0o700 });
  const settingsFile = path.join(settingsDir, 'echo.toml');
  if (contentOf(settingsFile) === undefined) writeDurably(settingsFile, readFileSync(settings), 0o600);
  const workerFile = path.join(workerDir, 'echo.worker');
  const text = script(node, program);
  if (contentOf(workerFile) !== text) writeDurably(workerFile, text, 0o700);
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** One word for sh(1), whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
