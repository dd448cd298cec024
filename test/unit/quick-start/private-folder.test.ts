import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { ensurePrivateDirectory } from '../../../src/host/safe-path.ts';
import {
  findQuickStart,
  findQuickStartState,
  openPrivateFolder,
  type PrivateFolder,
} from '../../../src/quick-start/private-folder.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const uid = process.getuid?.() ?? -1;

let packageRoot: string;
let temporaryDirectory: string;

beforeEach(() => {
  const root = tempDir(testScope());
  packageRoot = path.join(root, 'clone');
  temporaryDirectory = path.join(root, 'tmp');
  for (const directory of [packageRoot, temporaryDirectory]) mkdirSync(directory);
});

function open(ensure: (directory: string) => void = ensurePrivateDirectory): PrivateFolder {
  return openPrivateFolder({ packageRoot, temporaryDirectory, ensurePrivateDirectory: ensure });
}

/** The clone is not safe, everything else is. */
function unsafeClone(directory: string): void {
  if (directory.startsWith(packageRoot)) throw new YggError('YGG_UNSAFE_PATH', 'others may write there');
  ensurePrivateDirectory(directory);
}

test('all is in the clone, and nobody else can look in', () => {
  const folder = open();
  expect(folder).toMatchObject({ root: path.join(packageRoot, '.quick-start'), temporary: false });
  for (const directory of [folder.stateDir, folder.configDir, folder.workerDir, folder.runtimeDir]) {
    expect(path.dirname(directory)).toBe(folder.root);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  }
  expect(readdirSync(temporaryDirectory)).toEqual([]);
});

test('it is found while it is announced', () => {
  const folder = open();
  expect(findQuickStart(packageRoot, uid)).toBeUndefined();
  folder.announce();
  expect(findQuickStart(packageRoot, uid)).toBe(folder.runtimeDir);
  folder.release();
  expect(findQuickStart(packageRoot, uid)).toBeUndefined();
});

test('its state is found also when it does not run, unless it is not ours', () => {
  expect(findQuickStartState(packageRoot, uid)).toBeUndefined();
  const folder = open();
  folder.announce();
  folder.release();
  expect(findQuickStartState(packageRoot, uid)).toBe(folder.stateDir);
  expect(findQuickStartState(packageRoot, uid + 1)).toBeUndefined();
});

test("somebody else's announcement is not believed", () => {
  open().announce();
  expect(findQuickStart(packageRoot, uid + 1)).toBeUndefined();
});

describe('when it ends', () => {
  test('state, configuration and workers stay, sockets go', () => {
    const folder = open();
    folder.announce();
    for (const directory of [folder.stateDir, folder.workerDir, folder.runtimeDir]) {
      writeFileSync(path.join(directory, 'file'), '');
    }
    folder.release();
    expect(readdirSync(folder.root).sort()).toEqual(['config', 'state', 'workers']);
    expect(existsSync(path.join(folder.workerDir, 'file'))).toBe(true);
  });

  test('one that never announced itself leaves nothing', () => {
    const folder = open();
    folder.release();
    expect(existsSync(folder.runtimeDir)).toBe(false);
  });

  test('one that never announced itself leaves the running one alone', () => {
    const running = open();
    running.announce();
    writeFileSync(path.join(running.runtimeDir, 'dispatcher.sock'), '');
    const second = open();
    second.release();
    expect(existsSync(running.runtimeDir)).toBe(true);
    expect(findQuickStart(packageRoot, uid)).toBe(running.runtimeDir);
  });
});

describe('a clone too deep for sockets', () => {
  beforeEach(() => {
    packageRoot = path.join(packageRoot, 'd'.repeat(100));
    mkdirSync(packageRoot);
  });

  test('has its runtime directory elsewhere, and is found all the same', () => {
    const folder = open();
    folder.announce();
    expect(folder.root).toBe(path.join(packageRoot, '.quick-start'));
    expect(path.dirname(folder.runtimeDir)).toBe(temporaryDirectory);
    expect(statSync(folder.runtimeDir).mode & 0o777).toBe(0o700);
    expect(findQuickStart(packageRoot, uid)).toBe(folder.runtimeDir);
    folder.release();
    expect(readdirSync(temporaryDirectory)).toEqual([]);
  });
});

describe('a clone that others may write in', () => {
  test('keeps nothing but the announcement', () => {
    const folder = open(unsafeClone);
    folder.announce();
    expect(path.dirname(folder.root)).toBe(temporaryDirectory);
    expect(folder.temporary).toBe(true);
    expect(readdirSync(path.join(packageRoot, '.quick-start'))).toEqual(['runtime-dir']);
    expect(findQuickStart(packageRoot, uid)).toBe(folder.runtimeDir);
    folder.release();
    expect(readdirSync(temporaryDirectory)).toEqual([]);
    expect(findQuickStart(packageRoot, uid)).toBeUndefined();
  });

  test('is noticed by its mode', () => {
    chmodSync(packageRoot, 0o777);
    expect(path.dirname(open().root)).toBe(temporaryDirectory);
  });
});

test('an announcement is text of one line', () => {
  const folder = open();
  folder.announce();
  const file = path.join(folder.root, 'runtime-dir');
  expect(readFileSync(file, 'utf8')).toBe(`${folder.runtimeDir}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
