/**
 * Brokers that do as they please (docs/bad-input.md): the daemon says what happened, comes back, and goes on with
 * what it has. Those that are away, freeze or restart are in `brokers.test.ts`.
 */
import { randomUUID } from 'node:crypto';
import { generate } from 'mqtt-packet';
import { beforeAll, describe, expect, test } from 'vitest';
import { dataMessage } from '../helpers/mqtt-server.ts';
import { memoryOf } from '../helpers/processes.ts';
import {
  type BrokerConnection,
  type BrokerScript,
  type ScriptedBroker,
  startScriptedBroker,
} from '../helpers/scripted-broker.ts';
import { fileScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../helpers/yggd.ts';

const topics = {
  controlIn: 'yggdrasil/test-client-0001/control/in',
  dataIn: 'yggdrasil/test-client-0001/data/in',
};

const scope = fileScope();
let broker: ScriptedBroker;
let yggd: Yggd;

beforeAll(async () => {
  broker = await startScriptedBroker();
  scope.defer(() => broker.close());
  yggd = startYggd(scope, {
    home: createHome(scope, [echoWorker()]),
    brokers: [broker.url],
    flags: [
      ...['--mqtt-reconnect-delay', '100ms', '--mqtt-connect-retry-interval', '1s'],
      ...['--mqtt-connect-timeout', '1s', '--mqtt-publish-timeout', '1s'],
    ],
  });
  await yggd.says({ msg: 'worker registered', handler: 'echo' });
});

function latest(): BrokerConnection | undefined {
  return broker.connections.at(-1);
}

/** The broker is an honest one again, and the daemon answers on the newest connection. */
async function goesOn(): Promise<BrokerConnection> {
  for (const name of ['connect', 'subscribe', 'publish'] as const) delete broker.script[name];
  const id = randomUUID();
  const ping = { type: 'command', message_id: id, version: 1, content: { command: 'ping' } };
  let asked: BrokerConnection | undefined;
  return await waitFor(
    () => {
      const connection = latest();
      if (!connection || connection.closed) return undefined;
      // Asked once on each connection: the command is known by its id.
      const subscribed = connection.received.some(({ cmd }) => cmd === 'subscribe' || cmd === 'publish');
      if (asked !== connection && subscribed) {
        asked = connection;
        connection.publish({ topic: topics.controlIn, payload: JSON.stringify(ping) });
      }
      return broker.connections.find((each) => each.texts('control/out').some((text) => text.includes(id)))
        ? connection
        : undefined;
    },
    { what: 'the pong', detail: () => yggd.output },
  );
}

/** How often this was said. */
const said = (fields: Readonly<Record<string, unknown>>): number => yggd.logged(fields).length;

async function saysAgain(fields: Readonly<Record<string, unknown>>, before: number): Promise<void> {
  await waitFor(() => said(fields) > before, {
    what: `log line ${JSON.stringify(fields)}`,
    detail: () => yggd.output,
  });
}

describe('connecting', () => {
  const refused = { msg: 'the broker refuses this host', code: 'YGG_BROKER_REFUSED', level: 'error' };
  const unreachable = { msg: 'no broker could be reached', code: 'YGG_BROKER_UNREACHABLE', level: 'warn' };

  test.each<[what: string, script: BrokerScript, line: Readonly<Record<string, unknown>>]>([
    ['refuses the host', { connect: () => ({ returnCode: 5 }) }, refused],
    ['refuses a subscription', { subscribe: () => [1, 0x80] }, refused],
    ['drops the connection', { connect: () => 'drop' }, unreachable],
    ['says nothing', { connect: () => 'silent' }, unreachable],
    ['grants nothing', { subscribe: () => 'silent' }, unreachable],
  ])('a broker that %s is said and tried again', async (_, script, line) => {
    const before = said(line);
    Object.assign(broker.script, script);
    latest()?.drop();
    await saysAgain(line, before);
    await goesOn();
  });
});

describe('connected', () => {
  const lost = { msg: 'the connection to the broker was lost', level: 'warn' };

  test.each<[what: string, bytes: Buffer]>([
    ['nonsense', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a packet of no type', Buffer.from([0x00, 0x00])],
    ['a second CONNACK', Buffer.from([0x20, 0x02, 0x00, 0x00])],
    ['a message cut in its topic', Buffer.from([0x32, 0x02, 0x00, 0x09])],
    [
      'a message with QoS 2',
      generate({
        cmd: 'publish',
        topic: topics.dataIn,
        payload: 'x',
        qos: 2,
        messageId: 9,
        retain: false,
        dup: false,
      }),
    ],
    ['a length without end', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a SUBACK of a megabyte', Buffer.from([0x90, 0x80, 0x80, 0x40])],
  ])('a broker that sends %s loses the connection', async (_, bytes) => {
    const before = said(lost);
    (await goesOn()).raw(bytes);
    await saysAgain(lost, before);
    expect(yggd.logged(lost).at(-1)).toMatchObject({ code: 'YGG_BROKER_PROTOCOL' });
    await goesOn();
  });

  test('a broker that vanishes loses the connection', async () => {
    const line = { ...lost, code: 'YGG_BROKER_LOST' };
    const before = said(line);
    (await goesOn()).drop();
    await saysAgain(line, before);
    await goesOn();
  });

  test('acknowledgements of nothing, and messages on other topics, change nothing', async () => {
    const connection = await goesOn();
    connection.send({ cmd: 'puback', messageId: 4_711 });
    connection.send({ cmd: 'suback', messageId: 4_712, granted: [0] });
    connection.send({ cmd: 'pingresp' });
    const id = connection.publish({
      topic: 'somebody/else/data/in',
      payload: dataMessage({ directive: 'echo' }).text,
    });
    await yggd.says({
      msg: 'a message came on a topic that is not ours; ignored',
      topic: 'somebody/else/data/in',
    });
    await broker.until('its PUBACK', () => connection.pubacks.includes(id));
    expect(await goesOn()).toBe(connection);
  });

  test('200 MiB in one packet are read past: acknowledged in turn, and never kept', async () => {
    const connection = await goesOn();
    const before = memoryOf(yggd.pid).anonymous;
    const head = dataMessage({ directive: 'echo', raw: '"' });
    const start = generate({
      cmd: 'publish',
      topic: topics.dataIn,
      payload: head.text.slice(0, -1),
      qos: 1,
      messageId: 60_000,
      retain: false,
      dup: false,
    });
    const size = 200 * 1024 * 1024;
    // The same packet with a longer payload: its fixed header has other bytes, the rest is the same.
    const body = start.subarray(start.length > 129 ? 3 : 2);
    const length = body.length + size;
    connection.raw(
      Buffer.concat([
        Buffer.from([
          0x32,
          (length & 0x7f) | 0x80,
          ((length >> 7) & 0x7f) | 0x80,
          ((length >> 14) & 0x7f) | 0x80,
          (length >> 21) & 0x7f,
        ]),
        body,
      ]),
    );
    let most = 0;
    for (let sent = 0; sent < size; sent += 1 << 20) {
      connection.raw(Buffer.alloc(1 << 20, 'x'));
      if (sent % (8 << 20) === 0) await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, memoryOf(yggd.pid).anonymous);
    }
    await waitFor(() => connection.pubacks.includes(60_000), { what: 'its PUBACK', deadline: 20_000 });
    most = Math.max(most, memoryOf(yggd.pid).anonymous);
    expect(most - before).toBeLessThan(64 * 1024 * 1024);
    await yggd.says({ message_id: head.id, reason: 'too-large' });
    expect(await goesOn()).toBe(connection);
  });

  test('a broker that forgets the session is subscribed to again', async () => {
    broker.script.connect = () => ({ sessionPresent: true });
    latest()?.drop();
    const kept = await broker.connection(broker.connections.length);
    await broker.until('its status', () => kept.texts('control/out').length > 0);
    expect(kept.received.map(({ cmd }) => cmd)).not.toContain('subscribe');
    kept.drop();
    const forgot = await goesOn();
    expect(forgot.received.map(({ cmd }) => cmd)).toContain('subscribe');
  });

  test('a broker that does not acknowledge an answer is left, and gets it again', async () => {
    const line = { ...lost, code: 'YGG_BROKER_LOST' };
    const connection = await goesOn();
    broker.script.publish = ({ topic }) => (topic.endsWith('data/out') ? 'silent' : 'ack');
    const { id, text } = dataMessage({ directive: 'echo', content: 'again' });
    const before = said(line);
    connection.publish({ topic: topics.dataIn, payload: text });
    await saysAgain(line, before);
    await goesOn();
    await broker.until(
      'the answer, again',
      () =>
        latest()
          ?.texts('data/out')
          .some((out) => out.includes(id)) ?? false,
    );
  });

  test('an answer that closes every connection is given up and reported, and the next one arrives', async () => {
    const { id, text } = dataMessage({ directive: 'echo', content: 'poison' });
    const connection = await goesOn();
    broker.script.publish = ({ payload }) => (payload.includes('poison') ? 'drop' : 'ack');
    connection.publish({ topic: topics.dataIn, payload: text });
    await yggd.says({ response_to: id, msg: 'a response was given up', level: 'error' }, 20_000);
    await broker.until(
      'the report',
      () =>
        latest()
          ?.texts('data/out')
          .some((out) => out.includes(id) && out.includes('publish-refused')) ?? false,
    );
    const last = await goesOn();
    const good = dataMessage({ directive: 'echo', content: 'good' });
    last.publish({ topic: topics.dataIn, payload: good.text });
    await broker.until('the next answer', () => last.texts('data/out').some((out) => out.includes(good.id)));
  });
});

test('all of it was counted', async () => {
  await yggd.stopCleanly();
  const counted = await yggd.says({ msg: 'counted since the start' });
  const lines = (msg: string, code?: string): number => said({ msg, ...(code !== undefined && { code }) });
  expect(counted).toMatchObject({
    broker_refusals: lines('the broker refuses this host'),
    broker_losses: lines('the connection to the broker was lost'),
    broker_protocol_errors: lines('the connection to the broker was lost', 'YGG_BROKER_PROTOCOL'),
    messages_foreign_topic: 1,
    messages_oversize: 1,
    responses_dead: 1,
  });
});
