/**
 * Content that lives elsewhere: fetched before a worker gets the message, posted when it answers to a URL. What servers
 * may do wrong is in `bad-input-http.test.ts`.
 */
import { expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { type ContentServer, reply, startContentServer } from '../helpers/http-content.ts';
import { type Ledger, ledger } from '../helpers/ledger.ts';
import type { Scope } from '../helpers/scope.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { type NodeWorkerOptions, nodeWorker } from '../helpers/worker-files.ts';

interface DetachedHost extends Host {
  readonly content: ContentServer;
  readonly book: Ledger;
}

async function startDetached(
  scope: Scope,
  worker: NodeWorkerOptions = {},
  flags: readonly string[] = [],
): Promise<DetachedHost> {
  const content = await startContentServer(scope);
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'detached', detached: true, ledger: book.file, ...worker })],
    handlers: ['detached'],
    flags: ['--content-hosts', content.host, ...flags],
  });
  return { ...host, content, book };
}

/** Content of the first message the worker was handed. */
async function handed(book: Ledger): Promise<string> {
  const [entry] = await book.reaches('message', 1);
  return Buffer.from(String(entry?.['content']), 'base64').toString();
}

/** Metadata of the report that answers this id. */
async function reported(host: Host, id: string): Promise<unknown> {
  return (await host.server.answer(id, 20_000)).json['metadata'];
}

test('the worker gets the body of a GET on the URL, and answers by MQTT', async () => {
  const { server, content, book, yggd } = await startDetached(testScope());
  content.on('/playbook', reply(200, '- hosts: all\n'));
  const id = await server.send({ directive: 'detached', content: `${content.origin}/playbook` });
  await server.answer(id);
  expect(await handed(book)).toBe('- hosts: all\n');
  expect(content.calls).toHaveLength(1);
  expect(content.calls[0]).toMatchObject({ method: 'GET' });
  expect(content.calls[0]?.headers['user-agent']).toMatch(/^yggd\/\d+\.\d+\.\d+/);
  await yggd.stopCleanly();
});

test('the same message again does not fetch again', async () => {
  const { server, content } = await startDetached(testScope());
  content.on('/once', reply(200, 'x'));
  const fields = { directive: 'detached', content: `${content.origin}/once` };
  const messageId = await server.send(fields);
  await server.answer(messageId);
  await server.send({ ...fields, messageId });
  await server.answer(await server.command('ping'));
  expect(content.calls).toHaveLength(1);
});

test('503 is tried again', async () => {
  const { server, content, book } = await startDetached(testScope());
  let calls = 0;
  content.on('/busy', (call, response) => {
    calls += 1;
    reply(calls < 3 ? 503 : 200, 'at last')(call, response);
  });
  await server.answer(
    await server.send({ directive: 'detached', content: `${content.origin}/busy` }),
    30_000,
  );
  expect(await handed(book)).toBe('at last');
});

test('plain http to a host that is not listed is refused without a connection', async () => {
  const scope = testScope();
  const other = await startContentServer(scope);
  other.on('/secret', reply(200, 'secret'));
  const host = await startDetached(scope);
  const id = await host.server.send({ directive: 'detached', content: `${other.origin}/secret` });
  expect(await reported(host, id)).toMatchObject({ status: 'failed', reason: 'content-failed' });
  expect(other.calls).toEqual([]);
});

test('a slow download delays no other message', async () => {
  const host = await startDetached(testScope());
  host.content.on('/slow', () => {});
  host.content.on('/fast', reply(200, 'fast'));
  await host.server.send({ directive: 'detached', content: `${host.content.origin}/slow` });
  await waitFor(() => host.content.callsTo('/slow').length > 0, { what: 'the slow request' });
  await host.server.answer(
    await host.server.send({ directive: 'detached', content: `${host.content.origin}/fast` }),
    3_000,
  );
});

test('data-host replaces the host of every URL', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  content.on('/file?x=1', reply(200, 'from data-host'));
  const book = ledger(scope);
  const { server } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'detached', detached: true, ledger: book.file })],
    handlers: ['detached'],
    flags: ['--data-host', content.host],
  });
  await server.answer(
    await server.send({ directive: 'detached', content: 'http://elsewhere.invalid/file?x=1' }),
  );
  expect(await handed(book)).toBe('from data-host');
});

test('an answer to a URL is posted there, with the metadata as headers, and nothing goes out by MQTT', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  content.on('/return', reply(202));
  const { server, yggd } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'poster', answerTo: `${content.origin}/return` })],
    handlers: ['poster'],
    flags: ['--content-hosts', content.host],
  });
  const metadata = { job_uuid: ' 123 ', 'X-Event': 'update' };
  await server.send({ directive: 'poster', content: { done: true }, metadata });
  await waitFor(() => content.calls.length > 0, { what: 'the POST' });
  const [call] = content.calls;
  expect(call).toMatchObject({ method: 'POST', url: '/return' });
  expect(call?.body.toString()).toBe('{"done":true}');
  expect(call?.headers).toMatchObject({ job_uuid: '123', 'x-event': 'update' });
  expect(call?.headers['user-agent']).toMatch(/^yggd\//);
  await yggd.stopCleanly();
  expect(server.data).toEqual([]);
});

test('framing headers of a worker are dropped, illegal ones too, the rest passes', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  content.on('/return', reply(200));
  const { server } = await startHost(scope, {
    workers: [
      nodeWorker({ handler: 'poster', answerTo: `${content.origin}/return`, behaviours: ['bad-headers'] }),
    ],
    handlers: ['poster'],
    flags: ['--content-hosts', content.host],
  });
  await server.send({ directive: 'poster', content: 'body' });
  await waitFor(() => content.calls.length > 0, { what: 'the POST' });
  const headers = content.calls[0]?.headers ?? {};
  expect(headers).toMatchObject({
    host: content.host,
    'content-length': '6',
    job_uuid: 'spaced',
    kept: 'yes',
  });
  expect(headers).not.toHaveProperty('transfer-encoding');
  expect(headers).not.toHaveProperty('x-injected');
  expect(headers).not.toHaveProperty('split');
  expect(content.calls[0]?.body.toString()).toBe('"body"');
});

test('deliveries for one message keep their order, over a failure of the first', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  let first = true;
  const bodies: string[] = [];
  content.on('/return', (call, response) => {
    const fail = first;
    first = false;
    if (!fail) bodies.push(String(call.headers['n']));
    reply(fail ? 503 : 200)(call, response);
  });
  const worker = nodeWorker({
    handler: 'poster',
    answerTo: `${content.origin}/return`,
    behaviours: ['answer-twice', 'numbered'],
  });
  const { server } = await startHost(scope, {
    workers: [worker],
    handlers: ['poster'],
    flags: ['--content-hosts', content.host],
  });
  await server.send({ directive: 'poster', content: 1 });
  await waitFor(() => bodies.length === 2, { what: 'two deliveries', deadline: 30_000 });
  expect(bodies).toEqual(['1', '2']);
});

test('a response that cannot be delivered now is delivered after a restart', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  content.on('/return', reply(503));
  const { server, yggd, restart } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'poster', answerTo: `${content.origin}/return` })],
    handlers: ['poster'],
    flags: ['--content-hosts', content.host],
  });
  await server.send({ directive: 'poster', content: 'kept' });
  await waitFor(() => content.calls.length > 0, { what: 'the first POST' });
  await yggd.crash();
  const bodies: string[] = [];
  content.on('/return', (call, response) => {
    bodies.push(call.body.toString());
    reply(200)(call, response);
  });
  await restart();
  await waitFor(() => bodies.length > 0, { what: 'the delivery', deadline: 20_000 });
  expect(bodies).toEqual(['"kept"']);
});

test("Foreman's cancel reaches a busy worker, with empty content when the fetch is refused", async () => {
  const { server, content, book } = await startDetached(testScope(), {
    behaviours: ['silent'],
    config: ['concurrency = 1'],
  });
  content.on('/job', reply(200, 'job'));
  content.on('/gone', reply(404));
  await server.send({
    directive: 'detached',
    content: `${content.origin}/job`,
    metadata: { event: 'start' },
  });
  await book.reaches('message', 1);
  await server.send({
    directive: 'detached',
    content: `${content.origin}/gone`,
    metadata: { event: 'cancel' },
  });
  const [, cancel] = await book.reaches('message', 2, 15_000);
  expect(cancel).toMatchObject({ metadata: { event: 'cancel' }, content: '' });
});
