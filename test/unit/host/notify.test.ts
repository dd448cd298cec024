import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createNotifier } from '../../../src/host/notify.ts';

test('without a manager nothing is run', async () => {
  const run = (): Promise<void> => Promise.reject(new Error('must not run'));
  await createNotifier({ socket: undefined, run, log: silentLogger }).ready();
});

test('each word goes through systemd-notify', async () => {
  const said: string[] = [];
  const run = (program: string, words: readonly string[]): Promise<void> => {
    said.push([program, ...words].join(' '));
    return Promise.resolve();
  };
  const notifier = createNotifier({ socket: '/run/systemd/notify', run, log: silentLogger });
  await notifier.ready();
  await notifier.stopping();
  expect(said).toEqual(['systemd-notify READY=1', 'systemd-notify STOPPING=1']);
});

test('a word that cannot be said is a warning', async () => {
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: unknown) => warnings.push(fields) };
  const run = (): Promise<void> => Promise.reject(new Error('not found'));
  await createNotifier({ socket: '/x', run, log }).ready();
  expect(warnings).toEqual([{ word: 'READY=1', error: 'not found' }]);
});
