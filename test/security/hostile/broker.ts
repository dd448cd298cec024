/**
 * A broker that says whatever it likes to a connection as the daemon has it: MQTT.js behind the packet filter, and the
 * readers of messages behind that. One connection in four is a websocket.
 *
 * What must hold: nothing throws where nobody catches it, every connection that the broker ends is told as ended, and
 * the client subscribes and publishes on its own four topics alone.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import fc, { type Arbitrary } from 'fast-check';
import { generate, type Packet, parser } from 'mqtt-packet';
import { systemClock } from '../../../src/base/clock.ts';
import { YggError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { parseCommand, parseData, peekMessage } from '../../../src/messages.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import type { Incoming } from '../../../src/mqtt/connector.ts';
import { createMqttConnector } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import { near } from '../../helpers/near-inputs.ts';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { type Faults, watchFaults } from './faults.ts';
import { type Framing, framings, type Line, overSocket, overWebsocket } from './websocket.ts';

/** One connection: what the broker answers to CONNECT and SUBSCRIBE, and what it says then. */
interface Visit {
  readonly version: Version;
  readonly connack: Uint8Array;
  readonly suback: Uint8Array;
  readonly frames: readonly Uint8Array[];
  /** Bytes of each write. */
  readonly piece: number;
  /** Not set: no websocket. */
  readonly framing: Framing | undefined;
}

export interface Hostility {
  /** Generated inputs that were said. */
  readonly inputs: number;
  readonly connections: number;
  /** Connections that were refused or cut by the client before the broker ended them. */
  readonly ended: number;
  /** Messages that were taken for such. */
  readonly taken: number;
  /** Those of them that came over websockets. */
  readonly overWebsockets: number;
  readonly failures: readonly string[];
}

const topics = createTopics('yggdrasil', 'host');
const ownTopics: ReadonlySet<string> = new Set(Object.values(topics));
const framesPerVisit = 32;
const visitsAtOnce = 4;

type Version = 4 | 5;

const packet = (value: Packet, protocolVersion: Version = 4): Buffer => generate(value, { protocolVersion });

const messages = fc.record({
  topic: fc.oneof(
    fc.constantFrom(topics.dataIn, topics.controlIn),
    fc.constantFrom(topics.dataOut, `${topics.dataIn}/x`, '$SYS/x'),
    fc.string({ minLength: 1 }),
  ),
  payload: fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(
      '{"type":"data","message_id":"1","directive":"echo","metadata":{},"content":"x"}',
      '{"type":"command","message_id":"2","content":{"command":"ping","arguments":null}}',
      '{"type":"command","message_id":"3","content":{"command":"reconnect","arguments":{"delay":"-1"}}}',
    ),
  ),
  qos: fc.constantFrom<0 | 1>(0, 1),
  retain: fc.boolean(),
  dup: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});

/** Packets that have their place in a conversation, if not here. */
const others: Arbitrary<Uint8Array> = fc.constantFrom(
  packet({ cmd: 'puback', messageId: 1 }),
  packet({ cmd: 'pubrec', messageId: 1 }),
  packet({ cmd: 'pubrel', messageId: 1 }),
  packet({ cmd: 'pubcomp', messageId: 1 }),
  packet({ cmd: 'suback', messageId: 1, granted: [1, 1] }),
  Buffer.from([0xb0, 2, 0, 1]),
  packet({ cmd: 'pingreq' }),
  packet({ cmd: 'pingresp' }),
);

/** Packets after which nothing is as it was. */
const lastWords: Arbitrary<Uint8Array> = fc.constantFrom(
  packet({ cmd: 'disconnect' }),
  packet({ cmd: 'connack', returnCode: 0, sessionPresent: false }),
  packet({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: 'x',
    keepalive: 1,
  }),
  packet({
    cmd: 'publish',
    topic: topics.dataIn,
    payload: 'x',
    qos: 2,
    retain: false,
    dup: false,
    messageId: 9,
  }),
  // 256 MiB that never come, and a length that does not end.
  Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61]),
  Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]),
);

/** Packets of any type that are too short for what they should say. */
const stumps: Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom(0x20, 0x30, 0x32, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0, 0xe0, 0xf0),
    fc.uint8Array({ maxLength: 3 }),
  )
  .map(([first, body]) => Buffer.from([first, body.length, ...body]));

const last: Arbitrary<Uint8Array> = fc.oneof(lastWords, stumps);

/** What a broker that took the host would answer, in either version; the packet id is put in when it is known. */
const welcome = {
  4: { connack: Buffer.from([0x20, 2, 0, 0]), suback: Buffer.from([0x90, 4, 0, 0, 1, 1]) },
  5: { connack: Buffer.from([0x20, 3, 0, 0, 0]), suback: Buffer.from([0x90, 5, 0, 0, 0, 1, 1]) },
} as const;

function visitsOf(version: Version): Arbitrary<Visit> {
  const { connack, suback } = welcome[version];
  const publishes = messages.map((fields) => packet({ cmd: 'publish', ...fields }, version));
  return fc.record({
    version: fc.constant(version),
    connack: fc.oneof(
      { weight: 12, arbitrary: fc.constant(connack) },
      { weight: 1, arbitrary: near(fc.constant(connack)) },
      {
        weight: 1,
        arbitrary: fc
          .nat(255)
          .map((code) => Buffer.concat([connack.subarray(0, 3), Buffer.from([code]), connack.subarray(4)])),
      },
    ),
    suback: fc.oneof(
      { weight: 12, arbitrary: fc.constant(suback) },
      { weight: 1, arbitrary: near(fc.constant(suback)) },
      {
        weight: 1,
        arbitrary: fc.nat(255).map((code) => Buffer.concat([suback.subarray(0, -1), Buffer.from([code])])),
      },
    ),
    frames: fc.array(
      fc.oneof(
        // Most of them make sense, so that what comes behind is read.
        { weight: 40, arbitrary: publishes },
        { weight: 10, arbitrary: others },
        { weight: 1, arbitrary: last },
        { weight: 1, arbitrary: near(fc.oneof(publishes, others, last)) },
      ),
      { minLength: framesPerVisit, maxLength: framesPerVisit },
    ),
    piece: fc.integer({ min: 1, max: 4_096 }),
    framing: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: framings }),
  });
}

const visits = fc.oneof(visitsOf(4), visitsOf(5));

/** Says `inputs` generated frames to connection after connection. */
export async function hostileBroker(
  scope: Scope,
  { seed, inputs }: { readonly seed: number; readonly inputs: number },
): Promise<Hostility> {
  const faults = watchFaults(scope);
  const tally = { inputs: 0, connections: 0, ended: 0, taken: 0, overWebsockets: 0 };
  const wanted = Math.ceil(inputs / framesPerVisit);
  // In portions: a list of all of them would be kept in memory.
  for (let done = 0, portion = 0; done < wanted; portion += 1) {
    const size = Math.min(500, wanted - done);
    const list = fc.sample(visits, { seed: seed + portion, numRuns: size });
    const queue = list.values();
    const worker = async (): Promise<void> => {
      for (const visit of queue) {
        const { ended, taken } = await meet(visit, faults);
        tally.inputs += visit.frames.length;
        tally.connections += 1;
        tally.ended += ended ? 1 : 0;
        tally.taken += taken;
        if (visit.framing) tally.overWebsockets += taken;
      }
    };
    await Promise.all(Array.from({ length: visitsAtOnce }, worker));
    done += size;
  }
  return { ...tally, failures: faults.list };
}

async function meet(
  visit: Visit,
  faults: Faults,
): Promise<{ readonly ended: boolean; readonly taken: number }> {
  let taken = 0;
  let closed = false;
  let ended = false;
  const server = await listen((socket) => {
    socket.once('close', () => {
      ended = true;
    });
    serve(socket, visit, faults);
  });
  const { port } = server.address() as AddressInfo;
  const connector = createMqttConnector({
    brokers: [parseBrokerAddress(`${visit.framing ? 'ws' : 'mqtt'}://127.0.0.1:${port}`)],
    topics,
    clientId: 'host',
    tls: () => ({}),
    clock: systemClock,
    log: silentLogger,
    options: () => ({ version: visit.version, connectTimeout: 5_000, maxMessageSize: 64 * 1024 }),
  });
  const abort = new AbortController();
  try {
    const receiver = {
      onMessage(message: Incoming): void {
        taken += 1;
        read(message, faults);
        if (taken % 3 === 0) message.leave();
        else message.acknowledge();
      },
      onClose(): void {
        closed = true;
      },
    };
    const connected = await connector
      .connect(receiver, { will: Buffer.from('{}'), abort: abort.signal })
      .then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof YggError)) faults.add(`connecting: ${String(error)}`);
          return false;
        },
      );
    // The broker ends every connection when it has said all.
    if (connected) {
      await waitFor(() => closed, { what: 'the end', deadline: 20_000 }).catch((error: Error) =>
        faults.add(`${error.message} of ${Buffer.concat(visit.frames).toString('base64').slice(0, 2_000)}`),
      );
    }
  } finally {
    abort.abort();
    await connector.close();
    await new Promise((resolve) => server.close(resolve));
  }
  return { ended, taken };
}

function read({ payload, topic }: Incoming, faults: Faults): void {
  for (const reader of [peekMessage, topic === 'control/in' ? parseCommand : parseData]) {
    try {
      reader(payload);
    } catch (error) {
      if (!(error instanceof YggError)) faults.add(`reading: ${String(error)}`);
    }
  }
}

function serve(socket: Socket, visit: Visit, faults: Faults): void {
  const { version, connack, suback, frames, piece, framing } = visit;
  const packets = parser({ protocolVersion: version });
  socket.on('error', () => {});
  const onBytes = (bytes: Buffer): void => void packets.parse(bytes);
  const line = framing ? overWebsocket(socket, framing, onBytes) : overSocket(socket, onBytes);
  packets.on('packet', (said) => {
    if (said.cmd === 'connect') line.write(connack);
    if (said.cmd === 'publish' && !ownTopics.has(said.topic)) faults.add(`published on ${said.topic}`);
    if (said.cmd !== 'subscribe') return;
    for (const { topic } of said.subscriptions) {
      if (!ownTopics.has(topic)) faults.add(`subscribed ${topic}`);
    }
    // Most generated answers are to be taken for the answer to this.
    const answer = Buffer.from(suback);
    if (answer[0] === 0x90 && answer.length > 3) answer.writeUInt16BE(said.messageId ?? 0, 2);
    line.write(answer);
    void say(socket, line, Buffer.concat(frames), piece);
  });
  packets.on('error', (error) => faults.add(`the client's own bytes: ${error.message}`));
  // Whoever does not subscribe, for what it was told, is left after a while.
  setTimeout(() => socket.destroy(), 8_000).unref();
}

async function say(socket: Socket, line: Line, bytes: Buffer, piece: number): Promise<void> {
  for (let at = 0; at < bytes.length && socket.writable; at += piece) {
    line.write(bytes.subarray(at, at + piece));
    if (at % (piece * 16) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

function listen(accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer(accept);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
