/** `ygg unregister`: the way back. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { consumer, type FakeHost, type FakeState, newHost, startFakeHost } from '../../helpers/fake-host.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { type YggEnd, ygg } from '../../helpers/ygg.ts';

const scope = fileScope();
const registered: FakeState = {
  ...newHost,
  uuid: consumer,
  unit: { file: 'enabled', active: 'active', sub: 'running' },
};
let host: FakeHost;

beforeAll(async () => {
  host = await startFakeHost(scope);
});

beforeEach(() => host.become(registered));

function run(...words: string[]): Promise<YggEnd> {
  return ygg(testScope(), { address: host.address }, ...words);
}

test('stops, disables and unregisters, the service first', async () => {
  expect(await run('unregister')).toEqual({
    code: 0,
    out: [
      'yggd.service  stopped',
      'yggd.service  disabled',
      `RHSM          unregistered, was ${consumer}`,
    ].join('\n'),
    err: '',
  });
  expect(host.calls('StopUnit', 'DisableUnitFiles', 'Reload', 'Unregister')).toEqual([
    ['StopUnit', 'yggd.service', 'replace'],
    ['DisableUnitFiles', ['yggd.service'], false],
    ['Reload'],
    ['Unregister', {}, ''],
  ]);
});

test('says each step of a host on which all is done, under its other name too', async () => {
  host.become(newHost);
  expect(await run('disconnect')).toEqual({
    code: 0,
    out: [
      'yggd.service  already stopped',
      'yggd.service  already disabled',
      'RHSM          already unregistered',
    ].join('\n'),
    err: '',
  });
  expect(host.calls('StopUnit', 'Reload', 'Unregister')).toEqual([]);
});

test('a service that is not installed is stopped and disabled', async () => {
  host.become({ ...registered, unit: { file: '', active: 'inactive', sub: '' } });
  expect(await run('unregister')).toMatchObject({ code: 0, err: '' });
  expect(host.state.uuid).toBe('');
});

test('one step that fails stops no other, and all failures are told', async () => {
  const refuse = { Unregister: ['com.redhat.RHSM1.Error', '{"message":"Gone"}'] } as const;
  host.become({ ...registered, job: 'timeout', refuse });
  const lookAtUnit = 'See `systemctl status yggd.service` and `journalctl -u yggd.service`.';
  expect(await run('unregister')).toEqual({
    code: 1,
    out: 'yggd.service  disabled',
    err: [
      `ygg: Stopping yggd.service failed: The stop of yggd.service ended as "timeout". ${lookAtUnit}`,
      'ygg: Unregistering with RHSM failed: RHSM answered "Gone". It may be gone from the server already: `subscription-manager clean` forgets it here.',
    ].join('\n'),
  });
});

test.each([
  [
    'no answer',
    { silent: ['Unregister'] },
    'Unregistering with RHSM failed: com.redhat.RHSM1 did not answer',
  ],
  [
    'another user',
    { refuse: { StopUnit: ['org.freedesktop.DBus.Error.AccessDenied', ''] } },
    'Stopping yggd.service failed: org.freedesktop.systemd1 does not allow it to this user (AccessDenied). Run this as root.',
  ],
] as const)('%s is a sentence', async (_, state, sentence) => {
  host.become({ ...registered, ...state });
  const { code, err } = await run('unregister', '--timeout', '1s');
  expect(code).not.toBe(0);
  expect(err).toContain(sentence);
});

test('tells programs each step', async () => {
  const { out } = await run('unregister', '--format', 'json');
  expect(out.split('\n').map((line): unknown => JSON.parse(line))).toEqual([
    { step: 'stop', state: 'done' },
    { step: 'disable', state: 'done' },
    { step: 'unregister', state: 'done', consumer },
  ]);
});
