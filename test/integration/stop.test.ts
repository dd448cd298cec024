/** How the daemon ends. */
import { describe, expect, test } from 'vitest';
import type { Exit } from '../helpers/child.ts';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { contentOf } from '../helpers/mqtt-server.ts';
import { catches } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../helpers/yggd.ts';

test('with nothing in hand: status 0 after the goodbye, within 3 s, nothing left', async () => {
  const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  await server.answer(await server.send({ directive: 'echo' }));
  expect(await yggd.stopCleanly()).toBeLessThan(3_000);
  const last = server.statuses.at(-1);
  expect(last && contentOf(last)['state']).toBe('offline');
  expect(yggd.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it', async (signal) => {
  const { yggd } = await startHost(testScope(), { handlers: [] });
  yggd.kill(signal);
  expect(await yggd.ended()).toMatchObject({ code: 0 });
});

test('two signals in the same moment, as npm sends Ctrl-C, are one', async () => {
  const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  yggd.kill('SIGINT');
  yggd.kill('SIGINT');
  expect(await yggd.ended()).toMatchObject({ code: 0 });
  await server.offline();
});

test('what a worker has in hand is waited for, and its answer goes out', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, yggd } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'slow', delay: 1_500, ledger: book.file })],
    handlers: ['slow'],
  });
  const id = await server.send({ directive: 'slow', content: 'just in time' });
  await book.reaches('message', 1);
  await yggd.stopCleanly();
  expect((await server.answer(id)).json['content']).toBe('just in time');
});

test('a second signal later forces the end', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, yggd } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'slow', behaviours: ['silent', 'deaf'], ledger: book.file })],
    handlers: ['slow'],
  });
  await server.send({ directive: 'slow' });
  await book.reaches('message', 1);
  const begun = performance.now();
  yggd.kill('SIGTERM');
  await waitFor(() => performance.now() - begun > 1_200, { what: 'more than a second' });
  yggd.kill('SIGTERM');
  await yggd.ended(5_000);
});

test('without a broker to say goodbye to it ends all the same', async () => {
  const { broker, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  await broker.kill();
  const { exit, took } = await yggd.stop();
  expect(exit.code).toBe(0);
  expect(took).toBeLessThan(8_000);
});

describe('a signal while it starts', () => {
  /** Node itself has handlers for the other two from its own start on. */
  const listens = (yggd: Yggd): boolean => catches(yggd.pid, 'SIGHUP');
  /** Before Node runs the first line of a program, a signal ends the process by itself, and there is nothing to end. */
  const isUnborn = ({ signal }: Exit, yggd: Yggd): boolean => signal !== null && yggd.lines.length === 0;

  test.each(['SIGTERM', 'SIGINT'] as const)('%s at any moment ends it with status 0', async (signal) => {
    const scope = testScope();
    const broker = await startMosquitto(scope);
    const starts = [0, 20, 50, 100, 150, 200, 300, 450].map(async (wait) => {
      const home = createHome(scope, [echoWorker()]);
      const yggd = startYggd(scope, { home, brokers: [broker.url], clientId: `early-${wait}` });
      const begun = performance.now();
      await waitFor(() => performance.now() - begun >= wait, { what: 'a moment' });
      const caught = listens(yggd);
      yggd.kill(signal);
      const exit = await yggd.ended(25_000);
      expect.soft(exit.code === 0 || (!caught && isUnborn(exit, yggd)), `after ${wait} ms`).toBe(true);
      expect.soft(home.processes()).toEqual([]);
    });
    await Promise.all(starts);
  });

  test('ends it with status 0 as soon as it can be caught, which is before its modules are read', async () => {
    const scope = testScope();
    const yggd = startYggd(scope, { home: createHome(scope), brokers: [], clientId: 'early' });
    await waitFor(() => listens(yggd), { what: 'the first handler' });
    yggd.kill('SIGTERM');
    expect(await yggd.ended()).toEqual({ code: 0, signal: null });
  });

  test('SIGHUP is kept until it runs', async () => {
    const scope = testScope();
    const yggd = startYggd(scope, { home: createHome(scope), brokers: [], clientId: 'early' });
    await waitFor(() => listens(yggd), { what: 'the first handler' });
    yggd.kill('SIGHUP');
    await yggd.says(/^reloading$/);
    expect(await yggd.stop()).toMatchObject({ exit: { code: 0 } });
  });
});
