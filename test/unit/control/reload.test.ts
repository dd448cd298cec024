import { expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { type LeveledLogger, silentLogger } from '../../../src/base/log.ts';
import { optionsWith } from '../../../src/config/load.ts';
import type { Options } from '../../../src/config/options.ts';
import { reload } from '../../../src/control/reload.ts';

const environment = {
  uid: 1000,
  currentDirectory: '/',
  homeDirectory: '/home/u',
  temporaryDirectory: '/tmp',
  variables: {},
};

function rig(options: Partial<Options> = {}) {
  const done: string[] = [];
  const log: LeveledLogger = { ...silentLogger, level: 'info' };
  return {
    done,
    log,
    options: optionsWith(options, environment),
    host: { refresh: async () => void done.push('host') },
    resume: () => void done.push('broker'),
  };
}

test('reads facts and tags again, and returns to the broker', async () => {
  const { done, ...deps } = rig();
  expect(await reload({ ...deps, readOptions: undefined })).toEqual({ applied: [], needRestart: [] });
  expect(done).toEqual(['host', 'broker']);
});

test('takes the log level of the configuration, and names what needs a restart', async () => {
  const deps = rig({ workerWindow: 64 });
  const readOptions = () =>
    optionsWith({ logLevel: 'debug', workerWindow: 8, disconnectHold: 1_000 }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({
    applied: ['log-level'],
    needRestart: ['disconnect-hold', 'worker-window'],
  });
  expect(deps.log.level).toBe('debug');
  const again = await reload({ ...deps, readOptions });
  expect(again.applied).toEqual([]);
});

test('a mistake in the configuration keeps nobody from the broker', async () => {
  const { done, ...deps } = rig();
  const readOptions = (): Options => {
    throw new YggError('YGG_CONFIG', 'config.toml:1:1: brokr');
  };
  await expect(reload({ ...deps, readOptions })).rejects.toMatchObject({ code: 'YGG_CONFIG' });
  expect(done).toEqual(['host', 'broker']);
  expect(deps.log.level).toBe('info');
});

test('a log without a level is left alone', async () => {
  const deps = { ...rig(), log: silentLogger };
  const readOptions = () => optionsWith({ logLevel: 'debug' }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({ applied: [], needRestart: [] });
});
