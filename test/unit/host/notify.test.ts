import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createNotifier, type NotifierDeps } from '../../../src/host/notify.ts';

const deps: NotifierDeps = {
  socket: '/run/systemd/notify',
  run: () => Promise.resolve(),
  uptime: () => 1_234_567n,
  log: silentLogger,
};

test('without a manager nothing is run', async () => {
  const run = (): Promise<void> => Promise.reject(new Error('must not run'));
  const notifier = createNotifier({ ...deps, socket: undefined, run });
  expect(notifier.heard).toBe(false);
  await notifier.ready();
});

test('every word goes through systemd-notify', async () => {
  const said: string[] = [];
  const run = async (program: string, words: readonly string[]): Promise<void> =>
    void said.push([program, ...words].join(' '));
  const notifier = createNotifier({ ...deps, run });
  await notifier.ready();
  await notifier.reloading();
  await notifier.alive();
  await notifier.status('Connected');
  await notifier.stopping();
  expect(said.map((words) => words.replace(/^systemd-notify /, ''))).toEqual([
    'READY=1',
    'RELOADING=1 MONOTONIC_USEC=1234567',
    'WATCHDOG=1',
    'STATUS=Connected',
    'STOPPING=1',
  ]);
});

test('words are said one at a time, in order, however long each takes', async () => {
  const ends: Array<() => void> = [];
  const said: string[] = [];
  const run = (_program: string, [word = '']: readonly string[]): Promise<void> => {
    said.push(word);
    return new Promise((resolve) => ends.push(resolve));
  };
  const notifier = createNotifier({ ...deps, run });
  const told = [notifier.ready(), notifier.stopping()];
  await Promise.resolve();
  expect(said).toEqual(['READY=1']);
  ends[0]?.();
  await told[0];
  await Promise.resolve();
  expect(said).toEqual(['READY=1', 'STOPPING=1']);
  ends[1]?.();
  await told[1];
});

test('a word that cannot be said is a warning, and a hundred are one', async () => {
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: unknown) => warnings.push(fields) };
  let works = false;
  const run = (): Promise<void> => (works ? Promise.resolve() : Promise.reject(new Error('not found')));
  const notifier = createNotifier({ ...deps, run, log });
  for (let n = 0; n < 100; n += 1) await notifier.alive();
  expect(warnings).toEqual([{ word: 'WATCHDOG=1', error: 'not found' }]);
  works = true;
  await notifier.alive();
  works = false;
  await notifier.alive();
  expect(warnings).toHaveLength(2);
});
