/** What is different with MQTT 5; the rest is in `mqtt-connector.test.ts`. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import type { Connected, Connector, Incoming } from '../../../src/mqtt/connector.ts';
import { createMqttConnector, type MqttOptions } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import {
  type BrokerConnection,
  type ScriptedBroker,
  startScriptedBroker,
} from '../../helpers/scripted-broker.ts';

const topics = createTopics('yggdrasil', 'host');
const abort = new AbortController().signal;
const received: Incoming[] = [];
const closes: Error[] = [];
let unheard = 0;
let broker: ScriptedBroker;
let connector: Connector;

beforeEach(async () => {
  broker = await startScriptedBroker();
  received.length = 0;
  closes.length = 0;
  unheard = 0;
});
afterEach(async () => {
  await connector.close();
  await broker.close();
});

function connect(options: Partial<MqttOptions> = {}): Promise<Connected> {
  connector = createMqttConnector({
    brokers: [parseBrokerAddress(broker.url)],
    topics,
    clientId: 'host',
    tls: () => ({}),
    clock: systemClock,
    log: silentLogger,
    options: () => ({ version: 5, primeTopic: false, ...options }),
  });
  const receiver = {
    onMessage: (message: Incoming) => void received.push(message),
    onClose: (reason: Error) => void closes.push(reason),
    onUnheard: () => {
      unheard += 1;
    },
  };
  return connector.connect(receiver, { will: Buffer.from('gone'), abort });
}

const say = (text = 'x'): Promise<void> => connector.publish('data/out', Buffer.from(text));

describe('connecting', () => {
  test('keeps the session for a while, wants no retained messages, and leaves a will that waits', async () => {
    await connect({ sessionExpiry: 3_600_000 });
    const connection = await broker.connection(0);
    expect(connection.received[0]).toMatchObject({
      cmd: 'connect',
      protocolVersion: 5,
      clean: false,
      properties: { sessionExpiryInterval: 3_600, receiveMaximum: 32_768 },
      will: { topic: topics.controlOut, qos: 1, properties: { willDelayInterval: 5 } },
    });
    expect(connection.received[1]).toMatchObject({
      cmd: 'subscribe',
      subscriptions: [
        { topic: topics.controlIn, qos: 1, rh: 2 },
        { topic: topics.dataIn, qos: 1, rh: 2 },
      ],
    });
  });

  test('a clean session ends with its connection', async () => {
    await connect({ cleanSession: true });
    const connection = await broker.connection(0);
    expect(connection.received[0]).toMatchObject({ clean: true, properties: { sessionExpiryInterval: 0 } });
  });

  test('says how many messages the broker takes at a time', async () => {
    broker.script.connect = () => ({ sessionPresent: true, properties: { receiveMaximum: 7 } });
    expect(await connect()).toEqual({ broker: broker.url, sessionPresent: true, receiveMaximum: 7 });
  });

  test.each([
    [0x81, 'YGG_BROKER_PROTOCOL', 'Malformed Packet'],
    [0x84, 'YGG_BROKER_REFUSED', 'set mqtt-version to one that it speaks'],
    [0x85, 'YGG_BROKER_REFUSED', 'Client Identifier not valid'],
    [0x86, 'YGG_BROKER_REFUSED', 'Bad User Name or Password'],
    [0x87, 'YGG_BROKER_REFUSED', 'Not authorized'],
    [0x88, 'YGG_BROKER_UNREACHABLE', 'Server unavailable'],
    [0x89, 'YGG_BROKER_UNREACHABLE', 'Server busy'],
    [0x8a, 'YGG_BROKER_REFUSED', 'Banned'],
    [0x97, 'YGG_BROKER_UNREACHABLE', 'Quota exceeded'],
    [0x9d, 'YGG_BROKER_REFUSED', 'Server moved'],
    [0x9f, 'YGG_BROKER_UNREACHABLE', 'Connection rate exceeded'],
  ])('a CONNACK with reason %i is %s', async (returnCode, code, words) => {
    broker.script.connect = () => ({ returnCode });
    const failure = await connect().catch((error: unknown) => error);
    // Of several brokers only the kind is told by the code; a single one that breaks the protocol is as good as away.
    const told = code === 'YGG_BROKER_PROTOCOL' ? 'YGG_BROKER_UNREACHABLE' : code;
    expect(failure).toMatchObject({ code: told, message: expect.stringContaining(words) });
  });

  test('a broker of MQTT 3.1.1 alone is told to the administrator', async () => {
    broker.script.connect = () => 'silent';
    const connecting = connect();
    connecting.catch(() => {});
    (await broker.connection(0)).raw(Buffer.from([0x20, 0x02, 0x00, 0x01]));
    await expect(connecting).rejects.toMatchObject({
      code: 'YGG_BROKER_REFUSED',
      message: expect.stringContaining('set mqtt-version'),
    });
  });

  test('a broker that takes nothing with QoS 1 is refused', async () => {
    broker.script.connect = () => ({ properties: { maximumQoS: 0 } });
    await expect(connect()).rejects.toMatchObject({ code: 'YGG_BROKER_REFUSED' });
  });
});

describe('publishing', () => {
  test.each([
    [0x80, 'YGG_BROKER_PROTOCOL'],
    [0x83, 'YGG_BROKER_PROTOCOL'],
    [0x87, 'YGG_BROKER_REFUSED'],
    [0x90, 'YGG_BROKER_REFUSED'],
    [0x97, 'YGG_BROKER_BUSY'],
    [0x99, 'YGG_BROKER_REFUSED'],
  ])('a PUBACK with reason %i is %s, and the connection goes on', async (reason, code) => {
    await connect();
    broker.script.publish = () => reason;
    await expect(say()).rejects.toMatchObject({ code });
    delete broker.script.publish;
    await say();
    expect([closes, unheard]).toEqual([[], 0]);
  });

  test('what nobody has subscribed to is delivered, and said', async () => {
    await connect();
    broker.script.publish = () => 0x10;
    await say();
    expect(unheard).toBe(1);
  });

  test('what is larger than the broker takes is not sent', async () => {
    broker.script.connect = () => ({ properties: { maximumPacketSize: 1_000 } });
    await connect();
    await expect(say('x'.repeat(1_000))).rejects.toMatchObject({ code: 'YGG_BROKER_REFUSED' });
    await say('x'.repeat(900));
    expect((await broker.connection(0)).publishes).toHaveLength(1);
  });
});

describe('receiving', () => {
  test('is acknowledged in order, when it is told to', async () => {
    await connect();
    const connection = await broker.connection(0);
    const properties = { userProperties: { trace: '1' }, messageExpiryInterval: 60 };
    for (const payload of ['a', 'b', 'c']) connection.publish({ topic: topics.dataIn, payload, properties });
    await broker.until('three messages', () => received.length === 3);
    received[2]?.acknowledge();
    received[1]?.leave();
    expect(connection.pubacks).toEqual([]);
    received[0]?.acknowledge();
    await broker.until('two PUBACKs', () => connection.pubacks.length === 2);
    expect(connection.pubacks).toEqual([1, 3]);
    expect(received.map(({ payload }) => payload.toString())).toEqual(['a', 'b', 'c']);
  });

  test.each([0, 3_000, 90_000])(
    'an oversize message is reported in its turn, with %i bytes of properties',
    async (size) => {
      await connect({ maxMessageSize: 1_000 });
      const connection = await broker.connection(0);
      const value = 'y'.repeat(60_000);
      const userProperties =
        size === 0 ? {} : { long: [value, value].map((text) => text.slice(0, size / 2)) };
      const payload = Buffer.alloc(200_000, 'x');
      connection.publish({ topic: topics.dataIn, payload: 'before' });
      connection.publish({
        topic: topics.dataIn,
        payload,
        ...(size > 0 && { properties: { userProperties } }),
      });
      connection.publish({ topic: topics.dataIn, payload: 'after' });
      await broker.until('three messages', () => received.length === 3);
      expect(received.map(({ oversize }) => oversize !== undefined)).toEqual([false, true, false]);
      expect(received[1]?.payload.length).toBe(size > 65_000 ? 0 : 4_096);
      for (const message of received) message.acknowledge();
      await broker.until('three PUBACKs', () => connection.pubacks.length === 3);
    },
  );
});

describe('a broker that breaks the protocol', () => {
  const publish = (properties: readonly number[]): Buffer => {
    const body = Buffer.from([0, 1, 0x74, 0, 9, ...properties]);
    return Buffer.concat([Buffer.from([0x32, body.length]), body]);
  };

  test.each<[string, Buffer]>([
    ['properties longer than their packet', publish([0x7f, 0x01])],
    ['a property that there is not', publish([0x02, 0x7e, 0x00])],
    ['an alias that nobody allowed', publish([0x03, 0x23, 0x00, 0x01])],
    ['a second CONNACK', Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00])],
    ['QoS 2', Buffer.from([0x34, 0x06, 0x00, 0x01, 0x74, 0x00, 0x01, 0x00])],
  ])('loses the connection: %s', async (_, bytes) => {
    await connect();
    (await broker.connection(0)).raw(bytes);
    await broker.until('the close', () => closes.length === 1);
    expect(closes[0]).toMatchObject({ code: expect.stringMatching(/^YGG_BROKER_/) });
    expect(received).toEqual([]);
  });
});

describe('a DISCONNECT of the broker', () => {
  const disconnect = (connection: BrokerConnection, reasonCode: number, reasonString?: string): void =>
    connection.send({ cmd: 'disconnect', reasonCode, ...(reasonString && { properties: { reasonString } }) });

  test.each([
    [0x8b, 'the server shuts down (0x8b'],
    [0x8e, 'is there a second host with this client id?'],
    [0x97, 'quota exceeded'],
    [0x98, 'administrative action'],
    [0xa1, 'for no reason that is known here'],
  ])('with reason %i is said', async (reason, words) => {
    await connect();
    disconnect(await broker.connection(0), reason, 'in\nits own words');
    await broker.until('the close', () => closes.length === 1);
    expect(closes[0]?.message).toContain(words);
    expect(closes[0]?.message).toContain('"in\\nits own words"');
    await expect(say()).rejects.toMatchObject({ code: 'YGG_BROKER_LOST' });
  });

  test.each([
    [0x87, 'YGG_BROKER_REFUSED'],
    [0x89, 'YGG_BROKER_UNREACHABLE'],
  ])('before the subscription, with reason %i, fails the attempt as %s', async (reason, code) => {
    broker.script.subscribe = () => {
      const [connection] = broker.connections;
      if (connection) disconnect(connection, reason);
      return 'silent';
    };
    await expect(connect()).rejects.toMatchObject({ code });
  });
});
