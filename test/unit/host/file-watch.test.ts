import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FileWatch } from '../../../src/host/file-watch.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

interface Watched {
  readonly dir: string;
  readonly clock: HandClock;
  readonly changes: () => number;
  readonly watch: FileWatch;
}

function watched(names: readonly string[], prepare: (dir: string) => void = () => {}): Watched {
  const scope = testScope();
  const dir = tempDir(scope);
  prepare(dir);
  const clock = new HandClock();
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  const watch = new FileWatch({ files: names.map((name) => path.join(dir, name)), clock, onChange });
  scope.defer(() => watch.stop());
  watch.start();
  return { dir, clock, changes: () => changes, watch };
}

/** Looks at everything, and lets what was found settle. */
function look(clock: HandClock): void {
  clock.wind(10_000);
  clock.wind(250);
}

test('a write, a replacement, a removal and a return are one change each', () => {
  const { dir, clock, changes } = watched(['a'], (at) => writeFileSync(path.join(at, 'a'), '1'));
  look(clock);
  expect(changes()).toBe(0);
  writeFileSync(path.join(dir, 'a'), '22');
  look(clock);
  expect(changes()).toBe(1);
  writeFileSync(path.join(dir, 'b'), '333');
  renameSync(path.join(dir, 'b'), path.join(dir, 'a'));
  look(clock);
  expect(changes()).toBe(2);
  rmSync(path.join(dir, 'a'));
  look(clock);
  expect(changes()).toBe(3);
  writeFileSync(path.join(dir, 'a'), '4');
  look(clock);
  expect(changes()).toBe(4);
});

test('a directory swapped behind a link is noticed', () => {
  const { dir, clock, changes } = watched(['current/cert.pem'], (at) => {
    for (const name of ['one', 'two']) {
      mkdirSync(path.join(at, name));
      writeFileSync(path.join(at, name, 'cert.pem'), 'same');
    }
    symlinkSync('one', path.join(at, 'current'));
  });
  symlinkSync('two', path.join(dir, 'next'));
  renameSync(path.join(dir, 'next'), path.join(dir, 'current'));
  look(clock);
  expect(changes()).toBe(1);
});

test('what is still changing is waited for, and two files make one change', () => {
  const { dir, clock, changes } = watched(['cert', 'key']);
  writeFileSync(path.join(dir, 'cert'), '1');
  clock.wind(10_000);
  clock.wind(200);
  writeFileSync(path.join(dir, 'key'), '1');
  clock.wind(200);
  expect(changes()).toBe(0);
  clock.wind(250);
  expect(changes()).toBe(1);
});

test('a change undone before it settles is none', () => {
  const { dir, clock, changes } = watched(['a']);
  writeFileSync(path.join(dir, 'a'), '1');
  clock.wind(10_000);
  rmSync(path.join(dir, 'a'));
  clock.wind(1_000);
  expect(changes()).toBe(0);
});

test('the directory is watched: no look has to be waited for', async () => {
  const { dir, clock, changes } = watched(['a']);
  writeFileSync(path.join(dir, 'a'), '1');
  await waitFor(() => clock.waits.some((wait) => wait <= 250), { what: 'a watch that saw the change' });
  clock.wind(250);
  expect(changes()).toBe(1);
});

test('the directory that a link leads to is watched, and the next one after it', async () => {
  const { dir, clock, changes } = watched(['current/a'], (at) => {
    for (const name of ['one', 'two']) mkdirSync(path.join(at, name));
    symlinkSync('one', path.join(at, 'current'));
    writeFileSync(path.join(at, 'one', 'a'), '1');
    writeFileSync(path.join(at, 'two', 'a'), '1');
  });
  const seen = (): boolean => clock.waits.some((wait) => wait <= 250);
  writeFileSync(path.join(dir, 'one', 'a'), '22');
  await waitFor(seen, { what: 'a watch that saw the change' });
  clock.wind(250);
  symlinkSync('two', path.join(dir, 'next'));
  renameSync(path.join(dir, 'next'), path.join(dir, 'current'));
  look(clock);
  writeFileSync(path.join(dir, 'two', 'a'), '22');
  await waitFor(seen, { what: 'a watch that saw the change behind the other link' });
  clock.wind(250);
  expect(changes()).toBe(3);
});

test('nothing is left after stop', () => {
  const { clock, watch } = watched(['a']);
  watch.stop();
  expect(clock.waits).toEqual([]);
});
