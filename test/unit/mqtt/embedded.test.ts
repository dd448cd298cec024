import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../../src/mqtt/embedded.ts';
import { embeddedAccessFile, readEmbeddedAccess } from '../../../src/mqtt/embedded-access.ts';

const backlogLimit = 3;
const dataIn = 'yggdrasil/host-1/data/in';

let runtimeDir: string;
let broker: EmbeddedBroker;
let clients: MqttClient[];

beforeEach(async () => {
  runtimeDir = mkdtempSync(path.join(tmpdir(), 'embedded-'));
  clients = [];
  broker = await startEmbeddedBroker({
    runtimeDir,
    clientId: 'host-1',
    topicPrefix: 'yggdrasil',
    log: silentLogger,
    backlogLimit,
  });
});

afterEach(async () => {
  for (const client of clients) client.end(true);
  await broker.close();
  rmSync(runtimeDir, { recursive: true });
});

/** Listeners set right away also get what the broker sends first. */
function begin(options: IClientOptions = {}): MqttClient {
  const { url, username, password } = broker;
  const client = connect(url, { username, password, reconnectPeriod: 0, ...options });
  clients.push(client);
  return client;
}

function enter(options: IClientOptions = {}): Promise<MqttClient> {
  const client = begin(options);
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.on('error', reject);
  });
}

function nextMessage(client: MqttClient): Promise<{ topic: string; payload: string }> {
  return new Promise((resolve) => {
    client.once('message', (topic, payload) => resolve({ topic, payload: payload.toString() }));
  });
}

const closed = (client: MqttClient): Promise<void> => new Promise((resolve) => client.once('close', resolve));

describe('the way in', () => {
  test('is said in a file that only its owner can read', () => {
    const file = embeddedAccessFile(runtimeDir);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readEmbeddedAccess(runtimeDir)).toEqual({
      url: broker.url,
      username: broker.username,
      password: broker.password,
      clientId: 'host-1',
      topicPrefix: 'yggdrasil',
    });
    expect(readFileSync(file, 'utf8')).toContain(broker.password);
  });

  test('leads to loopback only', () => {
    expect(new URL(broker.url).hostname).toBe('127.0.0.1');
  });

  test.each([
    { password: 'wrong' },
    { password: '' },
    { username: 'root' },
    { username: undefined, password: undefined },
  ])('is closed to %o', async (options) => {
    await expect(enter(options as IClientOptions)).rejects.toThrow(/Bad username or password/);
  });

  test('is gone when the broker is closed', async () => {
    const client = await enter();
    const gone = closed(client);
    await broker.close();
    await gone;
    expect(existsSync(embeddedAccessFile(runtimeDir))).toBe(false);
    expect(readEmbeddedAccess(runtimeDir)).toBeUndefined();
  });
});

describe('topics', () => {
  test('messages pass from one client to the other', async () => {
    const host = await enter({ clientId: 'host-1' });
    const server = await enter();
    await host.subscribeAsync(dataIn, { qos: 1 });
    const received = nextMessage(host);
    await server.publishAsync(dataIn, '{"n":1}', { qos: 1 });
    expect(await received).toEqual({ topic: dataIn, payload: '{"n":1}' });
  });

  test.each([
    'yggdrasil/other/data/in',
    'yggdrasil/host-1/data/in/more',
    '#',
    '$SYS/#',
    'yggdrasil/+/data/in',
  ])('nobody may subscribe %s', async (topic) => {
    const client = await enter();
    await expect(client.subscribeAsync(topic, { qos: 1 })).rejects.toThrow();
  });

  test('who publishes elsewhere is disconnected', async () => {
    const client = await enter();
    const gone = closed(client);
    client.publish('yggdrasil/other/data/in', 'x', { qos: 1 });
    await gone;
  });
});

describe('sessions', () => {
  async function subscribeAndLeave(clientId: string): Promise<void> {
    const client = await enter({ clientId, clean: false });
    await client.subscribeAsync(dataIn, { qos: 1 });
    await client.endAsync();
  }

  test('the host gets what came while it was away', async () => {
    await subscribeAndLeave('host-1');
    const server = await enter();
    await server.publishAsync(dataIn, 'late', { qos: 1 });
    const host = begin({ clientId: 'host-1', clean: false });
    expect((await nextMessage(host)).payload).toBe('late');
  });

  test('nothing is kept for others', async () => {
    await subscribeAndLeave('yggctl-1');
    const back = begin({ clientId: 'yggctl-1', clean: false });
    const present = await new Promise((resolve) =>
      back.once('connect', (packet) => resolve(packet.sessionPresent)),
    );
    expect(present).toBe(false);
  });

  test('a full backlog refuses publishers and opens again when the host took it', async () => {
    await subscribeAndLeave('host-1');
    const server = await enter();
    for (let n = 0; n < backlogLimit; n += 1) await server.publishAsync(dataIn, `${n}`, { qos: 1 });
    const gone = closed(server);
    server.publish(dataIn, 'too many', { qos: 1 });
    await gone;

    const host = begin({ clientId: 'host-1', clean: false });
    const taken: string[] = [];
    await new Promise<void>((resolve) => {
      host.on('message', (_topic, payload) => {
        taken.push(payload.toString());
        if (taken.length === backlogLimit) resolve();
      });
    });
    expect(taken).toEqual(['0', '1', '2']);
    await host.endAsync();
    const again = await enter();
    await again.publishAsync(dataIn, 'room', { qos: 1 });
  });
});

test('a stranger who sends much before the password is cut off', async () => {
  const socket = connectTcp(Number(new URL(broker.url).port), '127.0.0.1');
  socket.on('error', () => {});
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  // CONNECT with an announced length of 200 MiB.
  socket.write(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x64]));
  socket.write(Buffer.alloc(256 * 1024));
  await gone;
});
