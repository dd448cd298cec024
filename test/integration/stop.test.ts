/** How the daemon ends. */
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { contentOf } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

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

test('right after its start', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  for (const wait of [30, 150, 300, 450]) {
    const home = createHome(scope, [echoWorker()]);
    const yggd = startYggd(scope, { home, brokers: [broker.url], clientId: `early-${wait}` });
    const begun = performance.now();
    await waitFor(() => performance.now() - begun > wait, { what: 'a moment' });
    const { exit } = await yggd.stop();
    // Before its first line of code runs, the signal ends it by itself.
    expect(exit.code === 0 || (exit.signal === 'SIGTERM' && yggd.lines.length === 0)).toBe(true);
    expect(home.processes()).toEqual([]);
  }
});
