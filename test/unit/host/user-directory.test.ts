import { chmodSync, lstatSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ensureOwnDirectory, ensureUserDirectory } from '../../../src/host/user-directory.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const uid = process.getuid?.() ?? 0;
const own = { name: 'somebody', uid, gid: process.getgid?.() ?? 0 };
const isRoot = uid === 0;
if (!isRoot) console.log('Skipped: giving a directory to another user; only root can.');

let base: string;

beforeEach(() => {
  base = path.join(tempDir(testScope()), 'run-workers');
});

function modeOf(directory: string): string {
  return (lstatSync(directory).mode & 0o7777).toString(8);
}

test('others may pass through the base, whatever the umask, and see nothing of it', () => {
  const umask = process.umask(0o077);
  const directory = ensureUserDirectory(base, own);
  process.umask(umask);
  expect(directory).toBe(path.join(base, 'somebody'));
  expect([modeOf(base), modeOf(directory)]).toEqual(['711', '700']);
  expect(modeOf(ensureOwnDirectory(base))).toBe('700');
});

test.runIf(isRoot)(
  "the directory is the user's, also when a daemon that made it was killed before it said so",
  () => {
    mkdirSync(path.join(base, 'nobody'), { recursive: true });
    const {
      uid: owner,
      gid,
      mode,
    } = lstatSync(ensureUserDirectory(base, { name: 'nobody', uid: 65534, gid: 65533 }));
    expect([owner, gid, mode & 0o7777]).toEqual([65534, 65533, 0o700]);
  },
);

test('one that its user opened is closed again', () => {
  const directory = ensureUserDirectory(base, own);
  chmodSync(directory, 0o777);
  ensureUserDirectory(base, own);
  expect(modeOf(directory)).toBe('700');
});

describe('is refused:', () => {
  test('a base that others can write to', () => {
    mkdirSync(base, { mode: 0o700 });
    chmodSync(base, 0o777);
    expect(() => ensureUserDirectory(base, own)).toThrow(`chmod o-w ${base}`);
    expect(modeOf(base)).toBe('777');
  });

  test('a base that is a link', () => {
    symlinkSync('/', base);
    expect(() => ensureUserDirectory(base, own)).toThrow(`${base} is in the way`);
    expect(() => ensureOwnDirectory(base)).toThrow(`${base} is in the way`);
  });

  test('a base below a directory that others can write to', () => {
    chmodSync(path.dirname(base), 0o777);
    expect(() => ensureUserDirectory(base, own)).toThrow('can be changed by everybody');
  });

  test('a link in the place of the directory, which is left as it is', () => {
    ensureOwnDirectory(base);
    const target = path.join(base, 'target');
    mkdirSync(target, { mode: 0o755 });
    symlinkSync(target, path.join(base, 'somebody'));
    expect(() => ensureUserDirectory(base, own)).toThrow('somebody is in the way');
    expect(modeOf(target)).toBe('755');
  });

  test.runIf(isRoot)("another user's directory", () => {
    ensureUserDirectory(base, { name: 'somebody', uid: 65534, gid: 65534 });
    const other = { name: 'somebody', uid: 12_345, gid: 65534 };
    expect(() => ensureUserDirectory(base, other)).toThrow('belongs to uid 65534, and somebody is uid 12345');
  });

  test.each(['', '.', '..', '.daemon', 'a/b', '../up'])('the name %j', (name) => {
    expect(() => ensureUserDirectory(base, { ...own, name })).toThrow('cannot be the name of a directory');
  });
});
