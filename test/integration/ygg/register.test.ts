/** `ygg register` against RHSM and systemd as they are on D-Bus. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { consumer, type FakeHost, newHost, startBus, startFakeHost } from '../../helpers/fake-host.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { startYgg, type YggEnd, ygg } from '../../helpers/ygg.ts';

const scope = fileScope();
const password = 'correct horse';
const account = ['--username', 'alice', '--password-stdin'];
let host: FakeHost;

beforeAll(async () => {
  host = await startFakeHost(scope);
});

beforeEach(() => host.become(newHost));

function run(...words: string[]): Promise<YggEnd> {
  return ygg(testScope(), { address: host.address, stdin: `${password}\n` }, 'register', ...words);
}

describe('on a host that is new', () => {
  test('registers, enables, starts, and says each', async () => {
    expect(await run(...account)).toEqual({
      code: 0,
      out: [
        `RHSM          registered as ${consumer} with acme`,
        'yggd.service  enabled',
        'yggd.service  started',
      ].join('\n'),
      err: '',
    });
    expect(host.calls('Register')).toEqual([['Register', 'acme', 'alice', password, {}, {}, '']]);
    expect(host.calls('EnableUnitFiles', 'Reload', 'StartUnit')).toEqual([
      ['EnableUnitFiles', ['yggd.service'], false, false],
      ['Reload'],
      ['StartUnit', 'yggd.service', 'replace'],
    ]);
    expect(host.calls('Start', 'Stop').map(([member]) => member)).toEqual(['Start', 'Stop']);
    expect(host.state).toMatchObject({ uuid: consumer, unit: { file: 'enabled', active: 'active' } });
  });

  test('registers with activation keys, in their order', async () => {
    const keys = ['-o', 'acme', '-a', 'web', '--activation-key', 'eu'];
    expect(await run(...keys)).toMatchObject({ code: 0, err: '' });
    const call = ['RegisterWithActivationKeys', 'acme', ['web', 'eu'], {}, {}, ''];
    expect(host.calls('RegisterWithActivationKeys')).toEqual([call]);
    expect(host.calls('Register', 'GetOrgs')).toEqual([]);
  });

  test('connect is another name, and the language goes along', async () => {
    const env = { LC_ALL: 'de_DE.UTF-8' };
    const options = { address: host.address, stdin: password, env };
    expect(await ygg(testScope(), options, 'connect', ...account)).toMatchObject({ code: 0 });
    expect(host.calls('GetUuid')[0]).toEqual(['GetUuid', 'de_DE.UTF-8']);
  });

  test('tells programs each step as an object', async () => {
    const { code, out } = await run(...account, '--format', 'json');
    expect({ code, steps: out.split('\n').map((line): unknown => JSON.parse(line)) }).toEqual({
      code: 0,
      steps: [
        { step: 'register', state: 'done', consumer, organization: 'acme' },
        { step: 'enable', state: 'done' },
        { step: 'start', state: 'done' },
      ],
    });
  });

  test('finds the end of a job that is over before its number is told', async () => {
    host.become({ ...newHost, hasty: true });
    expect(await run(...account)).toMatchObject({ code: 0, err: '' });
  });

  test('reaches a private connection with an abstract address, and leaves nothing of the way there', async () => {
    host.become({ ...newHost, abstract: true });
    const TMPDIR = tempDir(testScope());
    const options = { address: host.address, stdin: password, env: { TMPDIR } };
    expect(await ygg(testScope(), options, 'register', ...account)).toMatchObject({ code: 0, err: '' });
    expect(host.state.uuid).toBe(consumer);
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  test('a password on the command line is seen by nobody who lists processes', async () => {
    host.become({ ...newHost, silent: ['GetOrgs'] });
    const child = startYgg(testScope(), { address: host.address }, 'register', '-u', 'alice', '-p', password);
    await waitFor(() => host.calls('GetOrgs').length > 0, { what: 'call', detail: () => child.output });
    expect(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1')).toMatch(/^ygg\0*$/);
  });
});

describe('on a host where something is done already', () => {
  test('goes on after a registration, without asking who', async () => {
    host.become({ ...newHost, uuid: consumer });
    expect(await run()).toEqual({
      code: 0,
      out: [
        `RHSM          already registered as ${consumer}`,
        'yggd.service  enabled',
        'yggd.service  started',
      ].join('\n'),
      err: '',
    });
    expect(host.calls('Start', 'Register')).toEqual([]);
  });

  test('says that there was nothing to do', async () => {
    const unit = { file: 'enabled', active: 'active', sub: 'running' };
    host.become({ ...newHost, uuid: consumer, unit });
    const { code, out } = await run();
    expect({ code, lines: out.split('\n').slice(1) }).toEqual({
      code: 0,
      lines: ['yggd.service  already enabled', 'yggd.service  already running'],
    });
    expect(host.calls('StartUnit', 'Reload')).toEqual([]);
  });

  test('leaves the server of a registered host alone, and says so', async () => {
    host.become({ ...newHost, uuid: consumer });
    const { code, err } = await run('--server', 'https://rhsm.example.com');
    expect({ code, err }).toEqual({
      code: 0,
      err: 'warning: RHSM keeps its server while it is registered; run ygg unregister before --server.',
    });
    expect(host.calls('Set')).toEqual([]);
  });
});

describe('with --server', () => {
  function rhsmConfig(): string {
    const file = path.join(tempDir(testScope()), 'rhsm.conf');
    writeFileSync(file, '[server]\nhostname = before\n', { mode: 0o640 });
    return file;
  }

  test('keeps a copy, once, then sets host, port and prefix', async () => {
    const file = rhsmConfig();
    const words = [...account, '--rhsm-config', file, '--server'];
    const { code, out } = await run(...words, 'https://rhsm.example.com:8443/rhsm/');
    expect({ code, first: out.split('\n')[0] }).toEqual({
      code: 0,
      first: `RHSM          server set to rhsm.example.com:8443/rhsm; ${file}.orig is as it was before`,
    });
    const set = (name: string, value: string): unknown[] => ['Set', `server.${name}`, value, ''];
    const values = [set('hostname', 'rhsm.example.com'), set('port', '8443'), set('prefix', '/rhsm')];
    expect(host.calls('Set')).toEqual(values);
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe('[server]\nhostname = before\n');
    expect(statSync(`${file}.orig`).mode & 0o777).toBe(0o640);

    writeFileSync(file, 'changed since');
    host.become(newHost);
    expect(await run(...words, 'other.example.com')).toMatchObject({ code: 0 });
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe('[server]\nhostname = before\n');
    const usual = [set('hostname', 'other.example.com'), set('port', '443'), set('prefix', '/subscription')];
    expect(host.calls('Set')).toEqual(usual);
  });

  test('changes nothing when no copy can be made', async () => {
    const file = path.join(tempDir(testScope()), 'rhsm.conf', 'below-a-file');
    writeFileSync(path.dirname(file), '');
    const { code, err } = await run(...account, '--rhsm-config', file, '--server', 'rhsm.example.com');
    expect(code).toBe(78);
    expect(err).toMatch(/^ygg: Setting the server of RHSM failed: .* Nothing was changed\.$/);
    expect(host.calls('Set', 'Register')).toEqual([]);
  });
});

describe('who registers', () => {
  const several = [
    { key: 'acme', displayName: 'Acme Inc.' },
    { key: 'labs', displayName: '' },
  ];

  test('of several organizations one has to be named', async () => {
    host.become({ ...newHost, organizations: several });
    expect(await run(...account)).toEqual({
      code: 2,
      out: '',
      err: 'ygg: alice belongs to several organizations: acme (Acme Inc.), labs. Name one with --organization.',
    });
    expect(host.calls('Register')).toEqual([]);
    expect(host.calls('Stop')).toHaveLength(1);
    expect(await run(...account, '-o', 'labs')).toMatchObject({ code: 0 });
    expect(host.calls('Register')[0]?.[1]).toBe('labs');
  });

  test('a user without an organization cannot register', async () => {
    host.become({ ...newHost, organizations: [] });
    expect(await run(...account)).toMatchObject({
      code: 1,
      err: 'ygg: alice belongs to no organization; ask the administrator of the server to change that.',
    });
  });

  test('without a terminal, what is missing is asked for in a sentence', async () => {
    expect(await run()).toEqual({
      code: 2,
      out: '',
      err: 'ygg: There is no terminal to ask at: give --username and --password-stdin, or --organization and --activation-key.',
    });
    expect(host.calls('Start', 'StartUnit')).toEqual([]);
  });
});

describe('failures say the step, the answer, and what to do', () => {
  const rhsmError = (message: string): [string, string] => [
    'com.redhat.RHSM1.Error',
    JSON.stringify({ exception: 'E', severity: 'error', message }),
  ];
  const running = { ...newHost, uuid: consumer };
  const lookAtUnit = 'See `systemctl status yggd.service` and `journalctl -u yggd.service`.';

  test.each([
    [
      'a wrong password',
      { users: { alice: 'other' } },
      1,
      'Registering with RHSM failed: RHSM answered "Invalid Credentials". Check the user name, the password, the organization and the server.',
    ],
    [
      'a refusal that is no JSON',
      { refuse: { Register: ['com.redhat.RHSM1.Error', 'out of order'] } },
      1,
      'Registering with RHSM failed: RHSM answered "out of order". Check the user name, the password, the organization and the server.',
    ],
    [
      'a fault of RHSM',
      {
        refuse: { Register: ['org.freedesktop.DBus.Python.KeyError', 'Traceback:\n  line 7\nKeyError: x\n'] },
      },
      1,
      'Registering with RHSM failed: RHSM answered "KeyError: x". Check the user name, the password, the organization and the server.',
    ],
    [
      'a refusal with control characters',
      { refuse: { Register: rhsmError('a\u001b[2Jb') } },
      1,
      'Registering with RHSM failed: RHSM answered "a\\u001b[2Jb". Check the user name, the password, the organization and the server.',
    ],
    [
      'another user',
      { refuse: { GetUuid: ['org.freedesktop.DBus.Error.AccessDenied', 'no'] } },
      1,
      'Asking RHSM failed: com.redhat.RHSM1 does not allow it to this user ("no"). Run this as root.',
    ],
    [
      'an older RHSM',
      { refuse: { GetOrgs: ['org.freedesktop.DBus.Error.UnknownMethod', 'what?'] } },
      1,
      'Registering with RHSM failed: com.redhat.RHSM1 is of a version that does not know this ("what?"). Install subscription-manager, or update it, then run this again.',
    ],
    [
      'a service that cannot be started',
      { refuse: { GetUuid: ['org.freedesktop.DBus.Error.Spawn.ChildExited', ''] } },
      1,
      'Asking RHSM failed: com.redhat.RHSM1 is not there (Spawn.ChildExited). Install subscription-manager, or update it, then run this again.',
    ],
    [
      'no answer',
      { silent: ['Register'] },
      75,
      'Registering with RHSM failed: com.redhat.RHSM1 did not answer Register within 1 s. See `journalctl -u rhsm`, then run this again; --timeout waits longer.',
    ],
    [
      'a private connection that is not there',
      { address: 'unix:path=/nonexistent/bus' },
      75,
      "Registering with RHSM failed: No connection to RHSM's private connection: connect ENOENT /nonexistent/bus. See `systemctl status dbus rhsm`, then run this again.",
    ],
    [
      'an abstract private connection that is not there',
      { address: 'unix:abstract=/nonexistent/bus' },
      75,
      "Registering with RHSM failed: No connection to RHSM's private connection: it closed the connection. See `systemctl status dbus rhsm`, then run this again.",
    ],
    [
      'a private connection nobody can use',
      { address: 'tcp:host=localhost' },
      75,
      'Registering with RHSM failed: "tcp:host=localhost" is no D-Bus address that can be used; one looks like unix:path=/run/dbus/system_bus_socket. See `systemctl status dbus rhsm`, then run this again.',
    ],
    [
      'a unit that is not installed',
      { ...running, unit: { file: '', active: 'inactive', sub: '' } },
      1,
      `Enabling yggd.service failed: yggd.service is not installed; install the package it comes in. ${lookAtUnit}`,
    ],
    [
      'a unit that is masked',
      { ...running, unit: { file: 'masked', active: 'inactive', sub: '' } },
      1,
      `Enabling yggd.service failed: systemd answered "Unit file /etc/systemd/system/yggd.service is masked". ${lookAtUnit}`,
    ],
    [
      'a unit that cannot be enabled',
      { ...running, unit: { file: 'static', active: 'inactive', sub: '' } },
      1,
      `Enabling yggd.service failed: yggd.service has no [Install] section, so that it cannot be enabled; install its package again. ${lookAtUnit}`,
    ],
    [
      'a start that fails',
      { ...running, job: 'failed' },
      1,
      `Starting yggd.service failed: The start of yggd.service ended as "failed". ${lookAtUnit}`,
    ],
    [
      'a start that does not end',
      { ...running, job: 'never' },
      75,
      'Starting yggd.service failed: The start of yggd.service did not end within 3000 ms. See `systemctl status yggd.service`; it may still end.',
    ],
    [
      'systemd that is silent',
      { ...running, silent: ['EnableUnitFiles'] },
      75,
      'Enabling yggd.service failed: org.freedesktop.systemd1 did not answer EnableUnitFiles within 1 s. See `systemctl status yggd.service`, then run this again.',
    ],
  ] as const)('%s', async (_, state, code, sentence) => {
    host.become({ ...newHost, ...state });
    const { out: _out, ...end } = await run(...account, '--timeout', '1s');
    expect(end).toEqual({ code, err: `ygg: ${sentence}` });
  });

  test('activation keys that do not exist', async () => {
    expect(await run('-o', 'acme', '-a', 'wrong')).toMatchObject({
      code: 1,
      err: 'ygg: Registering with RHSM failed: RHSM answered "None of the activation keys specified exist for this org". Check the organization, the activation keys and the server.',
    });
  });

  test('RHSM that dies in the middle is noticed at once', async () => {
    const mortal = await startFakeHost(testScope());
    mortal.become({ ...newHost, deadly: ['Register'] });
    const options = { address: mortal.address, stdin: password };
    expect(await ygg(testScope(), options, 'register', ...account)).toMatchObject({
      code: 75,
      err: "ygg: Registering with RHSM failed: No connection to RHSM's private connection: it closed the connection. See `systemctl status dbus rhsm`, then run this again.",
    });
  });

  test('a host without RHSM, and one without a bus', async () => {
    const { address } = await startBus(testScope());
    expect(await ygg(testScope(), { address }, 'register')).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^ygg: Asking RHSM failed: com\.redhat\.RHSM1 is not there \(".*"\)\. Install subscription-manager, or update it, then run this again\.$/,
      ),
    });
    expect(await ygg(testScope(), { address: 'unix:path=/nonexistent/bus' }, 'register')).toEqual({
      code: 75,
      out: '',
      err: 'ygg: No connection to the system bus: connect ENOENT /nonexistent/bus. Start it with `systemctl start dbus`, or name its address in DBUS_SYSTEM_BUS_ADDRESS.',
    });
  });

  test('an abstract address without the program that reaches it', async () => {
    host.become({ ...newHost, abstract: true });
    const options = { address: host.address, stdin: password, env: { PATH: '/nonexistent' } };
    expect(await ygg(testScope(), options, 'register', ...account)).toMatchObject({
      code: 75,
      err: expect.stringContaining(
        'is an abstract socket, and systemd-stdio-bridge, which reaches it, is not there',
      ),
    });
  });

  test('programs see which step failed', async () => {
    host.become({ ...newHost, users: {} });
    const { out } = await run(...account, '--format', 'json');
    expect(JSON.parse(out)).toEqual({ step: 'register', state: 'failed' });
  });
});
