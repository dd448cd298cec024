import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import type { Connector, Incoming } from '../../../src/mqtt/connector.ts';
import { createMqttConnector, type MqttOptions } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import {
  type BrokerConnection,
  type BrokerScript,
  type ScriptedBroker,
  startScriptedBroker,
} from '../../helpers/scripted-broker.ts';

const topics = createTopics('yggdrasil', 'host');
const will = Buffer.from('{"will":true}');
const noAbort = new AbortController().signal;

let broker: ScriptedBroker;
let connector: Connector | undefined;
const received: Incoming[] = [];
const closes: Error[] = [];
const receiver = {
  onMessage: (message: Incoming) => void received.push(message),
  onClose: (reason: Error) => void closes.push(reason),
};

beforeEach(async () => {
  broker = await startScriptedBroker();
  received.length = 0;
  closes.length = 0;
});
afterEach(async () => {
  await connector?.close();
  connector = undefined;
  await broker.close();
});

function create(options: Partial<MqttOptions> = {}, urls: readonly string[] = [broker.url]): Connector {
  connector = createMqttConnector({
    brokers: urls.map(parseBrokerAddress),
    topics,
    clientId: 'host',
    tls: () => ({ ca: [] }),
    clock: systemClock,
    log: silentLogger,
    options: () => options,
  });
  return connector;
}
const connect = (target: Connector): ReturnType<Connector['connect']> =>
  target.connect(receiver, { will, abort: noAbort });

describe('connecting', () => {
  test('keeps the session, leaves a will, primes the topic and subscribes', async () => {
    expect(await connect(create())).toEqual({ broker: broker.url, sessionPresent: false });
    const connection = await broker.connection(0);
    expect(connection.received[0]).toMatchObject({
      cmd: 'connect',
      clientId: 'host',
      clean: false,
      protocolVersion: 4,
      keepalive: 30,
      will: { topic: topics.controlOut, qos: 1, retain: false, payload: will },
    });
    expect(connection.received[1]).toMatchObject({ cmd: 'publish', topic: topics.dataOut, qos: 0 });
    expect(connection.received[2]).toMatchObject({
      cmd: 'subscribe',
      subscriptions: [
        { topic: topics.controlIn, qos: 1 },
        { topic: topics.dataIn, qos: 1 },
      ],
    });
  });

  test('subscribes to a session it finds at the start, and trusts its own later', async () => {
    broker.script.connect = () => ({ sessionPresent: true });
    const target = create({ primeTopic: false });
    expect(await connect(target)).toMatchObject({ sessionPresent: true });
    await target.close();
    await connect(target);
    const [first, second] = [await broker.connection(0), await broker.connection(1)];
    expect(first.received.map((packet) => packet.cmd)).toContain('subscribe');
    expect(second.received.map((packet) => packet.cmd)).toEqual(['connect']);
  });

  test.each<[string, BrokerScript, string]>([
    ['refuses', { connect: () => ({ returnCode: 5 }) }, 'YGG_BROKER_REFUSED'],
    ['is not ready', { connect: () => ({ returnCode: 3 }) }, 'YGG_BROKER_UNREACHABLE'],
    ['drops', { connect: () => 'drop' }, 'YGG_BROKER_UNREACHABLE'],
    ['says nothing', { connect: () => 'silent' }, 'YGG_BROKER_UNREACHABLE'],
    ['refuses a subscription', { subscribe: () => [1, 0x80] }, 'YGG_BROKER_REFUSED'],
    ['grants less than QoS 1', { subscribe: () => [0, 1] }, 'YGG_BROKER_REFUSED'],
    ['grants too few', { subscribe: () => [1] }, 'YGG_BROKER_UNREACHABLE'],
    ['never grants', { subscribe: () => 'silent' }, 'YGG_BROKER_UNREACHABLE'],
  ])('a broker that %s', async (_, script, code) => {
    Object.assign(broker.script, script);
    await expect(connect(create({ connectTimeout: 200 }))).rejects.toMatchObject({ code });
    const connection = await broker.connection(0);
    await broker.until('the connection is closed', () => connection.closed);
    expect(closes).toEqual([]);
  });

  test('tries the brokers in order, each time from the first', async () => {
    const other = await startScriptedBroker();
    broker.script.connect = () => ({ returnCode: 3 });
    const target = create({}, [broker.url, other.url]);
    expect(await connect(target)).toMatchObject({ broker: other.url });
    await target.close();
    delete broker.script.connect;
    expect(await connect(target)).toMatchObject({ broker: broker.url });
    await target.close();
    await other.close();
  });

  test('can be called off', async () => {
    broker.script.connect = () => 'silent';
    const controller = new AbortController();
    const connecting = create().connect(receiver, { will, abort: controller.signal });
    const connection = await broker.connection(0);
    controller.abort();
    await expect(connecting).rejects.toThrow();
    await broker.until('the connection is closed', () => connection.closed);
  });
});

describe('receiving', () => {
  test('acknowledges in order, when it is told to', async () => {
    await connect(create());
    const connection = await broker.connection(0);
    for (const text of ['a', 'b', 'c']) connection.publish({ topic: topics.dataIn, payload: text });
    await broker.until('three messages', () => received.length === 3);
    expect(received.map(({ payload }) => payload.toString())).toEqual(['a', 'b', 'c']);
    received[2]?.acknowledge();
    received[1]?.leave();
    expect(connection.pubacks).toEqual([]);
    received[0]?.acknowledge();
    await broker.until('two PUBACKs', () => connection.pubacks.length === 2);
    expect(connection.pubacks).toEqual([1, 3]);
  });

  test('says what each message is', async () => {
    await connect(create());
    const connection = await broker.connection(0);
    connection.publish({ topic: topics.controlIn, payload: 'x', retain: true, dup: true });
    connection.publish({ topic: 'somewhere/else', payload: 'y', qos: 0 });
    await broker.until('two messages', () => received.length === 2);
    expect(received).toMatchObject([
      { topic: 'control/in', retain: true, redelivered: true, qos: 1, oversize: undefined },
      { topic: 'foreign', topicName: 'somewhere/else', retain: false, redelivered: false, qos: 0 },
    ]);
  });

  test('never acknowledges on another connection than the one that carried the message', async () => {
    const target = create();
    await connect(target);
    const first = await broker.connection(0);
    first.publish({ topic: topics.dataIn, payload: 'old', messageId: 7 });
    await broker.until('the message', () => received.length === 1);
    first.drop();
    await broker.until('the close', () => closes.length === 1);
    await connect(target);
    const second = await broker.connection(1);
    second.publish({ topic: topics.dataIn, payload: 'new', messageId: 7 });
    await broker.until('the other message', () => received.length === 2);
    received[0]?.acknowledge();
    second.publish({ topic: topics.dataIn, payload: 'last', messageId: 8 });
    await broker.until('the last message', () => received.length === 3);
    received[1]?.leave();
    received[2]?.acknowledge();
    await broker.until('a PUBACK', () => second.pubacks.length === 1);
    expect(second.pubacks).toEqual([8]);
  });

  test('reports an oversize message in its turn, and goes on', async () => {
    await connect(create({ maxMessageSize: 1_000 }));
    const connection = await broker.connection(0);
    connection.publish({ topic: topics.dataIn, payload: 'before' });
    connection.publish({ topic: topics.dataIn, payload: Buffer.alloc(200_000, 'x') });
    connection.publish({ topic: topics.dataIn, payload: 'after' });
    await broker.until('three messages', () => received.length === 3);
    expect(received.map(({ oversize }) => oversize !== undefined)).toEqual([false, true, false]);
    expect(received[1]?.payload).toHaveLength(4_096);
    for (const message of received) message.acknowledge();
    await broker.until('three PUBACKs', () => connection.pubacks.length === 3);
  });

  test('holds the parser while too much is open', async () => {
    await connect(create({ receiveWindow: 10 }));
    const connection = await broker.connection(0);
    for (let index = 0; index < 50; index += 1)
      connection.publish({ topic: topics.dataIn, payload: `${index}` });
    await broker.until('the window is full', () => received.length === 11);
    expect(received).toHaveLength(11);
    received[0]?.acknowledge();
    await broker.until('one more', () => received.length === 12);
    for (let index = 0; index < 50; index += 1) {
      await broker.until(`message ${index}`, () => received.length > index);
      received[index]?.acknowledge();
    }
    await broker.until('all PUBACKs', () => connection.pubacks.length === 50);
    expect(received.some(({ pressed }) => pressed)).toBe(false);
  });

  test('goes on before the keep-alive is over, and says so with each message', async () => {
    await connect(create({ receiveWindow: 2, keepAlive: 200 }));
    const connection = await broker.connection(0);
    for (let index = 0; index < 6; index += 1)
      connection.publish({ topic: topics.dataIn, payload: `${index}` });
    await broker.until('all messages', () => received.length === 6);
    expect(received.map(({ pressed }) => pressed)).toEqual([false, false, false, true, true, true]);
    for (const message of received) message.leave();
    connection.publish({ topic: topics.dataIn, payload: 'relaxed' });
    await broker.until('one more', () => received.length === 7);
    expect(received[6]?.pressed).toBe(false);
  });
});

describe('publishing', () => {
  test('resolves with the PUBACK', async () => {
    const target = create({ primeTopic: false });
    await connect(target);
    await target.publish('data/out', Buffer.from('one'));
    await target.publish('control/out', Buffer.from('two'));
    const connection = await broker.connection(0);
    expect(
      connection.publishes.map(({ topic, payload, qos, retain }) => [topic, payload.toString(), qos, retain]),
    ).toEqual([
      [topics.dataOut, 'one', 1, false],
      [topics.controlOut, 'two', 1, false],
    ]);
  });

  test('what is in flight when the connection ends is lost, and never sent again by itself', async () => {
    broker.script.publish = () => 'silent';
    const target = create({ primeTopic: false });
    await connect(target);
    const publishing = target.publish('data/out', Buffer.from('one'));
    const connection = await broker.connection(0);
    await broker.until('the publish', () => connection.publishes.length === 1);
    connection.drop();
    await expect(publishing).rejects.toMatchObject({ code: 'YGG_BROKER_LOST' });
    expect(closes).toHaveLength(1);
    await expect(target.publish('data/out', Buffer.from('two'))).rejects.toMatchObject({
      code: 'YGG_BROKER_LOST',
    });
    await connect(target);
    expect((await broker.connection(1)).publishes).toEqual([]);
  });

  test.each([
    ['closed', (connection: BrokerConnection) => connection.drop()],
    ['reset', (connection: BrokerConnection) => connection.reset()],
    ['full of nonsense', (connection: BrokerConnection) => connection.raw(Buffer.from([0x00, 0x00]))],
  ])('what was in flight is lost, whatever became of the connection: %s', async (_, end) => {
    broker.script.publish = (_packet, connection) => {
      end(connection);
      return 'silent';
    };
    const target = create({ primeTopic: false });
    await connect(target);
    await expect(target.publish('data/out', Buffer.from('one'))).rejects.toMatchObject({
      code: 'YGG_BROKER_LOST',
    });
  });

  test('a PUBACK that does not come ends the connection', async () => {
    broker.script.publish = () => 'silent';
    const target = create({ publishTimeout: 100 });
    await connect(target);
    await expect(target.publish('data/out', Buffer.from('one'))).rejects.toMatchObject({
      code: 'YGG_BROKER_LOST',
    });
    await broker.until('the close', () => closes.length === 1);
  });
});

describe('closing', () => {
  test('says DISCONNECT, then closes', async () => {
    const target = create();
    await connect(target);
    await target.close();
    const connection = await broker.connection(0);
    await broker.until('closed', () => connection.closed);
    expect(connection.received.at(-1)?.cmd).toBe('disconnect');
    expect(closes).toHaveLength(1);
  });

  test('does not wait for a broker that is stuck', async () => {
    const target = create();
    await connect(target);
    (await broker.connection(0)).pause();
    await target.close();
    expect(closes).toHaveLength(1);
  });
});

describe('a broker that breaks the protocol', () => {
  test('is lost when it answers no ping', async () => {
    broker.script.ping = () => false;
    await connect(create({ keepAlive: 1_000 }));
    await broker.until('the close', () => closes.length === 1);
    expect(closes[0]).toMatchObject({ code: 'YGG_BROKER_LOST', message: expect.stringContaining('timeout') });
  });

  test.each([
    ['nonsense', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a reserved packet type', Buffer.from([0x00, 0x00])],
    ['a second CONNACK', Buffer.from([0x20, 0x02, 0x00, 0x00])],
    ['a PUBLISH cut inside its topic', Buffer.from([0x32, 0x02, 0x00, 0x09])],
    ['QoS 2', Buffer.from([0x34, 0x05, 0x00, 0x01, 0x74, 0x00, 0x01])],
  ])('loses the connection: %s', async (_, bytes) => {
    await connect(create());
    (await broker.connection(0)).raw(bytes);
    await broker.until('the close', () => closes.length === 1);
    expect(closes[0]).toMatchObject({ code: expect.stringMatching(/^YGG_BROKER_/) });
  });

  test('a PUBACK for nothing changes nothing', async () => {
    const target = create();
    await connect(target);
    (await broker.connection(0)).send({ cmd: 'puback', messageId: 99 });
    await target.publish('data/out', Buffer.from('one'));
    expect(closes).toEqual([]);
  });
});
