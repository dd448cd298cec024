import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  examine,
  journalVersion,
  markClean,
  moveAside,
  prepare,
  removeStrays,
} from '../../../src/journal/journal-directory.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

function journalIn(version: string | undefined): string {
  const directory = path.join(tempDir(testScope()), 'journal');
  prepare(directory);
  writeFileSync(path.join(directory, 'data.mdb'), '');
  if (version !== undefined) writeFileSync(path.join(directory, 'version'), version);
  return directory;
}

test('a directory without a journal is fresh', () => {
  const directory = path.join(tempDir(testScope()), 'journal');
  const fresh = { fresh: true, clean: true, unusable: undefined };
  expect(examine(directory)).toEqual(fresh);
  prepare(directory);
  expect(examine(directory)).toEqual(fresh);
});

test('it is clean from the end of one run to the start of the next', () => {
  const directory = journalIn(undefined);
  expect(examine(directory)).toEqual({ fresh: false, clean: false, unusable: undefined });
  markClean(directory);
  expect(examine(directory).clean).toBe(true);
  prepare(directory);
  expect(examine(directory).clean).toBe(false);
});

test.each([
  [`${journalVersion}\n`, undefined],
  [`${journalVersion + 1}\n`, 'newer'],
  ['999\n', 'newer'],
  ['', 'damaged'],
  ['one', 'damaged'],
  ['-1', 'damaged'],
])('version %j is %s', (version, unusable) => {
  expect(examine(journalIn(version)).unusable).toBe(unusable);
});

test('modes are exact whatever the umask', () => {
  const directory = path.join(tempDir(testScope()), 'journal');
  const before = process.umask(0);
  try {
    prepare(directory);
    markClean(directory);
  } finally {
    process.umask(before);
  }
  const mode = (name: string): number => statSync(path.join(directory, name)).mode & 0o777;
  expect([mode('.'), mode('content'), mode('version'), mode('clean')]).toEqual([0o700, 0o700, 0o600, 0o600]);
});

test('moving aside keeps everything, and finds another name when there is one already', () => {
  const directory = journalIn('9');
  const now = Date.UTC(2026, 10, 20, 9, 8, 7, 6);
  expect(moveAside(directory, 'newer', now)).toBe(`${directory}.newer-20261120T090807Z`);
  expect(existsSync(directory)).toBe(false);
  mkdirSync(directory);
  expect(moveAside(directory, 'newer', now)).toBe(`${directory}.newer-20261120T090807Z-1`);
  expect(readFileSync(path.join(`${directory}.newer-20261120T090807Z`, 'version'), 'utf8')).toBe('9');
});

test('content that nobody refers to is removed', () => {
  const { contentDirectory } = prepare(path.join(tempDir(testScope()), 'journal'));
  for (const name of ['kept', 'stray', 'other']) writeFileSync(path.join(contentDirectory, name), '');
  expect(removeStrays(contentDirectory, (name) => name === 'kept')).toBe(2);
  expect(readdirSync(contentDirectory)).toEqual(['kept']);
});
