import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import {
  chooseTarget,
  type LocalDaemon,
  type TargetDeps,
  type TargetOptions,
} from '../../../src/remote/target.ts';

const embedded: LocalDaemon = {
  clientId: 'here',
  topicPrefix: 'redhat/insights',
  brokers: ['mqtt://127.0.0.1:1'],
  login: { username: 'yggd', password: 'secret' },
  caRoots: [],
};
const configured: LocalDaemon = {
  clientId: 'here',
  topicPrefix: 'p',
  brokers: ['mqtts://one', 'mqtts://two'],
  certFile: '/etc/here.pem',
  keyFile: '/etc/here.key',
  caRoots: ['/etc/ca.pem'],
};

/** Files with "here" in their names are the host's. */
function loadTls({ certFile, keyFile, caRoot }: Parameters<TargetDeps['loadTls']>[0]) {
  return {
    cert: certFile === undefined ? undefined : Buffer.from(certFile),
    key: keyFile === undefined ? undefined : Buffer.from(keyFile),
    ca: caRoot,
    commonName: certFile === undefined ? '' : certFile.includes('here') ? 'here' : 'operator',
  };
}

const none = { cert: undefined, key: undefined, commonName: '' };

function choose(options: TargetOptions, daemon: LocalDaemon | undefined) {
  const warnings: string[] = [];
  const target = chooseTarget(options, {
    findDaemon: () => {
      if (!daemon) throw new YggError('YGG_NOT_RUNNING', 'none');
      return daemon;
    },
    loadTls,
    warn: (sentence) => warnings.push(sentence),
  });
  return { ...target, warnings };
}

test('the daemon of this machine is the default', () => {
  expect(choose({}, embedded)).toEqual({
    host: 'here',
    topicPrefix: 'redhat/insights',
    brokers: ['mqtt://127.0.0.1:1'],
    username: 'yggd',
    password: 'secret',
    tls: { ...none, ca: [] },
    warnings: [],
  });
});

test('with a host and a broker no daemon is needed', () => {
  expect(choose({ to: 'far', broker: 'mqtt://b' }, undefined)).toMatchObject({
    host: 'far',
    topicPrefix: 'yggdrasil',
    brokers: ['mqtt://b'],
  });
});

test('with a broker alone the daemon says who is meant, and nothing else', () => {
  const target = choose({ broker: 'mqtt://b' }, configured);
  expect(target).toMatchObject({ host: 'here', topicPrefix: 'p', brokers: ['mqtt://b'], tls: { ca: [] } });
  expect(choose({ broker: 'mqtt://b' }, embedded)).toMatchObject({
    username: undefined,
    password: undefined,
  });
});

test('another host is not on the embedded broker', () => {
  expect(() => choose({ to: 'far' }, embedded)).toThrow(expect.objectContaining({ code: 'YGG_USAGE' }));
});

describe('certificates', () => {
  test("the daemon's is used, with a warning when it is the target's", () => {
    const target = choose({}, configured);
    expect(target.tls).toMatchObject({
      cert: Buffer.from('/etc/here.pem'),
      key: Buffer.from('/etc/here.key'),
      ca: ['/etc/ca.pem'],
    });
    expect(target.warnings).toEqual([
      expect.stringContaining('/etc/here.pem is the certificate of here itself'),
    ]);
    expect(choose({ to: 'far' }, configured).warnings).toEqual([]);
  });

  test('one of your own goes first', () => {
    const target = choose({ certFile: 'me.pem', keyFile: 'me.key', caRoot: ['ca.pem'] }, configured);
    expect(target.tls).toMatchObject({
      cert: Buffer.from('me.pem'),
      key: Buffer.from('me.key'),
      ca: ['ca.pem'],
    });
    expect(target.warnings).toEqual([]);
  });

  test('a certificate needs its key', () => {
    expect(() => choose({ certFile: 'me.pem' }, embedded)).toThrow(/--key-file/);
  });
});
