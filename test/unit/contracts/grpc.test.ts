/** What src/rpc relies on of grpc-js, of Node's sockets and of C-core, so that an upgrade that changes it is noticed. */
import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { execPath } from 'node:process';
import { Client, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { type DispatcherSocket, openDispatcherSocket } from '../../../src/rpc/dispatcher-socket.ts';
import { type Data, loadProtocol } from '../../../src/rpc/protocol.ts';
import {
  type HandOver,
  openWorkerConnection,
  type WorkerConnection,
} from '../../../src/rpc/worker-connection.ts';
import { Child } from '../../helpers/child.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const protocol = loadProtocol();
const message: Data = {
  messageId: 'id',
  metadata: { k: 'v' },
  content: Buffer.from('"hello"'),
  responseTo: '',
  directive: 'echo',
};

type Answer = (error: object | null, value?: object) => void;

/** A bare worker at a path; `answer` decides what Send comes to. */
async function serve(socket: string, answer: (answer: Answer) => void): Promise<Server> {
  const server = new Server();
  testScope().defer(() => server.forceShutdown());
  const { path: name, responseSerialize, requestDeserialize } = protocol.worker.Send;
  const call = (_call: unknown, callback: Answer): void => answer(callback);
  server.register(name, call as never, responseSerialize as never, requestDeserialize, 'unary');
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

function connectTo(socket: string, options: { readonly sendDeadline?: number } = {}): WorkerConnection {
  const connection = openWorkerConnection({ path: socket, protocol, onChange: () => {}, ...options });
  testScope().defer(() => connection.close());
  return connection;
}

async function ready(connection: WorkerConnection): Promise<void> {
  await waitFor(() => connection.ready, { what: 'READY' });
}

function send(connection: WorkerConnection): Promise<HandOver> {
  return new Promise((resolve) => connection.send(message, resolve));
}

describe('the outcome of a call', () => {
  test('on a channel that is not READY: the call is never written, and grpc-js says so', async () => {
    const connection = connectTo(path.join(tempDir(testScope()), 'w.s'));
    // The first attempt has to have failed: before that a call would wait for it.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await send(connection)).toMatchObject({
      kind: 'not-sent',
      reason: expect.stringContaining('No connection established'),
    });
  });

  test('cut off by the end of the server: unclear', async () => {
    const socket = path.join(tempDir(testScope()), 'w.s');
    let taken = false;
    const server = await serve(socket, () => {
      taken = true;
    });
    const connection = connectTo(socket);
    await ready(connection);
    const outcome = send(connection);
    await waitFor(() => taken, { what: 'the call' });
    server.forceShutdown();
    expect(await outcome).toMatchObject({ kind: 'unclear' });
  });

  test('not answered: the deadline ends it', async () => {
    const socket = path.join(tempDir(testScope()), 'w.s');
    await serve(socket, () => {});
    const connection = connectTo(socket, { sendDeadline: 50 });
    await ready(connection);
    expect(await send(connection)).toEqual({ kind: 'unclear', reason: 'no answer in time' });
  });

  test.each([
    [status.INVALID_ARGUMENT, 'refused'],
    [status.RESOURCE_EXHAUSTED, 'refused'],
    [status.UNIMPLEMENTED, 'refused'],
    [status.UNKNOWN, 'worker-error'],
    [status.FAILED_PRECONDITION, 'worker-error'],
    [status.INTERNAL, 'unclear'],
    [status.UNAVAILABLE, 'unclear'],
    [status.CANCELLED, 'unclear'],
  ])('status %i from the worker: %s', async (code, kind) => {
    const socket = path.join(tempDir(testScope()), 'w.s');
    await serve(socket, (answer) => answer({ code, details: 'why' }));
    const connection = connectTo(socket);
    await ready(connection);
    expect(await send(connection)).toMatchObject({ kind });
  });
});

test('a worker that listens late is reached within 200 ms of listening', async () => {
  const socket = path.join(tempDir(testScope()), 'w.s');
  const connection = connectTo(socket);
  await new Promise((resolve) => setTimeout(resolve, 700));
  await serve(socket, (answer) => answer(null, { response: Buffer.alloc(0) }));
  const begun = performance.now();
  await ready(connection);
  expect(performance.now() - begun).toBeLessThan(200);
});

test('a map with the key __proto__ is an entry like any other', () => {
  const { requestSerialize, requestDeserialize } = protocol.worker.Send;
  const metadata = JSON.parse('{"__proto__":"x","k":"v"}');
  const { metadata: read } = requestDeserialize(requestSerialize({ ...message, metadata }));
  expect(Object.entries(read)).toEqual([
    ['__proto__', 'x'],
    ['k', 'v'],
  ]);
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
});

test('a Response without bytes is the empty message that older peers know as a receipt', () => {
  expect(protocol.worker.Send.responseSerialize({})).toHaveLength(0);
  expect(protocol.worker.Send.responseDeserialize(Buffer.alloc(0))).toMatchObject({
    response: Buffer.alloc(0),
  });
});

test('a stale file makes the bind fail, so it is removed first', async () => {
  const socket = path.join(tempDir(testScope()), 'w.s');
  const child = new Child(testScope(), execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  await child.ended();
  expect(statSync(socket).isSocket()).toBe(true);
  const server = createServer();
  const failure = await new Promise<unknown>((resolve) => server.once('error', resolve).listen(socket));
  expect(failure).toMatchObject({ code: 'EADDRINUSE' });
  const opened = await open(socket);
  expect(opened.connections).toBe(0);
});

test('a bound path has the mode that the umask leaves', async () => {
  const socket = path.join(tempDir(testScope()), 'w.s');
  await open(socket);
  expect(statSync(socket).mode & 0o777).toBe(0o600);
});

test('Node cuts a path of 120 bytes and listens somewhere else', async () => {
  const folder = tempDir(testScope());
  const long = path.join(folder, 'x'.repeat(120 - folder.length - 1));
  const server = createServer();
  testScope().defer(() => void server.close());
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(long, () => resolve(true));
  });
  // Newer ones refuse it, and then nothing can go wrong.
  if (listening) expect(readdirSync(folder)).not.toContain(path.basename(long));
});

test('requests of a process that was killed right after writing them are read to the last', async () => {
  const socket = path.join(tempDir(testScope()), 'd.s');
  const read: string[] = [];
  const opened = await open(socket, (data) => read.push(data.messageId));
  const frame = protocol.dispatcher.Send.requestSerialize(message).toString('hex');
  const child = new Child(testScope(), execPath, ['-e', fireAndDie, socket, frame]);
  await child.ended();
  expect(child.exit?.signal).toBe('SIGKILL');
  expect(await opened.drained(1_000)).toBe(true);
  expect(read).toHaveLength(20);
});

test('forceful closing ends connections that a peer keeps open', async () => {
  const socket = path.join(tempDir(testScope()), 'd.s');
  const opened = await open(socket);
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  testScope().defer(() => client.close());
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 5_000, (error) => (error ? reject(error) : resolve()));
  });
  expect(opened.connections).toBe(1);
  opened.close();
  await waitFor(() => opened.connections === 0, { what: 'the end of the connection', deadline: 1_000 });
});

async function open(socket: string, onSend: (data: Data) => void = () => {}): Promise<DispatcherSocket> {
  const opened = await openDispatcherSocket({
    path: socket,
    protocol,
    receiveLimit: 1024 * 1024,
    frameLimit: 1024 * 1024,
    calls: {
      register: () => Promise.reject(new Error('not here')),
      send: (data, answer) => {
        onSend(data);
        answer(undefined);
      },
      attach: () => {
        throw new Error('not here');
      },
      settings: () => {
        throw new Error('not here');
      },
    },
  });
  testScope().defer(() => opened.close());
  return opened;
}

/** Speaks HTTP/2 by hand: grpc-js would wait for its answers. */
const fireAndDie = `
  const [socket, hex] = process.argv.slice(1);
  const body = Buffer.from(hex, 'hex');
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]);
  const session = require('http2').connect('http://x', {
    createConnection: () => require('net').connect(socket),
  });
  session.on('remoteSettings', () => {
    for (let n = 0; n < 20; n += 1) {
      session.request({
        ':method': 'POST', ':path': '/yggdrasil.Dispatcher/Send', 'content-type': 'application/grpc', te: 'trailers',
      }).end(frame);
    }
    setImmediate(() => process.kill(process.pid, 'SIGKILL'));
  });
`;
