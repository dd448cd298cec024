/** What is lost when the daemon is killed: nothing. What happens twice without a crash: nothing. */
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import type { MqttServer } from '../helpers/mqtt-server.ts';
import { alive } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';

/** Sends so many without waiting for each. */
async function sendAll(server: MqttServer, directive: string, count: number): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, (_, n) => server.send({ directive, content: n })));
}

/** Waits until each is answered, as long as answers keep coming. */
async function allAnswered(server: MqttServer, ids: readonly string[], patience = 15_000): Promise<void> {
  let missing = ids.length;
  while (missing > 0) {
    const before = missing;
    await waitFor(
      () => {
        missing = ids.filter((id) => server.answersTo(id).length === 0).length;
        return missing < before;
      },
      { what: `further answer (${before} of ${ids.length} are missing)`, deadline: patience },
    );
  }
}

test('kill -9 in the middle of a burst of 2,000 loses none', { timeout: 120_000 }, async () => {
  const { server, yggd, restart } = await startHost(testScope(), {
    workers: [echoWorker({ redelivery: 'until-done' })],
    handlers: ['echo'],
    logLevel: 'warn',
  });
  const sending = sendAll(server, 'echo', 2_000);
  await waitFor(() => server.data.length > 300, { what: '300 answers' });
  await yggd.crash();
  const answered = server.data.length;
  const ids = await sending;
  expect(answered).toBeLessThan(2_000);
  const second = await restart();
  await allAnswered(server, ids);
  await second.stopCleanly();
});

test('killed five times in one burst, none is lost', { timeout: 120_000 }, async () => {
  const host = await startHost(testScope(), {
    workers: [echoWorker({ redelivery: 'until-done' })],
    handlers: ['echo'],
    logLevel: 'warn',
  });
  const sending = sendAll(host.server, 'echo', 2_000);
  let { yggd } = host;
  for (let kill = 1; kill <= 5; kill += 1) {
    const target = host.server.data.length + 150;
    await waitFor(() => host.server.data.length > target, { what: `answers before kill ${kill}` });
    await yggd.crash();
    yggd = await host.restart();
  }
  await allAnswered(host.server, await sending);
  await yggd.stopCleanly();
});

test('until-accepted: after a kill each is answered or reported, and none is run twice', {
  timeout: 120_000,
}, async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, yggd, restart } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'once', ledger: book.file })],
    handlers: ['once'],
    logLevel: 'warn',
  });
  const sending = sendAll(server, 'once', 1_000);
  await waitFor(() => server.data.length > 200, { what: '200 answers' });
  await yggd.crash();
  const second = await restart();
  await allAnswered(server, await sending);
  const run = book.messageIds();
  expect(new Set(run).size).toBe(run.length);
  await second.stopCleanly();
});

test('without a crash nothing is answered twice', async () => {
  const { server, yggd } = await startHost(testScope(), {
    workers: [echoWorker({ redelivery: 'until-done' })],
    handlers: ['echo'],
    logLevel: 'warn',
  });
  const ids = await sendAll(server, 'echo', 2_000);
  await allAnswered(server, ids);
  await yggd.stopCleanly();
  expect(ids.filter((id) => server.answersTo(id).length !== 1)).toEqual([]);
});

test('messages that wait for their worker survive a restart, and so does their order', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, home, yggd, restart } = await startHost(scope, { handlers: [] });
  const ids: string[] = [];
  for (let n = 0; n < 50; n += 1) ids.push(await server.send({ directive: 'later', content: n }));
  await server.answer(await server.command('ping'));
  await yggd.stopCleanly();
  home.install(nodeWorker({ handler: 'later', ledger: book.file, config: ['concurrency = 1'] }));
  const after = server.statuses.length;
  const second = await restart().catch(() => undefined);
  await server.online(['later'], { after });
  await allAnswered(server, ids);
  expect(book.messageIds()).toEqual(ids);
  await second?.stopCleanly();
});

test('messages sent while the daemon is down are answered after its start', async () => {
  const { server, yggd, restart } = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
  });
  await yggd.stopCleanly();
  const ids = await sendAll(server, 'echo', 100);
  await restart();
  await allAnswered(server, ids);
});

test('3,000 to a worker with the ways of a Go worker, and a kill in the middle', {
  timeout: 120_000,
}, async () => {
  const scope = testScope();
  const { server, yggd, restart } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'go', behaviours: ['go-like'], redelivery: 'until-done' })],
    handlers: ['go'],
    logLevel: 'warn',
  });
  const sending = sendAll(server, 'go', 3_000);
  await waitFor(() => server.data.length > 1_000, { what: '1,000 answers', deadline: 30_000 });
  await yggd.crash();
  const second = await restart();
  await allAnswered(server, await sending);
  await second.stopCleanly();
});

test('a burst to a worker with the ways of a Go worker: none of its answers is refused or late', {
  timeout: 120_000,
}, async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, yggd } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'go', behaviours: ['go-like'], ledger: book.file })],
    handlers: ['go'],
    logLevel: 'warn',
  });
  const ids = await sendAll(server, 'go', 2_000);
  await allAnswered(server, ids);
  expect(book.events('send-failed')).toEqual([]);
  expect(ids.filter((id) => server.answersTo(id).length !== 1)).toEqual([]);
  await yggd.stopCleanly();
});

test('workers of a killed daemon are ended before their successors start', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, yggd, restart } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'orphan', behaviours: ['deaf'], ledger: book.file })],
    handlers: ['orphan'],
  });
  const [first = 0] = book.pids();
  await yggd.crash();
  await restart();
  expect(alive(first)).toBe(false);
  await server.answer(await server.send({ directive: 'orphan' }));
});
