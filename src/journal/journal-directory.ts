/**
 * The directory of a journal before it is opened: made, ours alone, of a version this program reads, and whether the
 * last end was clean.
 *
 *   version   the form of what is beside it; one line
 *   clean     there if and only if the last end was clean and nothing was opened since
 *   log.0 to log.7, data.mdb, lock.mdb, content/
 *
 * These marks are files of their own, because damaged LMDB files may end the process that looks into them.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { flushDirectory, writeDurably } from '../base/durable-file.ts';
import { systemCodeOf, YggError } from '../base/errors.ts';
import { dataFile } from './lmdb-environment.ts';

/** Counted up when tables or records change so that an older program would misread them. */
export const journalVersion = 3;

const versionFile = 'version';
const cleanFile = 'clean';
const contentFolder = 'content';

/** Why a directory cannot be used and is moved aside whole. */
export type Unusable = 'newer' | 'older' | 'damaged';

export interface DirectoryState {
  /** Nothing was here. */
  readonly fresh: boolean;
  readonly clean: boolean;
  readonly unusable: Unusable | undefined;
}

/** What is there, without touching it. */
export function examine(directory: string): DirectoryState {
  if (!existsSync(path.join(directory, dataFile))) return { fresh: true, clean: true, unusable: undefined };
  const version = readVersion(directory);
  const clean = existsSync(path.join(directory, cleanFile));
  if (version === undefined) return { fresh: false, clean, unusable: 'damaged' };
  if (version > journalVersion) return { fresh: false, clean, unusable: 'newer' };
  if (version < journalVersion - 1) return { fresh: false, clean, unusable: 'older' };
  return { fresh: false, clean, unusable: undefined };
}

/** Moves the directory aside whole; returns where it is now. */
export function moveAside(directory: string, why: Unusable, now: number): string {
  const aside = asidePath(directory, why, now);
  renameSync(directory, aside);
  return aside;
}

/** A name beside `file` that nothing has. */
function asidePath(file: string, why: Unusable, now: number): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  for (let number = 0; ; number++) {
    const aside = `${file}.${why}-${time}${number === 0 ? '' : `-${number}`}`;
    if (!existsSync(aside)) return aside;
  }
}

/** Makes what is missing, with exact modes whatever the umask, and takes the clean mark away. */
export function prepare(directory: string): { readonly contentDirectory: string } {
  const contentDirectory = path.join(directory, contentFolder);
  for (const folder of [directory, contentDirectory]) {
    const isNew = mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined;
    chmodSync(folder, 0o700);
    // Its name too has to survive a power cut, as has that of one that was moved out of its way.
    if (isNew) flushDirectory(path.dirname(folder));
  }
  rmSync(path.join(directory, cleanFile), { force: true });
  // Written only when it has to be: a full disk must not keep a journal closed that needs no room to be opened.
  if (readVersion(directory) === journalVersion) flushDirectory(directory);
  else writeDurably(path.join(directory, versionFile), `${journalVersion}\n`, 0o600);
  return { contentDirectory };
}

/** Copies a file that is going to be written over; returns where the copy is. */
export function keepDamaged(file: string, now: number): string {
  const copy = asidePath(file, 'damaged', now);
  copyFileSync(file, copy);
  return copy;
}

export function markClean(directory: string): void {
  writeDurably(path.join(directory, cleanFile), '', 0o600);
}

/** Removes the files of fetched content that nobody refers to; what cannot be removed is left. */
export function removeStrays(contentDirectory: string, isReferred: (contentFile: string) => boolean): number {
  let removed = 0;
  for (const name of readdirSync(contentDirectory)) {
    if (isReferred(name)) continue;
    rmSync(path.join(contentDirectory, name), { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

function readVersion(directory: string): number | undefined {
  try {
    const text = readFileSync(path.join(directory, versionFile), 'utf8').trim();
    return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined;
    throw new YggError('YGG_JOURNAL_IO', `${directory} cannot be read.`, { cause });
  }
}
