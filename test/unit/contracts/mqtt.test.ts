/** What the connection relies on in MQTT.js and mqtt-packet; an upgrade that changes it has to be noticed. */
import { connect } from 'node:net';
import { type IClientOptions, MqttClient } from 'mqtt';
import { generate, type IPublishPacket, parser, writeToStream } from 'mqtt-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type BrokerScript,
  type ScriptedBroker,
  startScriptedBroker,
} from '../../helpers/scripted-broker.ts';

type Handler = (packet: IPublishPacket, done: (error?: Error) => void) => void;

async function create(
  handler: Handler,
  script: BrokerScript = {},
  options: Partial<IClientOptions> = {},
): Promise<{ readonly broker: ScriptedBroker; readonly client: MqttClient; readonly errors: Error[] }> {
  const broker = await startScriptedBroker(script);
  const errors: Error[] = [];
  const client = new MqttClient(() => connect(broker.port, '127.0.0.1'), {
    manualConnect: true,
    clientId: 'contract',
    clean: false,
    keepalive: 30,
    reconnectPeriod: 0,
    resubscribe: false,
    ...options,
  });
  client.handleMessage = handler;
  client.on('error', (error) => void errors.push(error));
  client.connect();
  onTestFinished(async () => {
    client.end(true);
    await broker.close();
  });
  return { broker, client, errors };
}

const refused = new Error('deferred');

describe('MQTT.js', () => {
  test('sends no PUBACK for a message that is refused to it, and parses on', async () => {
    const seen: string[] = [];
    const { broker } = await create((packet, done) => {
      seen.push(packet.payload.toString());
      done(refused);
    });
    const connection = await broker.connection(0);
    for (const payload of ['a', 'b', 'c']) connection.publish({ topic: 't', payload });
    connection.publish({ topic: 't', payload: 'd', qos: 0 });
    await broker.until('all', () => seen.length === 4);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(connection.pubacks).toEqual([]);
  });

  test('lets a PUBACK of our own through, on its stream', async () => {
    const { broker, client } = await create((packet, done) => {
      done(refused);
      writeToStream({ cmd: 'puback', messageId: packet.messageId ?? 0 }, client.stream);
    });
    const connection = await broker.connection(0);
    connection.publish({ topic: 't', payload: 'a', messageId: 4711 });
    await broker.until('the PUBACK', () => connection.pubacks.length === 1);
    expect(connection.pubacks).toEqual([4711]);
  });

  test('hands over each message once, in order, with what the packet says', async () => {
    const seen: IPublishPacket[] = [];
    const { broker } = await create((packet, done) => {
      seen.push(packet);
      done(refused);
    });
    const connection = await broker.connection(0);
    connection.publish({ topic: 'x/y', payload: '', dup: true, retain: true, messageId: 5 });
    connection.publish({ topic: 'x/z', payload: 'b', messageId: 5 });
    await broker.until('both', () => seen.length === 2);
    expect(seen).toMatchObject([
      { topic: 'x/y', qos: 1, dup: true, retain: true, messageId: 5 },
      { topic: 'x/z', qos: 1, dup: false, retain: false, messageId: 5 },
    ]);
    expect(Buffer.isBuffer(seen[1]?.payload)).toBe(true);
  });

  test('handles nothing else while it waits for a message: no PUBACK of ours either', async () => {
    let held: (() => void) | undefined;
    const { broker, client } = await create((_packet, done) => {
      held = () => done(refused);
    });
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    connection.publish({ topic: 't', payload: 'a' });
    await broker.until('held', () => held !== undefined);
    let published = false;
    client.publish('t', 'ours', { qos: 1 }, () => {
      published = true;
    });
    await broker.until('acknowledged by the broker', () => connection.publishes.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(published).toBe(false);
    held?.();
    await broker.until('published', () => published);
  });

  test('hands over messages of a resumed session before it says that it is connected', async () => {
    const order: string[] = [];
    const { broker, client } = await create(
      (_packet, done) => {
        order.push('message');
        done(refused);
      },
      {
        connect: () => 'silent',
      },
    );
    client.on('connect', () => void order.push('connect'));
    const connection = await broker.connection(0);
    connection.raw(
      Buffer.concat([
        generate({ cmd: 'connack', returnCode: 0, sessionPresent: true }),
        generate({
          cmd: 'publish',
          topic: 't',
          payload: 'a',
          qos: 1,
          messageId: 1,
          dup: true,
          retain: false,
        }),
      ]),
    );
    await broker.until('both', () => order.length === 2);
    expect(order).toContain('message');
  });

  test('says whether the session is present', async () => {
    const { broker, client } = await create((_packet, done) => done(refused), {
      connect: () => ({ sessionPresent: true }),
    });
    let present: boolean | undefined;
    client.on('connect', ({ sessionPresent }) => {
      present = sessionPresent;
    });
    await broker.until('connected', () => present !== undefined);
    expect(present).toBe(true);
  });

  test('gives up after a loss, and never calls back for what was in flight', async () => {
    const { broker, client } = await create((_packet, done) => done(refused), { publish: () => 'silent' });
    let called = false;
    let closed = false;
    client.on('close', () => {
      closed = true;
    });
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    client.publish('t', 'ours', { qos: 1 }, () => {
      called = true;
    });
    await broker.until('the publish', () => connection.publishes.length === 1);
    connection.drop();
    await broker.until('closed', () => closed);
    await new Promise((resolve) => setImmediate(resolve));
    expect(called).toBe(false);
    expect(client.reconnecting).toBe(false);
    expect(broker.connections).toHaveLength(1);
  });

  test('reports a refusal with the code of the CONNACK, and closes', async () => {
    const { broker, errors } = await create((_packet, done) => done(refused), {
      connect: () => ({ returnCode: 5 }),
    });
    const connection = await broker.connection(0);
    await broker.until('refused', () => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 5 });
    await broker.until('closed', () => connection.closed);
  });

  test('reports what each subscription was granted', async () => {
    const { broker, client } = await create((_packet, done) => done(refused), { subscribe: () => [1, 0] });
    await broker.until('connected', () => client.connected);
    const granted = await client.subscribeAsync(['a', 'b'], { qos: 1 });
    expect(granted.map(({ topic, qos }) => [topic, qos])).toEqual([
      ['a', 1],
      ['b', 0],
    ]);
  });

  test('fails the subscribe when one is refused', async () => {
    const { broker, client } = await create((_packet, done) => done(refused), { subscribe: () => [1, 0x80] });
    await broker.until('connected', () => client.connected);
    await expect(client.subscribeAsync(['a', 'b'], { qos: 1 })).rejects.toThrow();
  });

  test('emits an error, and does not close, on bytes that are not MQTT', async () => {
    const { broker, errors, client } = await create((_packet, done) => done(refused));
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    connection.raw(Buffer.from([0x00, 0x00]));
    await broker.until('an error', () => errors.length > 0);
    expect(client.stream.destroyed).toBe(false);
  });

  test('handles packets it has parsed although the connection is closed, and survives it only without end', async () => {
    const seen: string[] = [];
    const { broker, client } = await create((packet, done) => {
      seen.push(packet.payload.toString());
      if (seen.length === 1) client.stream.destroy();
      // The rest of the same read is handled after the close.
      setImmediate(() => done(refused));
    });
    let published = false;
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    broker.script.publish = () => 'silent';
    client.publish('t', 'ours', { qos: 1 }, () => {
      published = true;
    });
    await broker.until('the publish', () => connection.publishes.length === 1);
    connection.raw(
      Buffer.concat([
        generate({
          cmd: 'publish',
          topic: 't',
          payload: 'a',
          qos: 1,
          messageId: 1,
          dup: false,
          retain: false,
        }),
        generate({ cmd: 'puback', messageId: connection.publishes[0]?.messageId ?? 0 }),
        generate({
          cmd: 'publish',
          topic: 't',
          payload: 'b',
          qos: 1,
          messageId: 2,
          dup: false,
          retain: false,
        }),
      ]),
    );
    await broker.until('all of it', () => seen.length === 2);
    expect(published).toBe(true);
  });

  test('acknowledges by itself, at once, what is not refused to it', async () => {
    const { broker } = await create((_packet, done) => done());
    const connection = await broker.connection(0);
    connection.publish({ topic: 't', payload: 'a' });
    await broker.until('the PUBACK', () => connection.pubacks.length === 1);
  });

  test('sends a late acknowledgement on the next connection, for another message', async () => {
    const held: Array<() => void> = [];
    const { broker } = await create(
      (_packet, done) => void held.push(() => done()),
      {},
      { reconnectPeriod: 1 },
    );
    const first = await broker.connection(0);
    first.publish({ topic: 't', payload: 'old', messageId: 7 });
    await broker.until('held', () => held.length === 1);
    first.drop();
    const second = await broker.connection(1);
    await broker.until('first is closed', () => first.closed);
    held[0]?.();
    await broker.until('the wrong PUBACK', () => second.pubacks.length === 1);
    expect(second.pubacks).toEqual([7]);
  });
});

describe('mqtt-packet', () => {
  test('keeps a packet of any size until it is whole', () => {
    const packets = parser();
    packets.parse(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x64]));
    let kept = 0;
    for (let index = 0; index < 64; index += 1) kept = packets.parse(Buffer.alloc(64 * 1024));
    expect(kept).toBe(4 * 1024 * 1024);
  });
});
