/** Commands on control/in. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { differences } from '../helpers/captures.ts';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, contentOf } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { stays } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

test('ping is answered with the captured pong', async () => {
  const { server } = await startHost(testScope(), { handlers: [] });
  const id = await server.command('ping');
  const pong = await server.answer(id);
  expect(differences(pong.text, 'pong')).toEqual([]);
  expect(pong).toMatchObject({ topic: 'control/out', qos: 1, retain: false });
});

test('a ping with an id that was carried out before is ignored', async () => {
  const { server } = await startHost(testScope(), { handlers: [] });
  const id = await server.command('ping');
  await server.answer(id);
  await server.command('ping', null, id);
  await server.answer(await server.command('ping'));
  expect(server.answersTo(id)).toHaveLength(1);
});

describe('reconnect', () => {
  test.each([
    ['"1", as servers send it', { delay: '1' }, 900, 4_000],
    ['1, as the specification shows it', { delay: 1 }, 900, 4_000],
    ['nothing', null, 0, 2_500],
    ['a bad value', { delay: 'soon' }, 0, 2_500],
    ['less than nothing', { delay: '-5' }, 0, 2_500],
  ])('with %s: says goodbye, comes back, answers', async (_, args, atLeast, atMost) => {
    const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
    const after = server.statuses.length;
    const begun = performance.now();
    await server.command('reconnect', args);
    await server.offline({ after });
    const online = await server.online(['echo'], { after });
    const away = online.at - begun;
    expect(away).toBeGreaterThanOrEqual(atLeast);
    expect(away).toBeLessThan(atMost);
    expect(server.published.some(({ json }) => json['content'] === 'disconnect')).toBe(true);
    await server.answer(await server.send({ directive: 'echo' }));
    await yggd.stopCleanly();
  });

  test('is carried out once, also when the broker sends it again', async () => {
    const { server } = await startHost(testScope(), { handlers: [] });
    const after = server.statuses.length;
    const id = await server.command('reconnect', { delay: '0' });
    await server.online([], { after: after + 1 });
    const count = server.statuses.length;
    await server.command('reconnect', { delay: '0' }, id);
    await server.answer(await server.command('ping'));
    await stays(() => server.statuses.length > count, { what: 'another reconnect', span: 500 });
  });

  test('messages sent meanwhile are answered after the return', async () => {
    const { server } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
    const after = server.statuses.length;
    await server.command('reconnect', { delay: '1' });
    await server.offline({ after });
    const ids = await Promise.all([1, 2, 3].map((content) => server.send({ directive: 'echo', content })));
    for (const id of ids) await server.answer(id);
  });
});

describe('disconnect', () => {
  test('leaves with the event and offline, stays up, and SIGHUP brings it back', async () => {
    const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
    const after = server.statuses.length;
    await server.command('disconnect');
    const offline = await server.offline({ after });
    expect(contentOf(offline)).toMatchObject({ state: 'offline', dispatchers: {} });
    const id = await server.send({ directive: 'echo', content: 'while away' });
    await stays(() => !yggd.running || server.statuses.length > after + 1, {
      what: 'end or return',
      span: 1_000,
    });
    expect(server.answersTo(id)).toEqual([]);
    yggd.kill('SIGHUP');
    await server.online(['echo'], { after: after + 1 });
    await server.answer(id);
    await yggd.stopCleanly();
  });

  test('a restart brings it back too, and it can be stopped while it is away', async () => {
    const { server, yggd, restart } = await startHost(testScope(), {
      workers: [echoWorker()],
      handlers: ['echo'],
    });
    const after = server.statuses.length;
    await server.command('disconnect');
    await server.offline({ after });
    expect(await yggd.stopCleanly()).toBeLessThan(3_000);
    await (await restart()).stopCleanly();
  });

  test('disconnect-hold brings it back by itself', async () => {
    const { server } = await startHost(testScope(), { handlers: [], flags: ['--disconnect-hold', '1s'] });
    const after = server.statuses.length;
    await server.command('disconnect');
    await server.offline({ after });
    await server.online([], { after: after + 1 });
  });
});

test('an unknown command is one warning with its id, and the next one is carried out', async () => {
  const { server, yggd } = await startHost(testScope(), { handlers: [] });
  const id = await server.command('self-destruct', { now: 'true' });
  await server.answer(await server.command('ping'));
  const lines = yggd.logged({ message_id: id });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level: 'warn' });
});

test('a retained command is ignored', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const id = randomUUID();
  const ping = { type: 'command', message_id: id, version: 1, content: { command: 'ping', arguments: null } };
  await server.publish('control/in', JSON.stringify(ping), { retain: true });
  // The first subscription of a session is given what is retained.
  startYggd(scope, { home: createHome(scope), brokers: [broker.url] });
  await server.online([]);
  await server.answer(await server.command('ping'));
  expect(server.answersTo(id)).toEqual([]);
});

test('a command that waited in the session for more than ten minutes is ignored', async () => {
  const { server, yggd, restart } = await startHost(testScope(), { handlers: [] });
  await yggd.stopCleanly();
  const id = randomUUID();
  const sent = new Date(Date.now() - 11 * 60_000).toISOString();
  const ping = { type: 'command', message_id: id, version: 1, sent, content: { command: 'ping' } };
  await server.publish('control/in', JSON.stringify(ping));
  const fresh = await server.command('ping');
  await restart();
  await server.answer(fresh);
  expect(server.answersTo(id)).toEqual([]);
});

test('cancel of a message that still waits makes it a dead letter, reported', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const worker = nodeWorker({
    handler: 'slow',
    behaviours: ['silent'],
    ledger: book.file,
    config: ['concurrency = 1'],
  });
  const { server } = await startHost(scope, { workers: [worker], handlers: ['slow'] });
  const never = await server.send({ directive: 'nobody', content: 2 });
  await server.command('cancel', { directive: 'nobody', messageID: never });
  const report = await server.answer(never);
  expect(report.json).toMatchObject({
    directive: 'nobody',
    metadata: { status: 'failed', reason: 'cancelled' },
    content: { error: { code: expect.any(String), message: expect.any(String) } },
  });
});

test('commands are answered while a worker is busy and while messages pour in', async () => {
  const { server } = await startHost(testScope(), {
    workers: [nodeWorker({ handler: 'stuck', behaviours: ['hang'] })],
    handlers: ['stuck'],
  });
  for (let n = 0; n < 100; n += 1) await server.send({ directive: 'stuck', content: n });
  const begun = performance.now();
  await server.answer(await server.command('ping'));
  expect(performance.now() - begun).toBeLessThan(1_000);
});
