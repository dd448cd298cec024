import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  addressFor,
  checkSocketPath,
  newSocketPath,
  removeLeftSockets,
  removeStaleSocket,
} from '../../../src/rpc/address.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

test.each([
  ['grpc-go/1.58.3', '/run/y/a.s'],
  ['mine/1.0 grpc-go/1.58.3', '/run/y/a.s'],
  ['grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)', 'unix:/run/y/a.s'],
  ['grpc-ruby/1.50.0 grpc-c/28.0.0 (linux; chttp2)', 'unix:/run/y/a.s'],
  ['grpc-node-js/1.14.7', 'unix:/run/y/a.s'],
  ['', 'unix:/run/y/a.s'],
])('the address for %j', (userAgent, address) => {
  expect(addressFor(userAgent, '/run/y/a.s')).toBe(address);
});

test('107 bytes are a path, 108 are not, and letters are not bytes', () => {
  expect(() => checkSocketPath(`/${'a'.repeat(106)}`)).not.toThrow();
  expect(() => checkSocketPath(`/${'a'.repeat(107)}`)).toThrow(
    expect.objectContaining({ code: 'YGG_PATH_TOO_LONG' }),
  );
  expect(() => checkSocketPath(`/${'é'.repeat(54)}`)).toThrow('109 bytes');
});

test('a new path has eight characters and nobody uses it', () => {
  const folder = tempDir(testScope());
  const numbers = [0, 0, 0.5];
  const random = (): number => numbers.shift() ?? 0.9;
  const first = newSocketPath(folder, random);
  expect(path.basename(first)).toBe('00000000.s');
  writeFileSync(first, '');
  expect(path.basename(newSocketPath(folder, random))).toMatch(/^[a-z1-9][a-z0-9]{7}\.s$/);
});

test('sockets that a killed daemon left go, and nothing else', async () => {
  const scope = testScope();
  const folder = tempDir(scope);
  for (const name of ['abcdefgh.s', 'dispatcher.sock']) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path.join(folder, name), resolve));
    scope.defer(() => void server.close());
  }
  writeFileSync(path.join(folder, '01234567.s'), '');
  removeLeftSockets(folder);
  expect(readdirSync(folder).sort()).toEqual(['01234567.s', 'dispatcher.sock']);
});

describe('what lies where a socket is to be', () => {
  test('a file that is no socket stays', async () => {
    const file = path.join(tempDir(testScope()), 'dispatcher.sock');
    writeFileSync(file, 'precious');
    await expect(removeStaleSocket(file)).rejects.toMatchObject({ code: 'YGG_ALREADY_RUNNING' });
  });

  test('a socket somebody listens on stays', async () => {
    const scope = testScope();
    const file = path.join(tempDir(scope), 'dispatcher.sock');
    const server = createServer();
    scope.defer(() => void server.close());
    await new Promise<void>((resolve) => server.listen(file, resolve));
    await expect(removeStaleSocket(file)).rejects.toThrow('Another daemon listens on');
  });
});
