/** What ygg relies on, or guards against, in dbus-next and around it; an upgrade that changes it is noticed here. */
import { connect } from 'node:net';
import path from 'node:path';
import { Message, MessageType, sessionBus } from 'dbus-next';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Child } from '../../helpers/child.ts';
import { type FakeHost, newHost, startFakeHost } from '../../helpers/fake-host.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { startYgg } from '../../helpers/ygg.ts';

const scope = fileScope();
const root = path.resolve(import.meta.dirname, '../../..');
let host: FakeHost;

beforeAll(async () => {
  host = await startFakeHost(scope);
});

beforeEach(() => host.become(newHost));

function call(object: string, member: string): Message {
  const service = 'com.redhat.RHSM1';
  const target = { destination: service, path: `/com/redhat/RHSM1/${object}` };
  return new Message({ ...target, interface: `${service}.${object}`, member, signature: 's', body: [''] });
}

/** The address of a private connection, as RHSM tells it. */
async function privateAddress(): Promise<string> {
  const bus = sessionBus({ busAddress: host.address });
  testScope().defer(() => bus.disconnect());
  const reply = await bus.call(call('RegisterServer', 'Start'));
  return String(reply?.body[0]);
}

test('without a bus driver, Hello fails where nobody can catch it and ends the process', async () => {
  const script = `import { sessionBus } from 'dbus-next';
    const bus = sessionBus({ busAddress: ${JSON.stringify(await privateAddress())} });
    bus.on('error', (error) => console.log(error.type));
    setTimeout(() => process.exit(0), 20_000);`;
  const words = ['--input-type=module', '-e', script];
  const child = new Child(testScope(), process.execPath, words, { cwd: root });
  expect((await child.ended(20_000)).code, child.output).toBe(1);
  expect(child.stdout).toEqual(['org.freedesktop.DBus.Error.UnknownMethod']);
  expect(child.output).toContain('UnknownMethod');
});

test('the library waits for an answer for ever', async () => {
  host.become({ ...newHost, silent: ['GetUuid'] });
  const bus = sessionBus({ busAddress: host.address });
  testScope().defer(() => bus.disconnect());
  let settled = false;
  bus.call(call('Consumer', 'GetUuid')).finally(() => {
    settled = true;
  });
  await waitFor(() => host.calls('GetUuid').length > 0, { what: 'call' });
  await stays(() => settled, { what: 'an answer', span: 300 });
});

test('signals of everybody arrive, so that their sender has to be looked at', async () => {
  host.become({ ...newHost, job: 'never' });
  const words = ['register', '-u', 'alice', '-p', 'correct horse', '--timeout', '2s'];
  const child = startYgg(testScope(), { address: host.address }, ...words);
  await waitFor(() => host.calls('StartUnit').length > 0, { what: 'job', detail: () => child.output });
  const seen: unknown[] = [];
  const bus = sessionBus({ busAddress: host.address });
  testScope().defer(() => bus.disconnect());
  bus.on('message', (message) => {
    if (message.type === MessageType.SIGNAL && message.member === 'JobRemoved') seen.push(message.sender);
  });
  const manager = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };
  const driver = 'org.freedesktop.DBus';
  const list = { destination: driver, path: '/org/freedesktop/DBus', interface: driver, member: 'ListNames' };
  const names: unknown = (await bus.call(new Message(list)))?.body[0];
  for (const destination of Array.isArray(names) ? names.map(String) : []) {
    for (let job = 0; job < 40; job += 1) {
      const body = [job, `/org/freedesktop/systemd1/job/${job}`, 'yggd.service', 'done'];
      const signal = { type: MessageType.SIGNAL, member: 'JobRemoved', signature: 'uoss', body };
      if (destination.startsWith(':')) bus.send(new Message({ ...manager, ...signal, destination }));
    }
  }
  await waitFor(() => seen.length > 0, { what: 'one of them' });
  expect((await child.ended(20_000)).code, child.output).toBe(75);
});

// Newer ones may reach it: then the way around it has no reason any longer.
test.runIf(process.versions.node.startsWith('20.'))('Node does not reach abstract sockets', async () => {
  host.become({ ...newHost, abstract: true });
  const address = await privateAddress();
  const name = /abstract=([^,]+)/.exec(address)?.[1];
  const error = await new Promise((resolve, reject) => {
    const socket = connect(`\0${name}`, () => reject(new Error('it does')));
    socket.once('error', resolve);
  });
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});
