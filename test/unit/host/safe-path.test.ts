import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import {
  checkSafeParent,
  checkSafePath,
  checkSafePlace,
  ensurePrivateDirectory,
  type SafePathOptions,
} from '../../../src/host/safe-path.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

/** Whoever runs the tests, no group is private unless a test says so. */
const options: SafePathOptions = { isPrivateGroup: () => false };

let folder: string;

beforeEach(() => {
  folder = tempDir(testScope());
});

function made(name: string, mode: number): string {
  const target = path.join(folder, name);
  mkdirSync(target);
  chmodSync(target, mode);
  return target;
}

function chowned(target: string, uid: number): string {
  chownSync(target, uid, uid);
  return target;
}

function refusal(run: () => void): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(YggError);
    expect((error as YggError).code).toBe('YGG_UNSAFE_PATH');
    return (error as YggError).message;
  }
  throw new Error('it was accepted');
}

describe('checkSafePath', () => {
  test('takes what is ours below a sticky directory', () => {
    // The temporary directory itself may be written by everybody.
    checkSafePath(made('mine', 0o755), options);
  });

  test('names a directory that everybody may write, and the command that mends it', () => {
    const open = made('open', 0o777);
    chmodSync(open, 0o757);
    expect(refusal(() => checkSafePath(open, options))).toBe(
      `${open} can be changed by everybody (mode 0757); run: chmod o-w ${open}`,
    );
  });

  test('names a parent that others may write, not what lies in it', () => {
    const parent = made('parent', 0o775);
    const file = path.join(parent, 'file');
    writeFileSync(file, '');
    const gid = statSync(parent).gid;
    expect(refusal(() => checkSafePath(file, options))).toBe(
      `${parent} can be changed by group ${gid} (mode 0775); run: chmod g-w ${parent}`,
    );
  });

  test('takes group write permission where the group is the owner’s own', () => {
    checkSafePath(made('shared', 0o775), { isPrivateGroup: () => true });
  });

  test('a sticky directory will do as a parent, not as the end', () => {
    const sticky = made('sticky', 0o1777);
    const inside = path.join(sticky, 'inside');
    mkdirSync(inside, { mode: 0o700 });
    checkSafePath(inside, options);
    expect(refusal(() => checkSafePath(sticky, options))).toContain('chmod go-w');
  });

  test('for what is not there yet, its directory counts, and a sticky one will do', () => {
    checkSafeParent(path.join(made('tight', 0o755), 'socket'), options);
    checkSafeParent(path.join(made('sticky', 0o1777), 'socket'), options);
    const open = made('open', 0o777);
    expect(refusal(() => checkSafeParent(path.join(open, 'socket'), options))).toContain(
      `${open} can be changed`,
    );
    expect(() => checkSafeParent(path.join(folder, 'none', 'socket'), options)).toThrow(
      expect.objectContaining({ code: 'YGG_CONFIG_FILE', message: expect.stringContaining('make ') }),
    );
  });

  test('refuses what belongs to somebody else', () => {
    const foreign = made('foreign', 0o755);
    const uid = 4_294_000;
    // As root, everything but root's own is foreign; as anybody else, the test's own files are made foreign.
    if (process.getuid?.() === 0) {
      expect(refusal(() => checkSafePath(chowned(foreign, uid), options))).toContain(`belongs to uid ${uid}`);
    } else {
      expect(refusal(() => checkSafePath(foreign, { ...options, uid }))).toContain('belongs to uid');
    }
  });

  test('follows links and checks where they lead', () => {
    const open = made('open', 0o777);
    const target = path.join(open, 'target');
    mkdirSync(target, { mode: 0o700 });
    symlinkSync(target, path.join(folder, 'absolute'));
    symlinkSync('open/target', path.join(folder, 'relative'));
    symlinkSync('../open/target', path.join(made('aside', 0o700), 'upwards'));
    for (const link of ['absolute', 'relative', 'aside/upwards']) {
      expect(refusal(() => checkSafePath(path.join(folder, link), options))).toContain(
        `${open} can be changed`,
      );
    }
    chmodSync(open, 0o755);
    for (const link of ['absolute', 'relative', 'aside/upwards'])
      checkSafePath(path.join(folder, link), options);
  });

  test('a link with .. after it leads where the kernel goes, not where the text says', () => {
    const open = made('open', 0o777);
    mkdirSync(path.join(open, 'deep'), { mode: 0o700 });
    writeFileSync(path.join(open, 'file'), '');
    symlinkSync(path.join(open, 'deep'), path.join(folder, 'link'));
    writeFileSync(path.join(folder, 'file'), '');
    expect(refusal(() => checkSafePath(`${folder}/link/../file`, options))).toContain(
      `${open} can be changed`,
    );
  });

  test('refuses a circle of links', () => {
    symlinkSync('two', path.join(folder, 'one'));
    symlinkSync('one', path.join(folder, 'two'));
    expect(refusal(() => checkSafePath(path.join(folder, 'one'), options))).toContain('symbolic links');
  });

  test('quotes a path that a shell would take apart', () => {
    const open = made("it's here", 0o757);
    expect(refusal(() => checkSafePath(open, options))).toContain(`chmod o-w '${folder}/it'\\''s here'`);
  });

  test('lets a missing file be a missing file', () => {
    expect(() => checkSafePath(path.join(folder, 'absent'), options)).toThrow(/ENOENT/);
  });
});

describe('ensurePrivateDirectory', () => {
  test('makes it 0700, with its parents, whatever the umask', () => {
    const before = process.umask(0o002);
    onTestFinished(() => {
      process.umask(before);
    });
    const target = path.join(folder, 'a/b');
    ensurePrivateDirectory(target, options);
    expect(statSync(target).mode & 0o777).toBe(0o700);
    expect(statSync(path.dirname(target)).mode & 0o777).toBe(0o700);
    ensurePrivateDirectory(target, options);
  });

  test('makes it in a sticky directory', () => {
    const target = path.join(made('sticky', 0o1777), 'mine');
    ensurePrivateDirectory(target, options);
    expect(statSync(target).mode & 0o777).toBe(0o700);
  });

  test('makes nothing below a directory that others can change', () => {
    const open = made('open', 0o777);
    expect(refusal(() => ensurePrivateDirectory(path.join(open, 'mine'), options))).toContain(
      `chmod go-w ${open}`,
    );
    expect(() => statSync(path.join(open, 'mine'))).toThrow(/ENOENT/);
  });

  test('ends where none can be made, with what to do', () => {
    expect(() => ensurePrivateDirectory('/proc/yggd/state', options)).toThrow(
      expect.objectContaining({
        code: 'YGG_CONFIG_FILE',
        message: expect.stringMatching(
          /^\/proc\/yggd\/state cannot be made or used: ENOENT.*; name another directory\.$/,
        ),
      }),
    );
  });

  test('closes an empty one that others may only read', () => {
    const target = made('readable', 0o755);
    ensurePrivateDirectory(target, options);
    expect(statSync(target).mode & 0o777).toBe(0o700);
  });

  test('leaves one that is in use as it is and says what to run', () => {
    const target = made('used', 0o755);
    writeFileSync(path.join(target, 'file'), '');
    expect(refusal(() => ensurePrivateDirectory(target, options))).toContain(`chmod 700 ${target}`);
    expect(statSync(target).mode & 0o777).toBe(0o755);
  });

  test('refuses one that others could write to, even when it is empty', () => {
    const target = made('writable', 0o777);
    expect(refusal(() => ensurePrivateDirectory(target, options))).toContain(`chmod 700 ${target}`);
  });

  test('refuses a link and a file', () => {
    symlinkSync(made('real', 0o700), path.join(folder, 'link'));
    expect(refusal(() => ensurePrivateDirectory(path.join(folder, 'link'), options))).toContain(
      'symbolic link',
    );
    writeFileSync(path.join(folder, 'file'), '');
    expect(refusal(() => ensurePrivateDirectory(path.join(folder, 'file'), options))).toContain(
      'not a directory',
    );
  });

  test('refuses one of another user', () => {
    const target = made('foreign', 0o700);
    const uid = 4_294_000;
    const foreign = process.getuid?.() === 0 ? { ...options } : { ...options, uid };
    if (process.getuid?.() === 0) chowned(target, uid);
    expect(refusal(() => ensurePrivateDirectory(target, foreign))).toContain('belongs to uid');
  });
});

describe('checkSafePlace', () => {
  test('is checkSafePath for what is there', () => {
    const open = made('open', 0o777);
    expect(refusal(() => checkSafePlace(open, options))).toContain('and everybody (mode 0777)');
    checkSafePlace(made('closed', 0o755), options);
  });

  test('takes what is not there where nobody else could put it', () => {
    checkSafePlace(path.join(made('closed', 0o755), 'not', 'there'), options);
  });

  test.each([0o777, 0o1777])('refuses what is not there where others could put it: mode %o', (mode) => {
    const open = made('open', mode);
    expect(refusal(() => checkSafePlace(path.join(open, 'not', 'there'), options))).toContain(`o-w ${open}`);
  });

  test('goes along a link that leads to nothing', () => {
    const open = made('open', 0o1777);
    symlinkSync(path.join(open, 'nothing'), path.join(folder, 'link'));
    expect(refusal(() => checkSafePlace(path.join(folder, 'link'), options))).toContain(`o-w ${open}`);
  });
});
