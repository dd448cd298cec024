/** Who becomes, stays and ceases to be the worker of a directive. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import { Child } from '../../helpers/child.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { rig, startWorker } from './rig.ts';

const one = '/workers/one-worker';
const two = '/workers/two-worker';

test('a worker registers with its features and is told where to listen', async () => {
  const bench = await rig();
  bench.process(one, { redelivery: 'until-done', concurrency: 3, timeout: 5_000 });
  const socket = await bench.prepare(one);
  const worker = await startWorker(socket, { features: { version: '1' }, detachedContent: true });
  expect(worker.registration.registered).toBe(true);
  expect(worker.registration.address).toMatch(/^unix:\/.*\/[a-z0-9]{8}\.s$/);
  expect(bench.datastore.workers.get('echo')).toMatchObject({
    ...{ handler: 'echo', pid: process.pid, file: one, features: { version: '1' }, detached: true },
    ...{ redelivery: 'until-done', slots: 3, timeout: 5_000 },
  });
  await bench.hears('register echo');
});

test('a Go worker gets a bare path, all others a URI', async () => {
  const bench = await rig();
  const shared = path.join(bench.folder, 'dispatcher.sock');
  const go = await startWorker(shared, { handler: 'go', userAgent: 'grpc-go/1.58.3', mute: true });
  const python = 'grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)';
  const other = await startWorker(shared, { handler: 'python', userAgent: python, mute: true });
  expect(go.registration.address).toMatch(/^\//);
  expect(other.registration.address).toMatch(/^unix:\//);
});

test('a worker that registers twice keeps what it has in hand, and is called where it listens', async () => {
  const bench = await rig();
  bench.process(one);
  const worker = await startWorker(await bench.prepare(one));
  bench.hand();
  await bench.hears('dispatch 1 attempt 1');
  const again = await worker.register({ features: { more: 'yes' } });
  expect(again.registered).toBe(true);
  expect(again.address).not.toBe(worker.registration.address);
  expect(bench.datastore.workers.get('echo')?.features).toEqual({ more: 'yes' });
  await worker.answer();
  await bench.hears('settle 1 done');
  const next = bench.hand();
  await bench.hears(`dispatch ${next} attempt 1`);
  expect(worker.taken).toHaveLength(2);
});

test('one that registers and does not listen is named once, after a minute', async () => {
  const lines: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (fields, sentence) => lines.push([fields, sentence]) };
  const bench = await rig({ log });
  bench.process(one);
  await startWorker(await bench.prepare(one), { mute: true });
  bench.clock.wind(59_000);
  expect(lines).toEqual([]);
  bench.clock.wind(120_000);
  expect(lines).toEqual([[{ handler: 'echo', worker: one }, expect.stringContaining('not listening')]]);
});

test('one process may take several directives', async () => {
  const bench = await rig();
  bench.process(one);
  const worker = await startWorker(await bench.prepare(one), { mute: true });
  const second = await worker.register({ handler: 'other' });
  expect(second.registered).toBe(true);
  expect(second.address).not.toBe(worker.registration.address);
  bench.die(one);
  await bench.hears('unregister echo');
  await bench.hears('unregister other');
});

test.each([
  ['', 'empty'],
  ['../etc', 'a path'],
  ['-x', 'an option'],
  ['a'.repeat(129), 'too long'],
  ['a b', 'a space'],
])('%j is no handler: %s', async (handler) => {
  const bench = await rig();
  bench.process(one);
  const worker = await startWorker(await bench.prepare(one), { handler });
  expect(worker.registration.registered).toBe(false);
  expect(worker.refusal).toContain('is no name');
  expect(bench.counters.get('registrations_refused')).toBe(1);
});

test('more features than a status may carry are refused', async () => {
  const bench = await rig();
  bench.process(one);
  const worker = await startWorker(await bench.prepare(one), {
    features: { list: 'x'.repeat(16 * 1024 - 3) },
  });
  expect(worker.registration.registered).toBe(false);
  expect(worker.refusal).toBe('The features of echo have 16385 bytes and may have 16384.');
  expect((await worker.register({ features: { list: 'x'.repeat(16 * 1024 - 4) } })).registered).toBe(true);
});

test('more handlers than one worker may have are refused, and the others stay', async () => {
  const bench = await rig();
  bench.process(one);
  const worker = await startWorker(await bench.prepare(one), { mute: true });
  for (let count = 1; count < 64; count += 1) {
    expect((await worker.register({ handler: `more-${count}` })).registered).toBe(true);
  }
  expect((await worker.register({ handler: 'too-many' })).registered).toBe(false);
  expect(bench.datastore.workers.all()).toHaveLength(64);
});

describe('a handler that is taken', () => {
  test('stays with a live holder, and the loser is told whose it is', async () => {
    const bench = await rig({ clock: systemClock });
    bench.process(one);
    bench.process(two);
    await startWorker(await bench.prepare(one));
    const loser = await startWorker(await bench.prepare(two));
    expect(loser.registration).toEqual({ registered: false, address: '' });
    expect(loser.refusal).toBe(`handler taken by ${one}`);
    expect(bench.datastore.workers.get('echo')?.file).toBe(one);
  });

  test('stays with a holder that has just registered and does not listen yet', async () => {
    const bench = await rig({ clock: systemClock });
    bench.process(one);
    bench.process(two);
    await startWorker(await bench.prepare(one), { mute: true });
    const loser = await startWorker(await bench.prepare(two));
    expect(loser.registration.registered).toBe(false);
  });

  test('is taken from a holder that is dead, within the probe', async () => {
    const bench = await rig({ clock: systemClock });
    bench.process(one);
    bench.process(two);
    // No process has this id.
    const holder = await startWorker(await bench.prepare(one), { pid: 2 ** 30 });
    holder.vanish();
    const begun = performance.now();
    const next = await startWorker(await bench.prepare(two));
    expect(next.registration.registered).toBe(true);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(bench.datastore.workers.get('echo')?.file).toBe(two);
  });

  test('is free again once the holder has ended', async () => {
    const bench = await rig();
    bench.process(one);
    const first = await startWorker(await bench.prepare(one));
    first.vanish();
    bench.die(one);
    await bench.hears('unregister echo');
    const next = await startWorker(await bench.prepare(one));
    expect(next.registration.registered).toBe(true);
  });

  test('is kept for the file that held it last, for as long as that is starting', async () => {
    const bench = await rig();
    bench.process(one);
    bench.process(two);
    const holder = await startWorker(await bench.prepare(one));
    holder.vanish();
    bench.die(one);
    await bench.hears('unregister echo');
    const socket = await bench.prepare(two);
    const loser = await startWorker(socket);
    expect(loser.refusal).toBe(`handler taken by ${one}`);
    const process = bench.datastore.processes.get(one);
    if (process) process.state = 'failing';
    expect((await startWorker(socket)).registration.registered).toBe(true);
  });

  test('is kept over a restart of the daemon', async () => {
    const scope = testScope();
    const holdersFile = path.join(tempDir(scope), 'handlers.json');
    writeFileSync(holdersFile, JSON.stringify({ echo: one }));
    const bench = await rig({ holdersFile });
    bench.process(one);
    bench.process(two);
    const loser = await startWorker(await bench.prepare(two));
    expect(loser.refusal).toBe(`handler taken by ${one}`);
    const winner = await startWorker(await bench.prepare(two), { handler: 'other' });
    expect(winner.registration.registered).toBe(true);
    expect(JSON.parse(readFileSync(holdersFile, 'utf8'))).toEqual({ echo: one, other: two });
  });
});

test('the configuration of a worker says what it may register, and keeps others off', async () => {
  const bench = await rig();
  bench.process(one, { handlers: ['echo'] });
  bench.process(two);
  const wrong = await startWorker(await bench.prepare(one), { handler: 'other' });
  expect(wrong.refusal).toContain('is not one that the configuration');
  const loser = await startWorker(await bench.prepare(two));
  expect(loser.refusal).toBe(`handler taken by ${one}`);
  const winner = await startWorker(await bench.prepare(one));
  expect(winner.registration.registered).toBe(true);
});

test('a handler that somebody must not use as a path is only looked up', async () => {
  const bench = await rig();
  const sequence = bench.hand({ directive: '__proto__' });
  await bench.hears(`settle ${sequence} back`);
});

describe('a worker started by hand', () => {
  test('is gone when its process has ended', async () => {
    const bench = await rig();
    const scope = testScope();
    const sleeper = new Child(scope, 'sleep', ['60']);
    const shared = path.join(bench.folder, 'dispatcher.sock');
    const worker = await startWorker(shared, { pid: sleeper.pid });
    expect(bench.datastore.workers.get('echo')?.file).toBe('');
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.clock.wind(1_000);
    await stays(() => bench.heard.includes('unregister echo'), { what: 'its end', span: 50 });
    sleeper.kill('SIGKILL');
    await sleeper.ended();
    worker.vanish();
    bench.clock.wind(1_000);
    await bench.hears('unregister echo');
    await bench.hears('settle 1 dead');
    expect(bench.journal.log.at(-1)).toBe('bury 1 outcome-unknown');
  });

  test('whose process cannot be seen is gone when its socket has refused for half a minute', async () => {
    const bench = await rig();
    const worker = await startWorker(path.join(bench.folder, 'dispatcher.sock'), { pid: 2 ** 30 });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.clock.wind(60_000);
    await stays(() => bench.heard.includes('unregister echo'), { what: 'its end', span: 50 });
    worker.vanish();
    await waitFor(
      () => {
        bench.clock.wind(1_000);
        return bench.heard.includes('unregister echo');
      },
      { what: 'its end' },
    );
  });
});

test('sockets are for their owner alone, and go with the daemon', async () => {
  const bench = await rig();
  bench.process(one);
  const socket = await bench.prepare(one);
  const shared = path.join(bench.folder, 'dispatcher.sock');
  expect([socket, shared].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
  await bench.dispatcher.stop(new AbortController().signal);
  expect([socket, shared].map((file) => statSync(file, { throwIfNoEntry: false }))).toEqual([
    undefined,
    undefined,
  ]);
});

test('a runtime directory too long for sockets is said, with what to do', async () => {
  const folder = path.join(tempDir(testScope()), 'x'.repeat(90));
  mkdirSync(folder);
  await expect(rig({ folder })).rejects.toThrow(
    /has \d+ bytes and may have 107: choose a shorter runtime-dir/,
  );
});

test('a socket that cannot be made is told to who asked for it', async () => {
  const bench = await rig();
  rmSync(bench.folder, { recursive: true });
  await expect(bench.prepare(one)).rejects.toThrow('listen EACCES');
});
