import { expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { type LeveledLogger, silentLogger } from '../../../src/base/log.ts';
import { LiveOptions } from '../../../src/config/live-options.ts';
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

const none = { applied: [], needRestart: [] };

function rig(options: Partial<Options> = {}) {
  const done: string[] = [];
  const log: LeveledLogger = { ...silentLogger, level: 'info' };
  return {
    done,
    log,
    live: new LiveOptions(optionsWith(options, environment)),
    host: { refresh: async () => void done.push('host') },
    certificates: {
      refresh(files?: Options): boolean {
        done.push(files ? `certificates ${files.certFile}` : 'certificates');
        return files?.certFile !== '/bad.pem';
      },
    },
    resume: () => void done.push('broker'),
    onApplied: (fields: ReadonlySet<string>) => void done.push(...fields),
  };
}

test('reads facts, tags and certificates again, and returns to the broker', async () => {
  const { done, ...deps } = rig();
  expect(await reload({ ...deps, readOptions: undefined })).toEqual(none);
  expect(done).toEqual(['host', 'certificates', 'broker']);
});

test('what can be changed holds at once and is named, and so is what needs a restart', async () => {
  const { done, ...deps } = rig({ workerWindow: 64, topicPrefix: 'old' });
  const { now } = deps.live;
  const readOptions = () =>
    optionsWith({ logLevel: 'debug', workerWindow: 8, topicPrefix: 'new' }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({
    applied: ['worker-window', 'log-level'],
    needRestart: ['topic-prefix'],
  });
  expect(deps.log.level).toBe('debug');
  expect([now.workerWindow, now.topicPrefix]).toEqual([8, 'old']);
  expect(done.slice(3)).toEqual(['workerWindow', 'logLevel']);
  expect(await reload({ ...deps, readOptions })).toEqual({ applied: [], needRestart: ['topic-prefix'] });
  const back = await reload({ ...deps, readOptions: () => optionsWith({ topicPrefix: 'old' }, environment) });
  expect(back).toEqual({ applied: ['worker-window', 'log-level'], needRestart: [] });
});

test('a level that was set by hand ends with a reload', async () => {
  const deps = rig();
  deps.log.level = 'trace';
  const readOptions = () => optionsWith({}, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({ ...none, applied: ['log-level'] });
  expect(deps.log.level).toBe('info');
});

test('another tags file is read', async () => {
  const { done, ...deps } = rig();
  const readOptions = () => optionsWith({ tagsFile: '/tags.toml' }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({ ...none, applied: ['tags-file'] });
  expect(done).toEqual(['host', 'certificates', 'broker', 'host', 'tagsFile']);
});

test.each([
  ['/good.pem', ['cert-file', 'key-file'], []],
  ['/bad.pem', [], ['cert-file', 'key-file']],
])('other certificates are in use when they can be: %s', async (certFile, applied, needRestart) => {
  const { done, ...deps } = rig({ certFile: '/old.pem', keyFile: '/old.key' });
  const readOptions = () => optionsWith({ certFile, keyFile: '/key.pem' }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual({ applied, needRestart });
  expect(done).toContain(`certificates ${certFile}`);
});

test('a mistake in the configuration keeps nobody from the broker', async () => {
  const { done, ...deps } = rig();
  const readOptions = (): Options => {
    throw new YggError('YGG_CONFIG', 'config.toml:1:1: brokr');
  };
  await expect(reload({ ...deps, readOptions })).rejects.toMatchObject({ code: 'YGG_CONFIG' });
  expect(done).toEqual(['host', 'certificates', 'broker']);
  expect(deps.log.level).toBe('info');
});

test('a log without a level is left alone', async () => {
  const deps = { ...rig(), log: silentLogger };
  const readOptions = () => optionsWith({ logLevel: 'debug' }, environment);
  expect(await reload({ ...deps, readOptions })).toEqual(none);
});
