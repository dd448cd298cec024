import { expect, test } from 'vitest';
import { type BrokerAccess, type DaemonLookup, findLocalDaemon } from '../../../src/remote/local-daemon.ts';
import type { LocalDaemon } from '../../../src/remote/target.ts';

const accessOf = (clientId: string): BrokerAccess => ({
  url: `mqtt://${clientId}`,
  username: 'u',
  password: 'p',
  clientId,
  topicPrefix: 'yggdrasil',
});

function find(
  lookup: DaemonLookup,
  running: readonly string[],
  brokers: readonly string[] = [],
): LocalDaemon {
  return findLocalDaemon(lookup, {
    runtimeDirs: ['/clone', '/run/yggdrasil'],
    readAccess: (dir) => (running.includes(dir) ? accessOf(dir) : undefined),
    readConfig: (file = '/etc/config.toml') => ({
      daemon: { clientId: `configured by ${file}`, topicPrefix: 'p', brokers, caRoots: [] },
      source: file,
    }),
  });
}

test('the likeliest that runs is found', () => {
  expect(find({}, ['/run/yggdrasil', '/clone']).clientId).toBe('/clone');
  expect(find({}, ['/run/yggdrasil'], ['mqtts://b'])).toEqual({
    clientId: '/run/yggdrasil',
    topicPrefix: 'yggdrasil',
    brokers: ['mqtt:///run/yggdrasil'],
    login: { username: 'u', password: 'p' },
    caRoots: [],
  });
});

test('else the one that is configured', () => {
  expect(find({}, [], ['mqtts://b']).clientId).toBe('configured by /etc/config.toml');
});

test('a runtime directory that is named is the only one', () => {
  expect(find({ runtimeDir: '/other' }, ['/other', '/clone']).clientId).toBe('/other');
  expect(() => find({ runtimeDir: '/other' }, ['/clone'], ['mqtts://b'])).toThrow(/looked in \/other\./);
});

test('a configuration that is named is the only one', () => {
  expect(find({ config: 'my.toml' }, ['/clone'], ['mqtts://b']).clientId).toBe('configured by my.toml');
});

test('none is said with the places it was looked for', () => {
  expect(() => find({}, [], ['embedded'])).toThrow(
    expect.objectContaining({
      code: 'YGG_NOT_RUNNING',
      message: expect.stringContaining('/clone, /run/yggdrasil, /etc/config.toml'),
    }),
  );
});
