import { connect } from 'node:net';
import path from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type DispatcherSocket, openDispatcherSocket } from '../../../src/rpc/dispatcher-socket.ts';
import { loadProtocol } from '../../../src/rpc/protocol.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const protocol = loadProtocol();
/** A client's first bytes (RFC 9113, 3.4), and a frame that is larger than any may be. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
const oversizeFrame = Buffer.from('ffffff000000000001', 'hex');

async function open(silence: number): Promise<DispatcherSocket> {
  const scope = testScope();
  const socket = await openDispatcherSocket({
    path: path.join(tempDir(scope), 'd.sock'),
    protocol,
    calls: {
      register: () => Promise.resolve('/socket'),
      send: (_response, answer) => answer(undefined),
      attach: () => {},
      settings: () => {
        throw new Error('not asked for');
      },
    },
    receiveLimit: 1024,
    frameLimit: 1024,
    silence,
  });
  scope.defer(() => socket.close());
  return socket;
}

test('a connection that made no sense and went does not stay', async () => {
  const socket = await open(200);
  for (let count = 0; count < 10; count += 1) {
    const stranger = connect(socket.path);
    stranger.on('error', () => {});
    stranger.write(Buffer.concat([preface, oversizeFrame]));
    await new Promise((resolve) => stranger.once('data', resolve));
    stranger.destroy();
  }
  await expect.poll(() => socket.connections, { timeout: 5_000 }).toBe(0);
});

test('a silent worker that is there keeps its connection', async () => {
  const socket = await open(100);
  const client = new Client(`unix:${socket.path}`, credentials.createInsecure());
  const { Register } = protocol.dispatcher;
  const register = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const request = { handler: 'echo', pid: 1, detachedContent: false, features: {} };
      client.makeUnaryRequest(
        Register.path,
        Register.requestSerialize,
        Register.responseDeserialize,
        request,
        (error, answer) => (error ? reject(error) : resolve(answer?.registered ?? false)),
      );
    });
  expect(await register()).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(socket.connections).toBe(1);
  expect(await register()).toBe(true);
  client.close();
});
