import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { WorkerWatch } from '../../../src/process/worker-watch.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';

let scope: Scope;
let folder: string;
let changes: number;

beforeEach(() => {
  scope = testScope();
  folder = tempDir(scope);
  changes = 0;
});

function watching(clock: Clock, paths = [folder]): WorkerWatch {
  const watch = new WorkerWatch({ paths, clock, log: silentLogger, onChange: () => (changes += 1) });
  scope.defer(() => watch.close());
  return watch;
}

test('looks once when it is ready, and at every change after it', async () => {
  const file = path.join(folder, 'file');
  await watching(systemClock).open();
  expect(changes).toBe(1);
  writeFileSync(file, '');
  await waitFor(() => changes === 2, { what: 'change after a write' });
  rmSync(file);
  await waitFor(() => changes === 3, { what: 'change after a removal' });
});

test('takes changes that come together as one', async () => {
  await watching(systemClock).open();
  for (let file = 0; file < 20; file += 1) writeFileSync(path.join(folder, `${file}`), '');
  await waitFor(() => changes > 1, { what: 'change' });
  expect(changes).toBeLessThan(5);
});

test('waits for a directory that is not there yet, and again when it has gone', async () => {
  const late = path.join(folder, 'a/late');
  await watching(systemClock, [late]).open();
  for (let round = 0; round < 2; round += 1) {
    mkdirSync(late, { recursive: true });
    const file = path.join(late, 'file');
    // How often it looks until the directory itself is watched is its own affair.
    await waitFor(
      async () => {
        const before = changes;
        writeFileSync(file, `${changes}`);
        return await waitFor(() => changes > before, { what: 'change', deadline: 500 }).catch(() => false);
      },
      { what: 'change in the directory' },
    );
    const before = changes;
    rmSync(path.join(folder, 'a'), { recursive: true });
    await waitFor(() => changes > before, { what: 'change after the removal' });
  }
});

test('looks every ten seconds, whatever the watcher sees', async () => {
  const clock = new HandClock();
  await watching(clock).open();
  clock.wind(30_000);
  expect(changes).toBe(4);
});

test('looks again soon when it is asked to, once', async () => {
  const clock = new HandClock();
  const watch = watching(clock);
  await watch.open();
  watch.lookSoon(300);
  watch.lookSoon(300);
  clock.wind(299);
  expect(changes).toBe(1);
  clock.wind(1);
  expect(changes).toBe(2);
  watch.lookSoon(300);
  clock.wind(300);
  expect(changes).toBe(3);
});

test('is quiet after it was closed, also while it was opening', async () => {
  const clock = new HandClock();
  const watch = watching(clock);
  const opening = watch.open();
  await watch.close();
  await opening;
  watch.lookSoon(300);
  clock.wind(60_000);
  writeFileSync(path.join(folder, 'file'), '');
  await stays(() => changes > 0, { what: 'a look', span: 100 });
  expect(clock.waits).toEqual([]);
});
