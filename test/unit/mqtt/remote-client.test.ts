import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../../src/mqtt/embedded.ts';
import { connectRemoteClient, type RemoteClient } from '../../../src/mqtt/remote-client.ts';

const dataIn = 'yggdrasil/host-1/data/in';
const dataOut = 'yggdrasil/host-1/data/out';

let runtimeDir: string;
let broker: EmbeddedBroker;
let clients: RemoteClient[];

beforeEach(async () => {
  runtimeDir = mkdtempSync(path.join(tmpdir(), 'remote-client-'));
  clients = [];
  broker = await startEmbeddedBroker({
    runtimeDir,
    clientId: 'host-1',
    topicPrefix: 'yggdrasil',
    log: silentLogger,
  });
});

afterEach(async () => {
  for (const client of clients) await client.close();
  await broker.close();
  rmSync(runtimeDir, { recursive: true });
});

async function enter(options: { password?: string; url?: string } = {}): Promise<RemoteClient> {
  const { url, username, password } = broker;
  const clientId = `test-${clients.length}`;
  const client = await connectRemoteClient({ url, username, password, clientId, deadline: 3000, ...options });
  clients.push(client);
  return client;
}

test('what one publishes the other hears, after the acknowledgement', async () => {
  const [one, other] = [await enter(), await enter()];
  const heard = new Promise<string>((resolve) => {
    void other
      .listen([dataIn], (_topic, payload) => resolve(payload.toString()))
      .then(() => one.publish(dataIn, Buffer.from('x')));
  });
  expect(await heard).toBe('x');
});

test('user and password may stand in the URL, and are not shown', async () => {
  const { url, username, password } = broker;
  const withLogin = url.replace('//', `//${username}:${password}@`);
  const client = await connectRemoteClient({ url: withLogin, clientId: 'x', deadline: 3000 });
  clients.push(client);
  const wrong = connectRemoteClient({
    url: url.replace('//', '//a:hunter2@'),
    clientId: 'y',
    deadline: 3000,
  });
  await expect(wrong).rejects.toThrow(expect.not.stringContaining('hunter2'));
});

test('a refused login is a refusal', async () => {
  await expect(enter({ password: 'wrong' })).rejects.toMatchObject({ code: 'YGG_BROKER_REFUSED' });
});

test('a broker that is not there is unreachable', async () => {
  await broker.close();
  await expect(enter()).rejects.toMatchObject({ code: 'YGG_BROKER_UNREACHABLE' });
});

test('a refused subscription names its topic only', async () => {
  const client = await enter();
  await expect(client.listen([dataOut, 'yggdrasil/other/data/out'], () => {})).rejects.toMatchObject({
    code: 'YGG_BROKER_REFUSED',
    message: expect.stringMatching(/subscribe to yggdrasil\/other\/data\/out\./),
  });
});

test('a broker that closes the connection is told at once', async () => {
  const client = await enter();
  await expect(client.publish('yggdrasil/other/data/in', Buffer.from('x'))).rejects.toMatchObject({
    code: 'YGG_BROKER_LOST',
  });
  expect(await client.lost).toMatchObject({ code: 'YGG_BROKER_LOST' });
});

test('a listener that is busy is not given the next message', async () => {
  const [one, other] = [await enter(), await enter()];
  const begun: string[] = [];
  let goOn: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let all: () => void = () => {};
  const bothBegun = new Promise<void>((resolve) => {
    all = resolve;
  });
  await other.listen([dataIn, dataOut], (_topic, payload) => {
    begun.push(payload.toString());
    if (begun.length === 2) all();
    return first;
  });
  await one.publish(dataIn, Buffer.from('1'));
  await one.publish(dataIn, Buffer.from('2'));
  // The broker has long sent the second when a round trip of the other client is over.
  await one.publish(dataOut, Buffer.from('3'));
  expect(begun).toEqual(['1']);
  goOn();
  await bothBegun;
  expect(begun).toEqual(['1', '2']);
});
