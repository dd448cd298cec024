/** Workers that do what they should not: the daemon goes on with the rest, and nobody waits in vain. */
import { expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { alive } from '../helpers/processes.ts';
import { testScope } from '../helpers/test-scope.ts';
import { stays, waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';

/** Ends the daemon; what it counted. */
async function counted({ yggd }: Host): Promise<Readonly<Record<string, unknown>>> {
  await yggd.stopCleanly();
  return await yggd.says({ msg: 'counted since the start' });
}

/** The other worker still answers. */
async function othersGoOn({ server }: Host): Promise<void> {
  await server.answer(await server.send({ directive: 'echo', content: 'still here' }), 5_000);
}

async function reasonFor({ server }: Host, id: string, deadline = 10_000): Promise<unknown> {
  const { json } = await server.answer(id, deadline);
  const metadata = json['metadata'];
  return typeof metadata === 'object' && metadata !== null && 'reason' in metadata ? metadata.reason : json;
}

test('one that never registers holds nothing up', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [
      echoWorker(),
      nodeWorker({ handler: 'mute', behaviours: ['never-register'], ledger: book.file }),
    ],
    handlers: ['echo'],
    flags: ['--worker-grace', '1s'],
  });
  await book.reaches('start', 1);
  const id = await host.server.send({ directive: 'mute' });
  expect(await reasonFor(host, id)).toBe('no-worker');
  await othersGoOn(host);
  await host.yggd.stopCleanly();
});

test('one that registers twice keeps its handler and answers', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'twice', behaviours: ['register-twice'], ledger: book.file })],
    handlers: ['twice'],
  });
  await book.reaches('register-again', 1);
  await host.server.answer(await host.server.send({ directive: 'twice' }));
  await host.yggd.stopCleanly();
});

test("one that claims another's handler is refused, and the first keeps it", async () => {
  const scope = testScope();
  const [first, thief] = [ledger(scope), ledger(scope)];
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'mine', name: 'a-worker', ledger: first.file })],
    handlers: ['mine'],
  });
  host.home.install(nodeWorker({ handler: 'mine', name: 'thief-worker', ledger: thief.file }));
  await thief.reaches('start', 1);
  await host.server.answer(await host.server.send({ directive: 'mine' }));
  expect(first.messageIds()).toHaveLength(1);
  expect(thief.messageIds()).toEqual([]);
  expect(thief.events('register').filter(({ registered }) => registered)).toEqual([]);
});

test('one that never answers the hand-over delays nobody else', async () => {
  const host = await startHost(testScope(), {
    workers: [echoWorker(), nodeWorker({ handler: 'stuck', behaviours: ['hang'] })],
    handlers: ['echo', 'stuck'],
  });
  for (let n = 0; n < 100; n += 1) await host.server.send({ directive: 'stuck', content: n });
  await othersGoOn(host);
});

test('one that accepts and never answers is given more, and the rest goes on', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [echoWorker(), nodeWorker({ handler: 'silent', behaviours: ['silent'], ledger: book.file })],
    handlers: ['echo', 'silent'],
  });
  const ids: string[] = [];
  for (let n = 0; n < 200; n += 1) ids.push(await host.server.send({ directive: 'silent', content: n }));
  await book.reaches('message', 200, 15_000);
  expect(new Set(book.messageIds())).toEqual(new Set(ids));
  await othersGoOn(host);
});

test('an accepted message that is never answered times out where it must be done', async () => {
  const host = await startHost(testScope(), {
    workers: [
      nodeWorker({
        handler: 'silent',
        behaviours: ['silent'],
        redelivery: 'until-done',
        config: ['timeout = "1s"'],
      }),
    ],
    handlers: ['silent'],
  });
  expect(await reasonFor(host, await host.server.send({ directive: 'silent' }))).toBe('timed-out');
});

test('one that is frozen does not freeze the others, and answers when it wakes', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [echoWorker(), nodeWorker({ handler: 'frozen', ledger: book.file, redelivery: 'until-done' })],
    handlers: ['echo', 'frozen'],
  });
  const pid = book.pids()[0] ?? 0;
  process.kill(pid, 'SIGSTOP');
  const id = await host.server.send({ directive: 'frozen' });
  await othersGoOn(host);
  process.kill(pid, 'SIGCONT');
  await host.server.answer(id);
});

test('one that is deaf to SIGTERM is killed, with everything it started', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'deaf', behaviours: ['deaf', 'grandchild'], ledger: book.file })],
    handlers: ['deaf'],
  });
  const { exit, took } = await host.yggd.stop();
  expect(exit.code).toBe(0);
  expect(took).toBeLessThan(20_000);
  expect(alive(book.pids()[0] ?? 0)).toBe(false);
  expect(host.home.processes()).toEqual([]);
});

test('one that dies and leaves a child holding its output is noticed at once', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'parent', behaviours: ['grandchild'], ledger: book.file })],
    handlers: ['parent'],
  });
  const after = host.server.statuses.length;
  process.kill(book.pids()[0] ?? 0, 'SIGKILL');
  await host.server.online([], { after, deadline: 2_000 });
  await host.server.online(['parent'], { after });
  await host.yggd.stopCleanly();
});

test('one that floods its output does not flood the log, and the rest goes on', async () => {
  const host = await startHost(testScope(), {
    workers: [echoWorker(), nodeWorker({ handler: 'loud', behaviours: ['flood'] })],
    handlers: ['echo', 'loud'],
  });
  await othersGoOn(host);
  await host.server.answer(await host.server.send({ directive: 'loud' }), 20_000);
  const before = host.yggd.lines.length;
  await stays(() => host.yggd.lines.length > before + 1_000, { what: 'a flood of log lines', span: 2_000 });
  const flood = /^the worker prints too many lines a second; the rest of them is dropped and counted$/;
  expect(host.yggd.logged(flood)).toHaveLength(1);
  expect((await counted(host))['worker_log_lines_dropped']).toBeGreaterThan(1_000);
});

test('one that answers an id nobody sent is passed on', async () => {
  const host = await startHost(testScope(), {
    workers: [nodeWorker({ handler: 'guess', behaviours: ['unknown-response-to'] })],
    handlers: ['guess'],
  });
  await host.server.send({ directive: 'guess', content: 'guess' });
  await waitFor(() => host.server.data.some(({ json }) => json['content'] === 'guess'), {
    what: 'the answer',
  });
});

test('an exception in the worker is reported; where it must be done, after three', async () => {
  const scope = testScope();
  const [once, thrice] = [ledger(scope), ledger(scope)];
  const host = await startHost(scope, {
    workers: [
      nodeWorker({ handler: 'once', behaviours: ['throw'], ledger: once.file }),
      nodeWorker({ handler: 'thrice', behaviours: ['throw'], ledger: thrice.file, redelivery: 'until-done' }),
    ],
    handlers: ['once', 'thrice'],
  });
  expect(await reasonFor(host, await host.server.send({ directive: 'once' }))).toBe('worker-error');
  expect(once.messageIds()).toHaveLength(1);
  expect(await reasonFor(host, await host.server.send({ directive: 'thrice' }), 30_000)).toBe('worker-error');
  expect(thrice.messageIds()).toHaveLength(3);
});

test('a refusal for want of room is reported, not repeated', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [
      nodeWorker({ handler: 'full', behaviours: ['exhausted'], ledger: book.file, redelivery: 'until-done' }),
    ],
    handlers: ['full'],
  });
  expect(await reasonFor(host, await host.server.send({ directive: 'full' }))).toBe('refused');
  expect(book.messageIds()).toHaveLength(1);
});

test('one that dies with a message in hand: nobody waits in vain, and it is not run twice', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [nodeWorker({ handler: 'mortal', behaviours: ['die-on-message'], ledger: book.file })],
    handlers: ['mortal'],
  });
  expect(await reasonFor(host, await host.server.send({ directive: 'mortal' }))).toBe('outcome-unknown');
  expect(book.messageIds()).toHaveLength(1);
});

test('one that dies of a message that must be done gets it three times', async () => {
  const scope = testScope();
  const book = ledger(scope);
  const host = await startHost(scope, {
    workers: [
      nodeWorker({
        handler: 'mortal',
        behaviours: ['die-on-message'],
        ledger: book.file,
        redelivery: 'until-done',
      }),
    ],
    handlers: ['mortal'],
  });
  expect(await reasonFor(host, await host.server.send({ directive: 'mortal' }), 30_000)).toBe('worker-died');
  expect(book.messageIds()).toHaveLength(3);
  expect(await counted(host)).toMatchObject({ messages_redelivered: 2, messages_dead: 1, worker_deaths: 3 });
});

test('one that dies with 64 in hand: each is reported', async () => {
  const host = await startHost(testScope(), {
    workers: [nodeWorker({ handler: 'full', behaviours: ['die-when-full'] })],
    handlers: ['full'],
  });
  const ids = await Promise.all(
    Array.from({ length: 64 }, (_, n) => host.server.send({ directive: 'full', content: n })),
  );
  for (const id of ids) expect(await reasonFor(host, id, 20_000)).toBe('outcome-unknown');
});

test('one that answers and exits at once is heard', async () => {
  const host = await startHost(testScope(), {
    // What is handed to it on its way out is not lost either.
    workers: [nodeWorker({ handler: 'brief', behaviours: ['answer-and-exit'], redelivery: 'until-done' })],
    handlers: ['brief'],
  });
  for (const content of [1, 2, 3]) {
    const id = await host.server.send({ directive: 'brief', content });
    expect((await host.server.answer(id, 20_000)).json['content']).toBe(content);
  }
});

test('bytes that are no UTF-8 come out as base64, marked', async () => {
  const host = await startHost(testScope(), {
    workers: [nodeWorker({ handler: 'bytes', behaviours: ['invalid-bytes'] })],
    handlers: ['bytes'],
  });
  const answer = await host.server.answer(await host.server.send({ directive: 'bytes' }));
  expect(answer.json).toMatchObject({ content: '//4AgA==', metadata: { 'content-encoding': 'base64' } });
});

test('a message over 4 MiB for a unary worker is refused, not tried again and again', async () => {
  const host = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--max-message-size', '8MiB'],
  });
  const id = await host.server.send({ directive: 'echo', content: 'x'.repeat(5 * 1024 * 1024) });
  expect(await reasonFor(host, id, 20_000)).toBe('refused');
  await othersGoOn(host);
});
