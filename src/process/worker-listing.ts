/**
 * Which files in the worker directories are workers, and what they and their configurations look like.
 */
import { readdirSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';

export interface ListingOptions {
  /** In order of precedence. */
  readonly workerDirs: readonly string[];
  /** Paths where a worker file's configuration may be, by its name. */
  readonly configFiles: (fileName: string) => readonly string[];
  /** File names, with or without `.worker`, that are not workers here. */
  readonly excludeWorkers: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Listing {
  readonly workers: readonly ListedWorker[];
  /** Files that would be workers if no directory before had one of the same name. */
  readonly shadowed: ReadonlyArray<{ readonly file: string; readonly by: string }>;
}

export interface ListedWorker {
  /** Absolute path. */
  readonly file: string;
  /** Differs when the file or its configuration was written, replaced, or given other permissions. */
  readonly stamp: string;
  /** False while somebody may still be writing to it. */
  readonly quiet: boolean;
}

/** Milliseconds a file has to be left alone before it counts as written. */
export const quietSpan = 300;

/** Every regular file whose name ends with `worker`, in every directory that is there, in order of names. */
export function listWorkers(options: ListingOptions): Listing {
  const workers = new Map<string, ListedWorker>();
  const shadowed: Array<{ file: string; by: string }> = [];
  for (const folder of options.workerDirs) {
    for (const name of namesIn(folder)) {
      if (!name.endsWith('worker') || isExcluded(name, options.excludeWorkers)) continue;
      const file = path.resolve(folder, name);
      const stats = statOf(file);
      if (!stats?.isFile()) continue;
      const first = workers.get(name);
      if (first) {
        if (first.file !== file) shadowed.push({ file, by: first.file });
        continue;
      }
      const all = [stats, ...options.configFiles(name).map(statOf)];
      workers.set(name, {
        file,
        stamp: all.map(stampOf).join(' '),
        quiet: all.every((one) => isQuiet(one, options.now)),
      });
    }
  }
  return { workers: [...workers.values()], shadowed };
}

/** A worker's file name without `.worker`: how people call it. */
export function shortName(fileName: string): string {
  return fileName.replace(/\.worker$/, '');
}

function isExcluded(name: string, excluded: readonly string[]): boolean {
  return excluded.includes(name) || excluded.includes(shortName(name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function statOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

function stampOf(stats: Stats | undefined): string {
  if (!stats) return '-';
  const { dev, ino, size, mtimeMs, mode, uid, gid } = stats;
  return [dev, ino, size, mtimeMs, mode, uid, gid].join(':');
}

/** A time in the future says nothing about when the file was written. */
function isQuiet(stats: Stats | undefined, now: number): boolean {
  if (!stats) return true;
  const age = now - stats.mtimeMs;
  return age < 0 || age >= quietSpan;
}
