/** `ygg status` and the facts, on a host with a real daemon. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { consumer, type FakeHost, newHost, startBus, startFakeHost } from '../../helpers/fake-host.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { type YggEnd, ygg } from '../../helpers/ygg.ts';
import { createHome, startYggd } from '../../helpers/yggd.ts';

const scope = fileScope();
const nowhere = { address: 'unix:path=/nonexistent/bus' };
let host: FakeHost;
let connected: string;
let empty: string;

beforeAll(async () => {
  host = await startFakeHost(scope);
  const home = createHome(scope);
  const daemon = startYggd(scope, { home, brokers: ['embedded'] });
  await daemon.says(/connected/i, 30_000);
  connected = home.runtimeDir;
  empty = tempDir(scope);
});

beforeEach(() => host.become(newHost));

function run(...words: string[]): Promise<YggEnd> {
  return ygg(testScope(), { address: host.address }, ...words);
}

describe('status', () => {
  const registered = `RHSM          registered as ${consumer}`;
  const unregistered = 'RHSM          not registered; ygg register does it';
  const running = 'yggd.service  running, enabled';
  const stopped = 'yggd.service  stopped, disabled; ygg register starts it';
  const there = /^broker {8}connected to mqtt:\/\/127\.0\.0\.1:\d+$/;
  const gone = /^broker {8}unknown: no daemon runs$/;

  test.each([
    ['all is well', registered, running, there, 0],
    ['no daemon runs', registered, running, gone, 3],
    ['the unit is stopped', registered, stopped, there, 3],
    ['only the registration holds', registered, stopped, gone, 3],
    ['the host is not registered', unregistered, running, there, 3],
    ['only the unit runs', unregistered, running, gone, 3],
    ['only the broker is there', unregistered, stopped, there, 3],
    ['nothing holds', unregistered, stopped, gone, 3],
  ])('three lines when %s', async (_, rhsm, unit, broker, status) => {
    const up = { file: 'enabled', active: 'active', sub: 'running' };
    const uuid = rhsm === registered ? consumer : '';
    host.become({ ...newHost, uuid, unit: unit === running ? up : newHost.unit });
    const { code, out, err } = await run('status', '--runtime-dir', broker === there ? connected : empty);
    const lines = out.split('\n');
    expect({ code, err, lines }).toEqual({
      code: status,
      err: '',
      lines: [rhsm, unit, expect.stringMatching(broker)],
    });
  });

  test('what cannot be learnt is unknown, each line for itself', async () => {
    const { address } = await startBus(testScope());
    const { code, out } = await ygg(testScope(), { address }, 'status', '--runtime-dir', connected);
    const unknown = (subject: string, service: string): unknown =>
      expect.stringMatching(`^${subject} +unknown: ${service} is not there \\(".*"\\)\\.$`);
    expect({ code, lines: out.split('\n') }).toEqual({
      code: 3,
      lines: [
        unknown('RHSM', 'com.redhat.RHSM1'),
        unknown('yggd.service', 'org.freedesktop.systemd1'),
        expect.stringMatching(there),
      ],
    });
  });

  test('three lines also without a bus', async () => {
    const { code, out, err } = await ygg(testScope(), nowhere, 'status', '--runtime-dir', empty);
    const why = 'unknown: No connection to the system bus: connect ENOENT /nonexistent/bus.';
    expect({ code, out, err }).toEqual({
      code: 3,
      out: `RHSM          ${why}\nyggd.service  ${why}\nbroker        unknown: no daemon runs`,
      err: '',
    });
  });

  test('a service that is silent is unknown after the time it is given', async () => {
    host.become({ ...newHost, silent: ['GetUuid'] });
    const { out } = await run('status', '--timeout', '1s', '--runtime-dir', empty);
    const [rhsm, unit] = out.split('\n');
    expect(rhsm).toBe('RHSM          unknown: com.redhat.RHSM1 did not answer GetUuid within 1 s.');
    expect(unit).toBe(stopped);
  });

  test('is one object for programs', async () => {
    host.become({ ...newHost, uuid: consumer });
    const { code, out } = await run('status', '--format', 'json', '--runtime-dir', connected);
    expect({ code, status: JSON.parse(out) as unknown }).toEqual({
      code: 3,
      status: {
        ok: false,
        rhsm: { state: 'registered', consumer },
        unit: { name: 'yggd.service', state: 'inactive', sub_state: null, file_state: 'disabled' },
        broker: { state: 'connected', url: expect.stringMatching(/^mqtt:/), reason: null },
      },
    });
  });
});

describe('facts', () => {
  test('are those of RHSM, by name', async () => {
    expect(await run('facts')).toEqual({
      code: 0,
      out: 'cpu.cpu(s)         2\ndistribution.name  Fedora Linux\nuname.machine      x86_64',
      err: '',
    });
    expect(JSON.parse((await run('facts', '--format', 'json')).out)).toEqual(newHost.facts);
  });

  test('a service that is missing is a sentence', async () => {
    const { address } = await startBus(testScope());
    expect(await ygg(testScope(), { address }, 'facts')).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^ygg: Reading the facts of RHSM failed: com\.redhat\.RHSM1\.Facts is not there/,
      ),
    });
  });

  test('canonical ones are those the daemon publishes, and need no bus', async () => {
    const folder = tempDir(testScope());
    const config = path.join(folder, 'config.toml');
    const facts = path.join(folder, 'facts.json');
    writeFileSync(config, `facts-file = ${JSON.stringify(facts)}\n`);
    writeFileSync(facts, '{"fqdn":"host.example.com","ip_addresses":["192.0.2.1","192.0.2.2"],"bad":7}');
    const words = ['canonical-facts', '--config', config];
    const { code, out, err } = await ygg(testScope(), nowhere, ...words);
    expect({ code, err }).toEqual({
      code: 0,
      err: `warning: a fact is neither a text nor a list of texts, it is left out (${facts}, bad)`,
    });
    expect(out).toMatch(/^fqdn +host\.example\.com$/m);
    expect(out).toMatch(/^ip_addresses +192\.0\.2\.1, 192\.0\.2\.2$/m);
    const json: unknown = JSON.parse((await ygg(testScope(), nowhere, ...words, '--format', 'json')).out);
    expect(json).toMatchObject({ fqdn: 'host.example.com', ip_addresses: ['192.0.2.1', '192.0.2.2'] });
  });
});
