/** What the connection relies on in MQTT.js and mqtt-packet; an upgrade that changes it has to be noticed. */
import { connect } from 'node:net';
import { type IClientOptions, MqttClient } from 'mqtt';
import { type IPublishPacket, parser } from 'mqtt-packet';
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

const refuse: Handler = (_packet, done) => done(new Error('not wanted'));

describe('MQTT.js', () => {
  test('says whether the session is present', async () => {
    const { broker, client } = await create(refuse, {
      connect: () => ({ sessionPresent: true }),
    });
    let present: boolean | undefined;
    client.on('connect', ({ sessionPresent }) => {
      present = sessionPresent;
    });
    await broker.until('connected', () => present !== undefined);
    expect(present).toBe(true);
  });

  test('gives up after a loss', async () => {
    const { broker, client } = await create(refuse);
    let closed = false;
    client.on('close', () => {
      closed = true;
    });
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    connection.drop();
    await broker.until('closed', () => closed);
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.reconnecting).toBe(false);
    expect(broker.connections).toHaveLength(1);
  });

  test('pings, and is content with the answers, though it sees nothing else', async () => {
    let pings = 0;
    const ping = (): boolean => {
      pings += 1;
      return true;
    };
    const { broker, client, errors } = await create(refuse, { ping }, { keepalive: 1 });
    await broker.until('three pings', () => pings === 3);
    expect([client.connected, errors]).toEqual([true, []]);
  });

  test('reports a refusal with the code of the CONNACK, and closes', async () => {
    const { broker, errors } = await create(refuse, {
      connect: () => ({ returnCode: 5 }),
    });
    const connection = await broker.connection(0);
    await broker.until('refused', () => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 5 });
    await broker.until('closed', () => connection.closed);
  });

  test('reports what each subscription was granted', async () => {
    const { broker, client } = await create(refuse, { subscribe: () => [1, 0] });
    await broker.until('connected', () => client.connected);
    const granted = await client.subscribeAsync(['a', 'b'], { qos: 1 });
    expect(granted.map(({ topic, qos }) => [topic, qos])).toEqual([
      ['a', 1],
      ['b', 0],
    ]);
  });

  test('fails the subscribe when one is refused', async () => {
    const { broker, client } = await create(refuse, { subscribe: () => [1, 0x80] });
    await broker.until('connected', () => client.connected);
    await expect(client.subscribeAsync(['a', 'b'], { qos: 1 })).rejects.toThrow();
  });

  test('emits an error, and does not close, on bytes that are not MQTT', async () => {
    const { broker, errors, client } = await create(refuse);
    const connection = await broker.connection(0);
    await broker.until('connected', () => client.connected);
    connection.raw(Buffer.from([0x00, 0x00]));
    await broker.until('an error', () => errors.length > 0);
    expect(client.stream.destroyed).toBe(false);
  });

  test('acknowledges by itself, at once', async () => {
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
