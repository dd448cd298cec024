import { chmodSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Listing, listWorkers, quietSpan, shortName } from '../../../src/process/worker-listing.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

let folder: string;
const later = Date.now() + 3_600_000;

beforeEach(() => {
  folder = tempDir(testScope());
});

function list({ now = later, excludeWorkers = [] as string[], dirs = [folder] } = {}): Listing {
  const configFiles = (name: string): string[] => [path.join(folder, `${name}.toml`)];
  return listWorkers({ workerDirs: dirs, configFiles, excludeWorkers, now });
}

function write(name: string, text = '#!/bin/sh\n', inside = folder): string {
  const file = path.join(inside, name);
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

function stampOf(file: string): string | undefined {
  return list().workers.find((worker) => worker.file === file)?.stamp;
}

test('workers are regular files whose names end with worker', () => {
  const files = ['b-worker', 'a.worker', 'worker'].map((name) => write(name));
  write('worker.txt');
  mkdirSync(path.join(folder, 'folder-worker'));
  symlinkSync('nowhere', path.join(folder, '.#editor-worker'));
  expect(list().workers.map(({ file }) => file)).toEqual(files.sort());
});

test('a directory that is not there has none', () => {
  expect(list({ dirs: [path.join(folder, 'absent')] })).toEqual({ workers: [], shadowed: [] });
});

test('the same directory twice is no conflict, two files of one name are', () => {
  const first = write('x-worker');
  const other = path.join(folder, 'other');
  mkdirSync(other);
  const second = write('x-worker', '', other);
  const { workers, shadowed } = list({ dirs: [folder, folder, other] });
  expect(workers.map(({ file }) => file)).toEqual([first]);
  expect(shadowed).toEqual([{ file: second, by: first }]);
});

test.each([
  ['it is written', (file: string) => writeFileSync(file, '#!/bin/sh\n# longer\n')],
  ['it is replaced', (file: string) => renameSync(write('new'), file)],
  ['its permissions change', (file: string) => chmodSync(file, 0o700)],
  ['its configuration appears', (file: string) => writeFileSync(`${file}.toml`, '')],
])('the stamp differs when %s', (_what, change) => {
  const file = write('x-worker');
  const before = stampOf(file);
  expect(stampOf(file)).toBe(before);
  change(file);
  expect(stampOf(file)).not.toBe(before);
});

test('a file is quiet when nobody has written to it or its configuration for a while', () => {
  const file = write('x-worker');
  const now = Date.now();
  const quiet = (): boolean | undefined => list({ now }).workers[0]?.quiet;
  const touch = (target: string, age: number): void => utimesSync(target, now / 1000, (now - age) / 1000);
  touch(file, quietSpan - 100);
  expect(quiet()).toBe(false);
  touch(file, quietSpan + 100);
  expect(quiet()).toBe(true);
  // A time ahead of the clock must not keep it waiting for ever.
  touch(file, -3_600_000);
  expect(quiet()).toBe(true);
  writeFileSync(`${file}.toml`, '');
  touch(`${file}.toml`, 0);
  expect(quiet()).toBe(false);
});

test('a short name is the file name without .worker', () => {
  expect(shortName('rhc-worker-playbook.worker')).toBe('rhc-worker-playbook');
  expect(shortName('echo-worker')).toBe('echo-worker');
});
