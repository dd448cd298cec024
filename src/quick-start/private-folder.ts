/**
 * Where the quick start keeps everything: a folder of its own in the clone, so that it touches nothing of the system.
 *
 *   .quick-start/state, config, workers    stay, so that the host keeps its id, its messages and your workers
 *   .quick-start/run                       sockets and access file; gone when it ends
 *   .quick-start/runtime-dir               says where the latter are; there while it runs
 *
 * Two kinds of clones need a temporary directory as well: one whose path is too long for a socket gets its runtime
 * directory there, and one in which others could replace files gets all of it there.
 */
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { writeDurably } from '../base/durable-file.ts';
import { codeOf } from '../base/errors.ts';

export interface PrivateFolderDeps {
  /** The clone, or wherever the package is. */
  readonly packageRoot: string;
  readonly temporaryDirectory: string;
  /** Makes a directory 0700 and ours; throws `YGG_UNSAFE_PATH` when others could replace it. */
  ensurePrivateDirectory(directory: string): void;
}

export interface PrivateFolder {
  readonly root: string;
  /** Nothing in it stays when it ends: others can write in the clone. */
  readonly temporary: boolean;
  readonly stateDir: string;
  readonly configDir: string;
  readonly workerDir: string;
  readonly runtimeDir: string;
  /** Tells programs of the same clone where the runtime directory is. To be called once the daemon owns it. */
  announce(): void;
  /** Removes what is of no use when the daemon has ended: the announcement, and what is temporary. */
  release(): void;
}

/** Linux and Go stop at 107 bytes for a socket's path, Node cuts silently. */
const socketPathLimit = 107;
const longestSocketName = 'dispatcher.sock';

const folderName = '.quick-start';
const announcementName = 'runtime-dir';

export function openPrivateFolder(deps: PrivateFolderDeps): PrivateFolder {
  const { packageRoot, temporaryDirectory, ensurePrivateDirectory } = deps;
  const inClone = path.join(packageRoot, folderName);
  const temporary: string[] = [];
  const makeTemporary = (): string => {
    const made = mkdtempSync(path.join(temporaryDirectory, 'yggd-'));
    temporary.push(made);
    ensurePrivateDirectory(made);
    return made;
  };
  const root = isSafe(inClone, ensurePrivateDirectory) ? inClone : makeTemporary();
  const runInside = path.join(root, 'run');
  const runtimeDir = fitsSockets(runInside) ? runInside : makeTemporary();
  const stateDir = path.join(root, 'state');
  const configDir = path.join(root, 'config');
  const workerDir = path.join(root, 'workers');
  for (const directory of [stateDir, configDir, workerDir, runtimeDir]) ensurePrivateDirectory(directory);
  const announcement = path.join(inClone, announcementName);
  let announced = false;
  return {
    root,
    temporary: root !== inClone,
    stateDir,
    configDir,
    workerDir,
    runtimeDir,
    announce() {
      mkdirSync(inClone, { recursive: true, mode: 0o700 });
      writeDurably(announcement, `${runtimeDir}\n`, 0o600);
      announced = true;
    },
    release() {
      if (announced) {
        rmSync(announcement, { force: true });
        rmSync(runtimeDir, { recursive: true, force: true });
      } else {
        removeIfEmpty(runtimeDir);
      }
      for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The runtime directory that a quick start of this clone has announced, if it is ours. */
export function findQuickStart(packageRoot: string, uid: number): string | undefined {
  const announcement = path.join(packageRoot, folderName, announcementName);
  const stats = lstatSync(announcement, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.uid !== uid) return undefined;
  const runtimeDir = readFileSync(announcement, 'utf8').trim();
  return path.isAbsolute(runtimeDir) ? runtimeDir : undefined;
}

/** Where the quick start of this clone keeps its state between two runs, if it ever ran here as this user. */
export function findQuickStartState(packageRoot: string, uid: number): string | undefined {
  const stateDir = path.join(packageRoot, folderName, 'state');
  return lstatSync(stateDir, { throwIfNoEntry: false })?.uid === uid ? stateDir : undefined;
}

function isSafe(directory: string, ensurePrivateDirectory: (directory: string) => void): boolean {
  try {
    ensurePrivateDirectory(directory);
    return true;
  } catch (error) {
    if (codeOf(error) === 'YGG_UNSAFE_PATH') return false;
    throw error;
  }
}

/** What was never announced may be in use by another quick start of the same clone. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // In use, or gone already.
  }
}

function fitsSockets(runtimeDir: string): boolean {
  return Buffer.byteLength(path.join(runtimeDir, longestSocketName)) <= socketPathLimit;
}
