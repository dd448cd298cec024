import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  clearPlaces,
  ownPlace,
  type SocketPlaceDeps,
  userPlace,
} from '../../../src/dispatcher/socket-place.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const uid = process.getuid?.() ?? 0;
/** Stands for another user: whose files are looked at, and where. */
const owner = { name: 'somebody', uid, gid: process.getgid?.() ?? 0 };

let scope: Scope;
let clock: HandClock;
let deps: SocketPlaceDeps;

beforeEach(() => {
  scope = testScope();
  clock = new HandClock();
  const folder = tempDir(scope);
  const runtimeDirectory = path.join(folder, 'run');
  mkdirSync(runtimeDirectory);
  deps = {
    runtimeDirectory,
    userSocketsDirectory: `${runtimeDirectory}-workers`,
    random: Math.random,
    clock,
  };
});

/** Listens at the path and says its name to whoever connects. */
async function listen(socket: string, name: string): Promise<Server> {
  const server = createServer((connection) => connection.end(name));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  scope.defer(() => void server.close());
  return server;
}

function call(socket: string): Promise<string> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('data', (bytes) => resolve(bytes.toString()));
    connection.on('error', (error) => resolve(error.message));
  });
}

test("the daemon's own workers are called where they listen", async () => {
  const place = ownPlace(deps);
  const socket = place.newPath();
  expect(path.dirname(socket)).toBe(deps.runtimeDirectory);
  expect([place.mode, place.reach(socket).path]).toEqual([0o600, socket]);
});

describe('a worker of another user', () => {
  test('listens in that directory, and is called by a name of our own', async () => {
    const place = userPlace(deps, owner);
    const socket = place.newPath();
    expect(path.dirname(socket)).toBe(path.join(deps.userSocketsDirectory, 'somebody'));
    const reached = place.reach(socket);
    expect(path.dirname(reached.path)).toBe(path.join(deps.userSocketsDirectory, '.daemon'));
    reached.seek(true);
    clock.wind(100);
    expect(existsSync(reached.path)).toBe(false);
    await listen(socket, 'the worker');
    clock.wind(100);
    expect(await call(reached.path)).toBe('the worker');
    reached.remove();
    expect([socket, reached.path].filter((file) => existsSync(file))).toEqual([]);
  });

  test('is found again when it listens anew at the same path', async () => {
    const place = userPlace(deps, owner);
    const socket = place.newPath();
    const reached = place.reach(socket);
    reached.seek(true);
    const first = await listen(socket, 'first');
    clock.wind(100);
    reached.seek(false);
    await new Promise((resolve) => first.close(resolve));
    await listen(socket, 'second');
    clock.wind(100);
    expect(await call(reached.path)).not.toBe('second');
    reached.seek(true);
    clock.wind(200);
    expect(await call(reached.path)).toBe('second');
    expect(readdirSync(path.dirname(reached.path))).toEqual([path.basename(reached.path)]);
  });

  test('cannot lead the daemon to a socket of somebody else, by a link or by exchanging it later', async () => {
    const place = userPlace(deps, owner);
    const socket = place.newPath();
    const other = path.join(deps.runtimeDirectory, 'other.sock');
    await listen(other, 'somebody else');
    const reached = place.reach(socket);
    reached.seek(true);
    symlinkSync(other, socket);
    clock.wind(200);
    expect(lstatSync(reached.path, { throwIfNoEntry: false })).toBeUndefined();
    rmSync(socket);
    await listen(socket, 'the worker');
    clock.wind(200);
    renameSync(socket, `${socket}.away`);
    symlinkSync(other, socket);
    expect(await call(reached.path)).toBe('the worker');
  });

  test('cannot have something called that is no socket, or that belongs to another user', async () => {
    const place = userPlace(deps, owner);
    const [file, foreign] = [place.newPath(), place.newPath()];
    writeFileSync(file, 'text');
    await listen(foreign, 'somebody else');
    const reached = [place.reach(file), userPlaceOf(uid + 1).reach(foreign)];
    for (const socket of reached) socket.seek(true);
    clock.wind(500);
    expect(reached.map((socket) => existsSync(socket.path))).toEqual([false, false]);
    expect(readdirSync(path.join(deps.userSocketsDirectory, '.daemon'))).toEqual([]);
  });

  /** The same directory, as if its owner had another uid; only looked at. */
  function userPlaceOf(other: number): ReturnType<typeof userPlace> {
    const pretended = { ...owner, name: 'another', uid };
    const place = userPlace(deps, pretended);
    pretended.uid = other;
    return place;
  }

  test('does not end the daemon by putting a directory in the place of a socket', async () => {
    const place = userPlace(deps, owner);
    const socket = place.newPath();
    const reached = place.reach(socket);
    reached.seek(true);
    mkdirSync(socket);
    clock.wind(100);
    expect(() => reached.remove()).not.toThrow();
  });
});

test('what a killed daemon left is removed from every directory, and nothing else', async () => {
  const place = userPlace(deps, owner);
  const left = [place.newPath(), ownPlace(deps).newPath(), place.reach(place.newPath()).path];
  const kept = path.join(deps.userSocketsDirectory, 'somebody', 'worker.sock');
  for (const socket of [...left, kept]) await listen(socket, 'left');
  clearPlaces(deps);
  expect(left.filter((socket) => existsSync(socket))).toEqual([]);
  expect(existsSync(kept)).toBe(true);
});
