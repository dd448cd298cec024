/**
 * What a worker takes from the process it runs in: the only place of the SDK that looks at it, because `run()` is the
 * main of its program.
 */
import { readFileSync } from 'node:fs';
import { parseProcessStat } from '../base/process-stat.ts';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The words behind the program's name. */
  readonly words: readonly string[];
  readonly pid: number;
  /** Of this process, as the daemon reads it too; empty where there is no /proc. */
  readonly startTime: string;
  print(text: string): void;
  complain(text: string): void;
  /** Calls back when the process is asked to end; returns how to stop listening. */
  onTerminate(callback: (signal: string) => void): () => void;
}

export function processSurroundings(): Surroundings {
  return {
    environment: process.env,
    words: process.argv.slice(2),
    pid: process.pid,
    startTime: ownStartTime(),
    print: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    onTerminate(callback) {
      const signals = ['SIGTERM', 'SIGINT'] as const;
      for (const signal of signals) process.on(signal, callback);
      return () => {
        for (const signal of signals) process.off(signal, callback);
      };
    },
  };
}

function ownStartTime(): string {
  try {
    return parseProcessStat(readFileSync('/proc/self/stat', 'utf8'))?.startTime ?? '';
  } catch {
    return '';
  }
}
