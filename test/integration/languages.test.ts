/** Workers as they are in the field: other languages, other libraries, wrappers. None needs a setting. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { dispatchersOf, rawContent } from '../helpers/mqtt-server.ts';
import { alive } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import {
  exampleWorker,
  nodeWorker,
  programWorker,
  type WorkerFile,
  wrapped,
} from '../helpers/worker-files.ts';

const content = { text: 'é 😀', list: [1, 2.5, null] };

async function answersAndStops(worker: WorkerFile, handler: string): Promise<void> {
  const { server, yggd } = await startHost(testScope(), { workers: [worker], handlers: [handler] });
  const id = await server.send({ directive: handler, content, metadata: { from: 'the server' } });
  const answer = await server.answer(id);
  expect(answer.json).toMatchObject({
    directive: handler,
    response_to: id,
    metadata: { from: 'the server' },
  });
  expect(rawContent(answer)).toBe(JSON.stringify(content));
  // At once, the worker is warm by then.
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, n) => server.send({ directive: handler, content: n })),
  );
  for (const each of ids) await server.answer(each);
  await yggd.stopCleanly();
}

test.each(['python', 'ruby'] as const)('a worker in %s', async (language) => {
  await answersAndStops(exampleWorker(language), language);
});

test('a worker in %s shows its features', async () => {
  const { server } = await startHost(testScope(), {
    workers: [exampleWorker('python')],
    handlers: ['python'],
  });
  expect(dispatchersOf(await server.online(['python']))).toEqual({ python: { language: 'python' } });
});

test('a worker on plain grpc-js', async () => {
  await answersAndStops(nodeWorker(), 'node');
});

test('a worker behind a shell that does not exec: the pid it says is not the child', async () => {
  await answersAndStops(wrapped(exampleWorker('python', { handler: 'behind-shell' })), 'behind-shell');
});

test('a wrapped worker that is killed below its shell leaves the map and comes back', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const worker = wrapped(nodeWorker({ handler: 'behind-shell', ledger: book.file }));
  const { server } = await startHost(scope, { workers: [worker], handlers: ['behind-shell'] });
  const after = server.statuses.length;
  const pid = book.pids()[0] ?? 0;
  process.kill(pid, 'SIGKILL');
  await server.online([], { after });
  await server.online(['behind-shell'], { after });
  await waitFor(() => !alive(pid), { what: `end of ${pid}` });
});

test('a worker with the ways of a Go worker gets a bare path and answers over new connections', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const worker = nodeWorker({ handler: 'go', behaviours: ['go-like'], ledger: book.file });
  const { server, yggd } = await startHost(scope, { workers: [worker], handlers: ['go'] });
  // Sent the moment it is registered: it does not listen yet.
  const id = await server.send({ directive: 'go', content });
  expect(rawContent(await server.answer(id))).toBe(JSON.stringify(content));
  expect(book.events('register')[0]).toMatchObject({
    registered: true,
    address: expect.stringMatching(/^\//),
  });
  await yggd.stopCleanly();
});

test('other libraries get the unix: form', async () => {
  const scope = testScope();
  const book = ledger(scope);
  await startHost(scope, { workers: [nodeWorker({ ledger: book.file })], handlers: ['node'] });
  const [registered] = await book.reaches('register', 1);
  expect(registered).toMatchObject({ address: expect.stringMatching(/^unix:\//) });
});

const peer = path.join(process.env['PEER'] ?? '/nowhere', 'libexec/yggdrasil/echoworker');

test.skipIf(!existsSync(peer))(
  'the Go echo worker (PEER=DIR names a folder with libexec/yggdrasil/echoworker)',
  async () => {
    await answersAndStops(programWorker(peer, { name: 'echoworker' }), 'echo');
  },
);
