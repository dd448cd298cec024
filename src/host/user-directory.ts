/**
 * Directories for the sockets of workers that run as another user: one for each user, 0700 and that user's, in a
 * base that is the daemon's own and that others can only pass through.
 *
 * Others own what lies in such a directory, but never the directory's place, so its name cannot be made to mean
 * something else.
 */
import { chmodSync, lchownSync, lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { reasonOf, YggError } from '../base/errors.ts';
import { checkSafeParent, checkSafePath, mkdirOnce } from './safe-path.ts';

export interface DirectoryOwner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Its own user may do everything, others may only pass. */
const passage = 0o711;
const ownersAlone = 0o700;

/**
 * Makes sure that the directory of this user is there; its path. Throws `YGG_UNSAFE_PATH` when it, or the base, is
 * something else or somebody else's; `YGG_CONFIG_FILE` when the file system refuses.
 */
export function ensureUserDirectory(base: string, owner: DirectoryOwner): string {
  // The name becomes a part of a path.
  if (!/^[^./][^/]*$/.test(owner.name)) throw unsafe(`"${owner.name}" cannot be the name of a directory.`);
  const directory = path.join(base, owner.name);
  ensureBase(base);
  return ensured(directory, () => {
    mkdirOnce(directory, ownersAlone);
    const stats = lstatSync(directory);
    checkIsDirectory(directory, stats);
    // Just made, or by a daemon that was killed before it came to this.
    if (stats.uid === process.getuid?.()) lchownSync(directory, owner.uid, owner.gid);
    else if (stats.uid !== owner.uid) {
      throw unsafe(
        `${directory} belongs to uid ${stats.uid}, and ${owner.name} is uid ${owner.uid}; stop yggd and remove it.`,
      );
    }
    // Its own user may have opened it for others.
    if ((stats.mode & 0o777) !== ownersAlone) chmodSync(directory, ownersAlone);
  });
}

/** Makes sure that the daemon has a directory for itself alone in the base; its path. */
export function ensureOwnDirectory(base: string): string {
  const directory = path.join(base, '.daemon');
  ensureBase(base);
  return ensured(directory, () => {
    mkdirOnce(directory, ownersAlone);
    checkIsDirectory(directory, lstatSync(directory));
    checkSafePath(directory);
    chmodSync(directory, ownersAlone);
  });
}

function ensureBase(base: string): void {
  checkSafeParent(base);
  ensured(base, () => {
    const made = mkdirOnce(base, passage);
    checkIsDirectory(base, lstatSync(base));
    // Throws when others own it, or may write to it.
    if (!made) checkSafePath(base);
    // The umask may have taken the others' part away.
    chmodSync(base, passage);
  });
}

function ensured(directory: string, make: () => void): string {
  try {
    make();
    return directory;
  } catch (cause) {
    if (cause instanceof YggError) throw cause;
    throw new YggError('YGG_CONFIG_FILE', `${directory} cannot be made or used: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

function checkIsDirectory(directory: string, stats: Stats): void {
  if (stats.isDirectory()) return;
  throw unsafe(`${directory} is in the way and is no directory; remove it.`);
}

function unsafe(sentence: string): YggError {
  return new YggError('YGG_UNSAFE_PATH', sentence);
}
