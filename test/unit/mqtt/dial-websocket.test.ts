import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { generate } from 'mqtt-packet';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { TlsMaterial } from '../../../src/base/tls.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import type { Connected, Incoming } from '../../../src/mqtt/connector.ts';
import { createMqttConnector } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import { createCertificates } from '../../helpers/certificates.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { ClientFrames, frame, upgradeAnswer } from '../../helpers/websocket.ts';

const topics = createTopics('yggdrasil', 'host');

interface Opened {
  readonly connecting: Promise<Connected>;
  readonly received: Incoming[];
  readonly closes: Error[];
}

/** A server that answers an upgrade like `answer` does, and a connector that goes there. */
async function open(
  answer: (socket: Duplex, request: IncomingMessage) => void,
  { secure = false, tls = {} }: { readonly secure?: boolean; readonly tls?: TlsMaterial } = {},
): Promise<Opened> {
  const { server: pair } = secure ? createCertificates(testScope()) : { server: undefined };
  const server = pair
    ? createTlsServer({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) })
    : createServer();
  server.on('tlsClientError', () => {});
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket) => {
    upgraded.add(socket);
    socket.on('error', () => {});
    answer(socket, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const connector = createMqttConnector({
    brokers: [parseBrokerAddress(`${secure ? 'wss' : 'ws'}://127.0.0.1:${port}/mqtt?a=b`)],
    topics,
    clientId: 'host',
    tls: () => tls,
    clock: systemClock,
    log: silentLogger,
    options: () => ({ primeTopic: false, connectTimeout: 8_000 }),
  });
  onTestFinished(async () => {
    await connector.close();
    for (const socket of upgraded) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const received: Incoming[] = [];
  const closes: Error[] = [];
  const receiver = {
    onMessage: (message: Incoming) => void received.push(message),
    onClose: (reason: Error) => void closes.push(reason),
  };
  const will = Buffer.from('gone');
  const connecting = connector.connect(receiver, { will, abort: new AbortController().signal });
  connecting.catch(() => {});
  return { connecting, received, closes };
}

function accept(socket: Duplex, { headers }: IncomingMessage): void {
  socket.write(upgradeAnswer(String(headers['sec-websocket-key'])));
}

const connack = generate({ cmd: 'connack', returnCode: 0, sessionPresent: false });
const message = generate({
  cmd: 'publish',
  topic: topics.dataIn,
  payload: 'x',
  qos: 1,
  messageId: 1,
  retain: false,
  dup: false,
});

test('packets are read out of frames, wherever these begin and end', async () => {
  let asked: IncomingMessage | undefined;
  const { connecting, received } = await open((socket, request) => {
    asked = request;
    accept(socket, request);
    socket.once('data', () => {
      socket.write(frame(connack.subarray(0, 3)));
      socket.write(frame(connack.subarray(3)));
      socket.once('data', (chunk: Buffer) => {
        const messageId = new ClientFrames().take(chunk).readUInt16BE(2);
        socket.write(frame(generate({ cmd: 'suback', messageId, granted: [1, 1] })));
        socket.write(Buffer.concat([frame(message.subarray(0, 5)), frame(message.subarray(5))]));
      });
    });
  });
  await connecting;
  await waitFor(() => received.length === 1, { what: 'the message' });
  expect(asked?.url).toBe('/mqtt?a=b');
  expect(asked?.headers['sec-websocket-protocol']).toBe('mqtt');
  expect(asked?.headers['sec-websocket-extensions']).toBeUndefined();
});

test('a frame that is announced with a gigabyte ends the connection at once', async () => {
  const { connecting } = await open((socket, request) => {
    accept(socket, request);
    socket.write(frame(Buffer.alloc(100), 2 ** 30));
  });
  await expect(connecting).rejects.toThrow(/payload size/i);
});

test.each([
  ['401 Unauthorized', 'YGG_BROKER_REFUSED'],
  ['404 Not Found', 'YGG_BROKER_UNREACHABLE'],
  ['302 Found\r\nLocation: ws://127.0.0.1:1/', 'YGG_BROKER_UNREACHABLE'],
])('an upgrade that is answered %s is no connection', async (status, code) => {
  const { connecting } = await open((socket) =>
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`),
  );
  await expect(connecting).rejects.toMatchObject({ code });
});

test('a certificate that nobody vouches for is refused', async () => {
  const { connecting } = await open(accept, { secure: true });
  await expect(connecting).rejects.toThrow(/certificate|issuer|self.signed/i);
});
