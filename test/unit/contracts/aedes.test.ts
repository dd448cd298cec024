/** What the embedded broker, and the way we leave a broker, rely on in aedes. */
import { createServer } from 'node:net';
import { Aedes, type Client } from 'aedes';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { beforeEach, expect, test } from 'vitest';
import type { Scope } from '../../helpers/scope.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

let scope: Scope;
let broker: Aedes;
let url: string;

beforeEach(async () => {
  scope = testScope();
  broker = await Aedes.createBroker();
  const server = createServer((socket) => broker.handle(socket));
  scope.defer(async () => {
    server.close();
    await new Promise<void>((resolve) => broker.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `mqtt://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});

function enter(options: IClientOptions): Promise<MqttClient> {
  const client = connect(url, { reconnectPeriod: 0, ...options });
  scope.defer(() => client.endAsync(true));
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.on('error', reject);
  });
}

/** Payloads that arrive on a topic. */
async function listen(topic: string): Promise<string[]> {
  const heard: string[] = [];
  const listener = await enter({ clientId: 'listener' });
  listener.on('message', (_, payload) => heard.push(payload.toString()));
  await listener.subscribeAsync(topic, { qos: 1 });
  return heard;
}

test('speaks MQTT 3.1.1 and not 5', async () => {
  await enter({ clientId: 'old', protocolVersion: 4 });
  await expect(enter({ clientId: 'new', protocolVersion: 5 })).rejects.toThrow();
});

const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false } as const;

test('publishes the will of a client whose id another one takes, and not that of one that said goodbye', async () => {
  const heard = await listen('will');
  const first = await enter({ clientId: 'host', will });
  await first.endAsync();
  await enter({ clientId: 'host', will });
  await enter({ clientId: 'host', will });
  await waitFor(() => heard.length > 0, { what: 'will' });
  expect(heard).toEqual(['gone']);
});

test('what preConnect makes of the packet holds: a session that is made clean is not kept', async () => {
  broker.preConnect = (_, packet, callback) => {
    packet.clean = true;
    callback(null, true);
  };
  const first = await enter({ clientId: 'somebody', clean: false });
  await first.subscribeAsync('topic', { qos: 1 });
  await first.endAsync();
  const present = await new Promise((resolve) => {
    const back = connect(url, { reconnectPeriod: 0, clientId: 'somebody', clean: false });
    scope.defer(() => back.endAsync(true));
    back.once('connect', ({ sessionPresent }) => resolve(sessionPresent));
  });
  expect(present).toBe(false);
});

test('tells of each message that is kept for a session, and of each that was acknowledged', async () => {
  const events: string[] = [];
  broker.on('subscribe', (subscriptions, { id }) => {
    for (const { topic } of subscriptions) events.push(`${id} subscribed ${topic}`);
  });
  broker.on('publish', ({ topic, qos }) => {
    if (topic === 'topic') events.push(`published ${topic} ${qos}`);
  });
  broker.on('ack', (_, { id }: Client) => events.push(`${id} acknowledged`));
  const host = await enter({ clientId: 'host', clean: false });
  await host.subscribeAsync('topic', { qos: 1 });
  const server = await enter({ clientId: 'server' });
  await server.publishAsync('topic', 'x', { qos: 1 });
  await waitFor(() => events.length === 3, { what: 'three events', detail: () => events.join() });
  expect(events).toEqual(['host subscribed topic', 'published topic 1', 'host acknowledged']);
});
