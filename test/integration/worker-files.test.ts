/** Worker files that come, go and change while the daemon runs, and what a worker is started with. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, dispatchersOf } from '../helpers/mqtt-server.ts';
import { alive, environmentOf } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { stays, waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

test('a file that is added is started, one that is deleted is stopped', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server, home, yggd } = await startHost(scope, { handlers: [] });
  home.install(nodeWorker({ handler: 'added', name: 'added.worker', ledger: book.file }));
  await server.online(['added']);
  const after = server.statuses.length;
  home.uninstall('added.worker');
  await server.online([], { after });
  await waitFor(() => book.pids().every((pid) => !alive(pid)), { what: 'end of the worker' });
  await yggd.stopCleanly();
});

test('a file that is replaced is stopped first, then the new one is started', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const worker = nodeWorker({ handler: 'replaced', ledger: book.file });
  const { server, home } = await startHost(scope, { workers: [worker], handlers: ['replaced'] });
  const after = server.statuses.length;
  home.install({ ...worker, text: `${worker.text}# newer\n` });
  await server.online([], { after });
  await server.online(['replaced'], { after: after + 1 });
  expect(book.pids()).toHaveLength(2);
  expect(alive(book.pids()[0] ?? 0)).toBe(false);
  await server.answer(await server.send({ directive: 'replaced' }));
});

test('a changed configuration restarts its worker, and no other', async () => {
  const scope = testScope();
  const [one, two] = [ledger(scope), ledger(scope)];
  const first = nodeWorker({ handler: 'first', ledger: one.file });
  const { server, home } = await startHost(scope, {
    workers: [first, nodeWorker({ handler: 'second', ledger: two.file })],
    handlers: ['first', 'second'],
  });
  home.configure(nodeWorker({ handler: 'first', ledger: one.file, features: { new: 'yes' } }));
  await waitFor(
    () =>
      server.statuses.some((status) => JSON.stringify(dispatchersOf(status)['first']) === '{"new":"yes"}'),
    { what: 'status with the new feature' },
  );
  expect(one.pids()).toHaveLength(2);
  expect(two.pids()).toHaveLength(1);
});

test('messages that arrive while a worker is replaced are answered by its successor', async () => {
  const worker = nodeWorker({ handler: 'replaced', redelivery: 'until-done' });
  const { server, home } = await startHost(testScope(), { workers: [worker], handlers: ['replaced'] });
  home.install({ ...worker, text: `${worker.text}# newer\n` });
  const ids: string[] = [];
  for (let n = 0; n < 200; n += 1) ids.push(await server.send({ directive: 'replaced', content: n }));
  for (const id of ids) await server.answer(id, 20_000);
});

test('only files whose name ends in worker are started, and none that is excluded', async () => {
  const scope = testScope();
  const [plain, excluded] = [ledger(scope), ledger(scope)];
  await startHost(scope, {
    workers: [
      echoWorker(),
      nodeWorker({ handler: 'plain', name: 'plain.sh', ledger: plain.file }),
      nodeWorker({ handler: 'excluded', ledger: excluded.file }),
    ],
    handlers: ['echo'],
    flags: ['--exclude-worker', 'excluded-worker'],
  });
  expect([plain.entries(), excluded.entries()]).toEqual([[], []]);
});

test('a file that others may write is refused by name, and started once that is mended', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [nodeWorker({ handler: 'open' })]);
  const file = path.join(home.workerDir, 'open-worker');
  chmodSync(file, 0o757);
  const yggd = startYggd(scope, { home, brokers: [broker.url] });
  await server.online([]);
  const line = await waitFor(() => yggd.log.find((entry) => JSON.stringify(entry).includes('open-worker')), {
    what: 'log line about the file',
  });
  expect(line).toMatchObject({ level: expect.stringMatching(/warn|error/) });
  chmodSync(file, 0o755);
  await server.online(['open']);
});

test('the environment is built from nothing', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const secret = {
    ...process.env,
    HOME: '/nowhere',
    SECRET: 'x',
    https_proxy: 'http://proxy.example:3128',
    HTTPS_PROXY: 'http://proxy.example:3129',
  };
  await startHost(scope, {
    workers: [nodeWorker({ handler: 'bare', ledger: book.file })],
    handlers: ['bare'],
    env: secret,
    logLevel: 'debug',
  });
  const [start] = await book.reaches('start', 1);
  const environment = environmentOf(start?.pid ?? 0);
  expect(Object.fromEntries(environment)).toMatchObject({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    YGG_SOCKET_ADDR: expect.stringMatching(/^unix:\/.+\.s$/),
    YGG_CONFIG_DIR: expect.stringMatching(/config$/),
    YGG_LOG_LEVEL: 'DEBUG',
    YGG_CLIENT_ID: 'test-client-0001',
    https_proxy: 'http://proxy.example:3128',
    HTTPS_PROXY: 'http://proxy.example:3129',
    FIXTURE_HANDLER: 'bare',
  });
  for (const name of ['HOME', 'SECRET', 'YGG_CONFIG', 'YGG_ALLOW_PATTERN', 'NODE_OPTIONS']) {
    expect(environment.has(name)).toBe(false);
  }
  expect(start).toMatchObject({ cwd: '/', umask: 0o022 });
});

test('a worker whose configuration sets what it must not is not started, and said with its place', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const worker = nodeWorker({ handler: 'bare', ledger: book.file });
  const config = worker.config.map((line) => line.replace('env = [', 'env = ["LD_PRELOAD=/tmp/secret.so",'));
  const { server, home, yggd } = await startHost(scope, { workers: [{ ...worker, config }], handlers: [] });
  const line = await waitFor(() => yggd.log.find((entry) => JSON.stringify(entry).includes('LD_PRELOAD')), {
    what: 'log line about LD_PRELOAD',
  });
  expect(JSON.stringify(line)).toMatch(/bare-worker\.toml:1:\d+/);
  expect(yggd.output).not.toContain('secret.so');
  expect(book.entries()).toEqual([]);
  home.configure(worker);
  await server.online(['bare']);
});

test('a worker that crashes is restarted with growing delays, and others go on', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const { server } = await startHost(scope, {
    workers: [
      echoWorker(),
      nodeWorker({ handler: 'crashing', behaviours: ['crash-at-start'], ledger: book.file }),
    ],
    handlers: ['echo'],
  });
  await book.reaches('start', 3, 15_000);
  await server.answer(await server.send({ directive: 'echo' }));
  const before = book.pids().length;
  await stays(() => book.pids().length > before + 1, { what: 'a restart without delay', span: 700 });
});

test('a file that is no program is refused, and tried again when it changes', async () => {
  const scope = testScope();
  const { server, home } = await startHost(scope, { handlers: [] });
  const file = path.join(home.workerDir, 'broken-worker');
  writeFileSync(file, '#!/nowhere/interpreter\n', { mode: 0o755 });
  await server.answer(await server.command('ping'));
  home.install(nodeWorker({ handler: 'mended', name: 'broken-worker' }));
  await server.online(['mended']);
});
