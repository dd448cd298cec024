/** What the program relies on in mosquitto: a version that does otherwise has to be noticed. test/unit/contracts lists it. */
import { expect, test } from 'vitest';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { RawMqttClient } from '../helpers/raw-mqtt-client.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';

const topic = 'yggdrasil/host/data/in';

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, place) => `${place}`);
}

test('mosquitto keeps session and subscription, and sends what was not acknowledged first, marked, in order', async () => {
  const scope = testScope();
  const { port } = await startMosquitto(scope);
  const server = new RawMqttClient(scope, port);
  await server.connect('server');
  const first = new RawMqttClient(scope, port);
  expect(await first.connect('host')).toBe(false);
  await first.subscribe(topic);
  await server.publish(topic, ['a', 'b', 'c']);
  await waitFor(() => first.messages.length === 3, { what: 'three messages' });
  // The one between is acknowledged, those around it are not.
  first.say({ cmd: 'puback', messageId: first.messages[1]?.messageId ?? 0 });
  await first.ping();
  first.say({ cmd: 'disconnect' });
  await waitFor(() => first.lost, { what: 'the end of the connection' });
  await server.publish(topic, ['d']);

  const second = new RawMqttClient(scope, port);
  expect(await second.connect('host')).toBe(true);
  await waitFor(() => second.messages.length === 3, { what: 'what is left' });
  await second.ping();
  expect(second.messages.map(({ payload, dup }) => `${payload.toString()} ${dup}`)).toEqual([
    'a true',
    'c true',
    'd false',
  ]);
});

test('mosquitto sends nothing again on one connection, and nothing more while twenty are not acknowledged', async () => {
  const scope = testScope();
  const { port } = await startMosquitto(scope);
  const server = new RawMqttClient(scope, port);
  await server.connect('server');
  const first = new RawMqttClient(scope, port);
  await first.connect('host');
  await first.subscribe(topic);
  await server.publish(topic, numbers(100));
  await waitFor(() => first.messages.length >= 20, { what: 'twenty messages' });
  await server.ping();
  await first.ping();
  expect(first.payloads).toEqual(numbers(20));
  first.cut();

  const second = new RawMqttClient(scope, port);
  await second.connect('host');
  const answered = new Set<number>();
  await waitFor(
    () => {
      for (const { messageId = 0 } of second.messages.slice(answered.size)) {
        answered.add(answered.size);
        second.say({ cmd: 'puback', messageId });
      }
      return second.messages.length >= 100;
    },
    { what: 'all of them' },
  );
  expect(second.payloads).toEqual(numbers(100));
});

test('mosquitto keeps as many messages as it is told to for an absent client, drops the others, and acknowledges all', async () => {
  const scope = testScope();
  const { port } = await startMosquitto(scope, { lines: ['max_queued_messages 50'] });
  const host = new RawMqttClient(scope, port);
  await host.connect('host');
  await host.subscribe(topic);
  host.say({ cmd: 'disconnect' });
  await waitFor(() => host.lost, { what: 'the end of the connection' });
  const server = new RawMqttClient(scope, port);
  await server.connect('server');
  await server.publish(topic, numbers(200));

  const back = new RawMqttClient(scope, port);
  await back.connect('host');
  let answered = 0;
  await waitFor(
    async () => {
      for (; answered < back.messages.length; answered += 1)
        back.say({ cmd: 'puback', messageId: back.messages[answered]?.messageId ?? 0 });
      await back.ping();
      return answered > 0 && answered === back.messages.length;
    },
    { what: 'what was kept' },
  );
  expect(back.messages.length).toBeGreaterThanOrEqual(50);
  expect(back.messages.length).toBeLessThan(200);
  expect(back.payloads).toEqual(numbers(back.messages.length));
});

test('mosquitto publishes the will of a connection that is lost, and not of one that said goodbye', async () => {
  const scope = testScope();
  const { port } = await startMosquitto(scope);
  const server = new RawMqttClient(scope, port);
  await server.connect('server');
  await server.subscribe('wills');
  const host = async (payload: string): Promise<RawMqttClient> => {
    const client = new RawMqttClient(scope, port);
    await client.connect('host', {
      will: { topic: 'wills', payload: Buffer.from(payload), qos: 1, retain: false },
    });
    return client;
  };
  const polite = await host('polite');
  polite.say({ cmd: 'disconnect' });
  await waitFor(() => polite.lost, { what: 'the end of the connection' });
  const cut = await host('cut');
  cut.cut();
  await waitFor(() => server.messages.length >= 1, { what: 'the will of the one that was cut' });
  await server.ping();
  expect(server.payloads).toEqual(['cut']);
});

test('mosquitto lets a host come back that it has not missed yet, and ends the connection before', async () => {
  const scope = testScope();
  const { port } = await startMosquitto(scope);
  const halfOpen = new RawMqttClient(scope, port);
  await halfOpen.connect('host');
  await halfOpen.subscribe(topic);
  const next = new RawMqttClient(scope, port);
  expect(await next.connect('host')).toBe(true);
  await waitFor(() => halfOpen.lost, { what: 'the end of the connection before' });
  await next.publish(topic, ['a']);
  await waitFor(() => next.messages.length === 1, { what: 'the message' });
});
