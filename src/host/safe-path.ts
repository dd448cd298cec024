/**
 * Says whether a path can be trusted: that nobody but root and the daemon's own user can change what it names.
 *
 * Owns the rule of docs/worker-files.md; changes nothing but the directory that it is
 * asked to make. All of it is synchronous, so that nothing comes between a check and what follows it.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';
import { isPrivateGroup } from './private-group.ts';

export interface SafePathOptions {
  /** Whose path it has to be, beside root's; not set: the user this process runs as. */
  readonly uid?: number;
  /** Whether a group is its owner's alone, so that write permission of the group is harmless. */
  readonly isPrivateGroup?: (uid: number, gid: number) => boolean;
}

/** A sticky directory will do as a parent, because what lies in it is checked too; not as an end. */
type Role = 'parent' | 'end';

/** Links followed before a path counts as a circle; Linux follows as many. */
const maxLinks = 40;

const groupWrite = 0o020;
const otherWrite = 0o002;
const sticky = 0o1000;

/**
 * Checks every part of an absolute path, and of the links on it: each belongs to root or to `uid`, and no one else
 * may write to it. Parents may be writable when they are sticky, as `/tmp` is: what lies there cannot be replaced by
 * others as long as it is ours.
 *
 * Throws `YGG_UNSAFE_PATH` naming the part and the command that mends it; file system errors pass through.
 */
export function checkSafePath(target: string, options: SafePathOptions = {}): void {
  walk(target, options, 'end');
}

/**
 * The same for what need not be there: then nobody else may be able to put something in its place either, not even
 * into a sticky directory.
 */
export function checkSafePlace(target: string, options: SafePathOptions = {}): void {
  walk(target, options, 'end', 'may be missing');
}

/**
 * Makes sure that `directory` is there, 0700, ours, and no link, with parents nobody can replace.
 *
 * An empty one of ours that others may only read is closed to them; any other is refused with `YGG_UNSAFE_PATH`,
 * because it may be in use for something else. `YGG_CONFIG_FILE` when the file system refuses.
 */
export function ensurePrivateDirectory(directory: string, options: SafePathOptions = {}): void {
  const target = path.resolve(directory);
  try {
    makePrivate(target, options);
  } catch (cause) {
    if (cause instanceof YggError) throw cause;
    const sentence = `${target} cannot be made or used: ${reasonOf(cause)}; name another directory.`;
    throw new YggError('YGG_CONFIG_FILE', sentence, { cause });
  }
}

/**
 * Checks the directories above `target`, which need not be there: nobody else can put something of theirs in its
 * place. Throws `YGG_UNSAFE_PATH`, and `YGG_CONFIG_FILE` when its directory is not there.
 */
export function checkSafeParent(target: string, options: SafePathOptions = {}): void {
  const directory = path.dirname(path.resolve(target));
  try {
    walk(directory, options, 'parent');
  } catch (cause) {
    if (cause instanceof YggError) throw cause;
    const sentence = `${target} cannot be used: ${reasonOf(cause)}; make ${directory}, or name another path.`;
    throw new YggError('YGG_CONFIG_FILE', sentence, { cause });
  }
}

function makePrivate(target: string, options: SafePathOptions): void {
  const made = mkdirSafely(target, options);
  const stats = lstatSync(target);
  if (stats.isSymbolicLink()) throw unsafe(`${target} is a symbolic link; name the directory itself.`);
  if (!stats.isDirectory()) throw unsafe(`${target} is not a directory; move it away.`);
  const uid = options.uid ?? ownUid();
  if (stats.uid !== uid) {
    throw unsafe(`${target} belongs to uid ${stats.uid}, not to uid ${uid}; name another directory.`);
  }
  if ((stats.mode & 0o777) !== 0o700) {
    const harmless = (stats.mode & (groupWrite | otherWrite)) === 0 && readdirSync(target).length === 0;
    if (!made && !harmless) {
      throw unsafe(
        `${target} is open to other users (mode ${modeOf(stats)}); run: chmod 700 ${quoted(target)}`,
      );
    }
    chmodSync(target, 0o700);
  }
  checkSafePath(target, options);
}

/**
 * Says whether it made the directory. Nothing is made below a parent that is not safe. The parts are made one by one:
 * where nothing can be made, as in /proc, Node's `recursive` tries for ever.
 */
function mkdirSafely(target: string, options: SafePathOptions): boolean {
  const missing: string[] = [];
  let parent = target;
  for (; lstatSync(parent, { throwIfNoEntry: false }) === undefined; parent = path.dirname(parent)) {
    missing.unshift(parent);
  }
  if (missing.length === 0) return false;
  walk(parent, options, 'parent');
  return missing.map((directory) => mkdirOnce(directory, 0o700)).at(-1) ?? false;
}

/** Says whether it was this process that made it. */
export function mkdirOnce(directory: string, mode: number): boolean {
  try {
    mkdirSync(directory, { mode });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Goes the way the kernel goes, link by link, and checks each part. `role` is what the last part is to be. */
function walk(target: string, options: SafePathOptions, role: Role, missing?: 'may be missing'): void {
  const rest = partsOf(path.isAbsolute(target) ? target : `${process.cwd()}/${target}`);
  let here = '/';
  let entry = lstatSync(here);
  let links = 0;
  checkOwner(here, entry, options);
  while (true) {
    const name = rest.shift();
    if (name === undefined) break;
    if (name === '..') {
      here = path.dirname(here);
      entry = lstatSync(here);
      continue;
    }
    checkWriters(here, entry, options, 'parent');
    const next = path.join(here, name);
    const stats = lstatSync(next, { throwIfNoEntry: missing === undefined });
    if (!stats) {
      checkWriters(here, entry, options, 'end');
      return;
    }
    checkOwner(next, stats, options);
    if (!stats.isSymbolicLink()) {
      here = next;
      entry = stats;
      continue;
    }
    // A link's own mode means nothing; it is as safe as where it lies and where it leads.
    links += 1;
    if (links > maxLinks) throw unsafe(`${target} leads through more than ${maxLinks} symbolic links.`);
    const lead = readlinkSync(next);
    rest.unshift(...partsOf(lead));
    if (!path.isAbsolute(lead)) continue;
    here = '/';
    entry = lstatSync(here);
  }
  checkWriters(here, entry, options, role);
}

function partsOf(way: string): string[] {
  return way.split('/').filter((part) => part !== '' && part !== '.');
}

function checkOwner(part: string, stats: Stats, options: SafePathOptions): void {
  const uid = options.uid ?? ownUid();
  if (stats.uid === 0 || stats.uid === uid) return;
  throw unsafe(
    `${part} belongs to uid ${stats.uid}, who could change it; run: chown ${uid} ${quoted(part)}, or use another path.`,
  );
}

function checkWriters(part: string, stats: Stats, options: SafePathOptions, role: Role): void {
  if (role === 'parent' && (stats.mode & sticky) !== 0) return;
  const others = (stats.mode & otherWrite) !== 0;
  const privately = options.isPrivateGroup ?? isPrivateGroup;
  const group = (stats.mode & groupWrite) !== 0 && !privately(stats.uid, stats.gid);
  if (!others && !group) return;
  const who = [group ? `group ${stats.gid}` : '', others ? 'everybody' : ''].filter(Boolean).join(' and ');
  const mend = `${group ? 'g' : ''}${others ? 'o' : ''}-w`;
  throw unsafe(
    `${part} can be changed by ${who} (mode ${modeOf(stats)}); run: chmod ${mend} ${quoted(part)}`,
  );
}

function modeOf(stats: Stats): string {
  return (stats.mode & 0o7777).toString(8).padStart(4, '0');
}

/** A path as it can be pasted into a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function ownUid(): number {
  const uid = process.getuid?.();
  if (uid === undefined) throw unsafe('This system does not say who owns a file; yggd needs a POSIX one.');
  return uid;
}

function unsafe(sentence: string): YggError {
  return new YggError('YGG_UNSAFE_PATH', sentence);
}
