/**
 * What workers and their files should not do (docs/bad-input.md), beside the ways of `misbehaving-workers.test.ts`:
 * each is one log line with its code, and the workers beside it go on.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';

/** The worker beside it still answers. */
async function goesOn({ server }: Host): Promise<void> {
  await server.answer(await server.send({ directive: 'echo', content: 'still here' }), 5_000);
}

/** Ends the daemon; what it counted. */
async function counted({ yggd }: Host): Promise<Readonly<Record<string, unknown>>> {
  await yggd.stopCleanly();
  return await yggd.says({ msg: 'counted since the start' });
}

test('a handler that is no name, is not listed, or is taken: refused with a code, and the holder keeps it', async () => {
  const scope = testScope();
  const [path_, unlisted, thief] = [ledger(scope), ledger(scope), ledger(scope)];
  const host = await startHost(scope, { workers: [echoWorker()], handlers: ['echo'] });
  host.home.install(nodeWorker({ handler: '../../etc', name: 'path-worker', ledger: path_.file }));
  host.home.install(
    nodeWorker({
      handler: 'free',
      name: 'unlisted-worker',
      ledger: unlisted.file,
      config: ['handlers = ["own"]'],
    }),
  );
  host.home.install(nodeWorker({ handler: 'echo', name: 'thief-worker', ledger: thief.file }));
  for (const book of [path_, unlisted, thief]) {
    const [entry] = await book.reaches('register', 1);
    expect(entry).toMatchObject({ registered: false, address: '' });
  }
  const refused = { msg: 'registration refused', level: 'warn' };
  expect(
    await host.yggd.says({ ...refused, code: 'YGG_HANDLER_INVALID', handler: '../../etc' }),
  ).toBeDefined();
  expect(await host.yggd.says({ ...refused, code: 'YGG_HANDLER_INVALID', handler: 'free' })).toMatchObject({
    error: expect.stringContaining('(own)'),
  });
  expect(await host.yggd.says({ ...refused, code: 'YGG_HANDLER_TAKEN', handler: 'echo' })).toMatchObject({
    error: expect.stringMatching(/^handler taken by .*echoworker$/),
  });
  await goesOn(host);
  const counts = await counted(host);
  expect(counts['registrations_refused']).toBe(host.yggd.logged(refused).length);
  expect(counts['worker_deaths']).toBeGreaterThanOrEqual(3);
});

test('answers that are not its own: for another worker, for nobody, before it registered', async () => {
  const scope = testScope();
  // What is not answered within this is done, so that the end need not wait for it.
  const brief = { config: ['timeout = "1s"'] };
  const [victim, thief, early] = [ledger(scope), ledger(scope), ledger(scope)];
  const host = await startHost(scope, {
    workers: [
      echoWorker(),
      nodeWorker({ handler: 'victim', behaviours: ['silent'], ledger: victim.file, ...brief }),
      nodeWorker({ handler: 'thief', behaviours: ['answer-content'], ledger: thief.file, ...brief }),
      nodeWorker({ handler: 'early', behaviours: ['answer-early'], ledger: early.file }),
    ],
    handlers: ['echo', 'victim', 'thief', 'early'],
  });
  const { server, yggd } = host;
  const theirs = await server.send({ directive: 'victim', content: 1 });
  await victim.reaches('message', 1);
  await server.send({ directive: 'thief', content: theirs });
  expect(await thief.reaches('send-failed', 1)).toMatchObject([{ code: status.PERMISSION_DENIED }]);
  await yggd.says({ msg: 'response refused', code: 'YGG_FOREIGN_RESPONSE', message_id: theirs });

  await server.send({ directive: 'thief', content: 'an-id-nobody-sent' });
  await server.answer('an-id-nobody-sent');
  await yggd.says({ msg: 'response to an unknown id, passed on', message_id: 'an-id-nobody-sent' });

  expect(await early.reaches('send-failed', 1)).toMatchObject([{ code: status.FAILED_PRECONDITION }]);
  await yggd.says({ msg: 'response refused', code: 'YGG_NOT_REGISTERED' });
  await server.answer(await server.send({ directive: 'early' }));

  await goesOn(host);
  expect(server.answersTo(theirs)).toEqual([]);
  expect(await counted(host)).toMatchObject({ responses_refused: 2, responses_unknown_id: 1 });
});

test('an answer larger than may be: refused, and the message that is never answered is done and counted', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [echoWorker(), nodeWorker({ handler: 'large', ledger: book.file, config: ['timeout = "1s"'] })],
    handlers: ['echo', 'large'],
    flags: ['--max-content-size', '64KiB'],
  });
  const id = await host.server.send({ directive: 'large', content: 'x'.repeat(100_000) });
  expect(await book.reaches('send-failed', 1)).toMatchObject([{ code: status.INVALID_ARGUMENT }]);
  await host.yggd.says({ message_id: id, msg: 'accepted and never answered, taken as done' });
  await goesOn(host);
  expect(await counted(host)).toMatchObject({ messages_unanswered: 1 });
});

test('bytes on a socket that are no gRPC, calls and messages nobody knows', async () => {
  const host = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  const socket = path.join(host.home.runtimeDir, 'dispatcher.sock');
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\0'.repeat(100_000),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff',
  ]) {
    const stranger = connect(socket);
    stranger.on('error', () => {});
    stranger.end(bytes, 'latin1');
    await new Promise((resolve) => stranger.on('close', resolve).resume());
  }
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const call = (method: string, bytes: Buffer): Promise<unknown> =>
    new Promise((resolve) => {
      const [write, read] = [(message: Buffer) => message, (message: Buffer) => message];
      const deadline = Date.now() + 5_000;
      client.makeUnaryRequest(`/yggdrasil.Dispatcher/${method}`, write, read, bytes, { deadline }, (error) =>
        resolve(error?.code),
      );
    });
  expect(await call('Nothing', Buffer.alloc(0))).toBe(status.UNIMPLEMENTED);
  expect(await call('Send', Buffer.from([0xff, 0xff, 0xff]))).toBe(status.INTERNAL);
  expect(await call('Send', Buffer.alloc(0))).toBe(status.FAILED_PRECONDITION);
  client.close();
  await goesOn(host);
  await host.yggd.stopCleanly();
});

test('files that may not be started: each is refused by name, and the others run', async () => {
  const scope = testScope();
  const second = tempDir(scope);
  const host = await startHost(scope, {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--worker-dir', second],
  });
  const { home, yggd, server } = host;
  const put = (name: string, text: string, mode: number): void => {
    const file = path.join(home.workerDir, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
  };
  put('plain-worker', '#!/bin/sh\nsleep 600\n', 0o644);
  put('text-worker', 'sleep 600\n', 0o755);
  put('open-worker', '#!/bin/sh\nsleep 600\n', 0o777);
  put('lost-worker', '#!/nowhere/interpreter\n', 0o755);
  put('crashing-worker', '#!/bin/sh\necho no luck >&2\nexit 3\n', 0o755);
  const open = path.join(tempDir(scope), 'open');
  mkdirSync(open);
  writeFileSync(path.join(open, 'target'), '#!/bin/sh\nsleep 600\n', { mode: 0o755 });
  chmodSync(open, 0o777);
  symlinkSync(path.join(open, 'target'), path.join(home.workerDir, 'linked-worker'));
  mkdirSync(path.join(home.workerDir, 'folder-worker'));
  writeFileSync(path.join(second, 'echoworker'), '#!/bin/sh\nsleep 600\n', { mode: 0o755 });
  const config = nodeWorker({ handler: 'wrong', config: ['redelivry = "until-done"'] });
  home.install(config);

  const refused = { msg: 'the worker is not started; it is tried again when it changes', level: 'error' };
  const said = async (worker: string, code: string, error: RegExp): Promise<void> => {
    const line = await yggd.says({ ...refused, worker, code });
    expect(line).toMatchObject({ error: expect.stringMatching(error) });
  };
  await said('plain-worker', 'YGG_WORKER_FILE', /chmod \+x/);
  await said('text-worker', 'YGG_WORKER_FILE', /neither a program nor a script/);
  await said('open-worker', 'YGG_UNSAFE_PATH', /open-worker can be changed by .*everybody.*chmod/);
  await said('linked-worker', 'YGG_UNSAFE_PATH', /open can be changed by .*chmod/);
  await said(
    'wrong-worker',
    'YGG_WORKER_FILE',
    /wrong-worker\.toml:\d+:1: redelivry .*did you mean redelivery/,
  );
  await yggd.says({ msg: 'the worker is not started: one of the same name in an earlier directory is' });
  const ended = 'the worker has ended or could not be started';
  const lost = await yggd.says({ msg: ended, worker: 'lost-worker' });
  expect(lost).toMatchObject({
    error: expect.stringContaining('names /nowhere/interpreter, which is not there'),
  });
  const crashed = await yggd.says({ msg: ended, worker: 'crashing-worker' });
  expect(crashed).toMatchObject({ exit_code: 3, error: 'exit status 3: no luck' });
  await goesOn(host);
  expect(yggd.log.filter(({ worker }) => String(worker).includes('folder'))).toEqual([]);
  expect(server.statuses.at(-1)?.text).toContain('"dispatchers":{"echo":{}}');
  expect(await counted(host)).toMatchObject({ worker_files_refused: 6 });
});
