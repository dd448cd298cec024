/** What src/rpc/attach-stream.ts relies on of streams in grpc-js, so that an upgrade that changes it is noticed. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { execPath } from 'node:process';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { Child } from '../../helpers/child.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';

type ServerCall = ServerDuplexStream<Buffer, Buffer>;
type ClientCall = ClientDuplexStream<Buffer, Buffer>;

const name = '/contract.Stream/Both';
const asIs = (bytes: Buffer): Buffer => bytes;

async function serve(receiveLimit = 1024 * 1024): Promise<{ socket: string; calls: ServerCall[] }> {
  const socket = path.join(tempDir(testScope()), 's.sock');
  const calls: ServerCall[] = [];
  const server = new Server({ 'grpc.max_receive_message_length': receiveLimit });
  testScope().defer(() => server.forceShutdown());
  const take = (call: ServerCall): void => {
    call.on('error', () => {});
    calls.push(call);
  };
  server.register(name, take, asIs, asIs, 'bidi');
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return { socket, calls };
}

function dial(socket: string): ClientCall {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  testScope().defer(() => client.close());
  const call = client.makeBidiStreamRequest(name, asIs, asIs);
  call.on('error', () => {});
  testScope().defer(() => call.cancel());
  return call;
}

async function streams(receiveLimit?: number): Promise<{ client: ClientCall; server: ServerCall }> {
  const { socket, calls } = await serve(receiveLimit);
  const client = dial(socket);
  const server = await waitFor(() => calls[0], { what: 'the call' });
  return { client, server };
}

test('messages without a codec are the bytes that were written', async () => {
  const { client, server } = await streams();
  const heard: Buffer[] = [];
  server.on('data', (bytes: Buffer) => heard.push(bytes));
  client.write(Buffer.from('one'));
  client.write(Buffer.alloc(0));
  await waitFor(() => heard.length === 2, { what: 'two messages' });
  expect(heard.map(String)).toEqual(['one', '']);
});

test('an error emitted on a server stream ends it with that status, after everything that was written', async () => {
  const { client, server } = await streams();
  const heard: string[] = [];
  client.on('data', (bytes: Buffer) => heard.push(String(bytes)));
  client.on('error', ({ code, details }: ServiceError) => heard.push(`${status[code]} ${details}`));
  for (let n = 0; n < 20; n += 1) server.write(Buffer.from(String(n)));
  server.emit('error', { code: status.ABORTED, details: 'because' });
  await waitFor(() => heard.length === 21, { what: 'the end', detail: () => heard.join() });
  expect(heard.at(-1)).toBe('ABORTED because');
});

test('a server stream closes when the client is gone, and once its own end was sent', async () => {
  const { client, server } = await streams();
  let closed = 0;
  server.once('close', () => {
    closed += 1;
  });
  server.resume();
  client.cancel();
  await waitFor(() => closed === 1, { what: 'close' });
  const other = await streams();
  other.server.once('close', () => {
    closed += 1;
  });
  other.client.resume();
  other.server.end();
  await waitFor(() => closed === 2, { what: 'close of the other' });
});

test('a client that stops reading holds up the callbacks of writes; one that never began does not', async () => {
  const { client, server } = await streams();
  client.once('data', () => client.pause());
  let left = 0;
  for (let n = 0; n < 40; n += 1) server.write(Buffer.alloc(128 * 1024), () => (left += 1));
  await stays(() => left === 40, { span: 100, what: 'everything to leave' });
  client.resume();
  await waitFor(() => left === 40, { what: 'everything to leave' });
  const silent = await streams();
  for (let n = 0; n < 40; n += 1) silent.server.write(Buffer.alloc(128 * 1024), () => (left += 1));
  await waitFor(() => left === 80, { what: 'everything to be kept by the library of the other side' });
});

test('a server stream that is paused holds up the client', async () => {
  const { client, server } = await streams();
  server.pause();
  let left = 0;
  for (let n = 0; n < 20; n += 1) client.write(Buffer.alloc(128 * 1024), () => (left += 1));
  await stays(() => left === 20, { span: 100, what: 'everything to leave' });
  let heard = 0;
  server.on('data', () => {
    heard += 1;
  });
  server.resume();
  await waitFor(() => heard === 20, { what: 'everything to be heard' });
});

test('what a process wrote before it was killed is heard before its stream closes', async () => {
  const { socket, calls } = await serve();
  const library = JSON.stringify(createRequire(import.meta.url).resolve('@grpc/grpc-js'));
  const program = `
    const { Client, credentials } = require(${library});
    const asIs = (bytes) => bytes;
    const client = new Client('unix:${socket}', credentials.createInsecure());
    const call = client.makeBidiStreamRequest('${name}', asIs, asIs);
    call.on('data', () => {
      // The callback of a write says nothing about when it leaves.
      call.write(Buffer.from('last words'));
      setImmediate(() => setImmediate(() => process.kill(process.pid, 'SIGKILL')));
    });
    call.write(Buffer.from('first'));
  `;
  new Child(testScope(), execPath, ['-e', program]);
  const server = await waitFor(() => calls[0], { what: 'the call' });
  const heard: string[] = [];
  server.on('data', (bytes: Buffer) => heard.push(String(bytes)));
  server.write(Buffer.from('go'));
  server.once('close', () => heard.push('close'));
  await waitFor(() => heard.includes('close'), { what: 'close' });
  expect(heard).toEqual(['first', 'last words', 'close']);
});

test('a message over the receive limit ends the stream with RESOURCE_EXHAUSTED', async () => {
  const { client, server } = await streams(1000);
  server.resume();
  let code: number | undefined;
  client.on('error', (error: ServiceError) => {
    code = error.code;
  });
  client.resume();
  client.write(Buffer.alloc(1001));
  await waitFor(() => code !== undefined, { what: 'the end' });
  expect(code).toBe(status.RESOURCE_EXHAUSTED);
});
