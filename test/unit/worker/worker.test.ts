import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemon } from '../../../src/testing/index.ts';
import { createWorker, RetryLater, type WorkerOptions } from '../../../src/worker/index.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

async function start(options: WorkerOptions): Promise<TestDaemon> {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  await daemon.run(createWorker({ log: silentLogger, ...options }));
  return daemon;
}

test('a worker of ten lines', async () => {
  const daemon = await start({
    handler: 'echo',
    async onMessage(message) {
      return message.content;
    },
  });
  const { outcome, answers } = await daemon.send({ directive: 'echo', content: { hello: 'world' } });
  expect(outcome).toBe('done');
  expect(answers.map((answer) => answer.json())).toEqual([{ hello: 'world' }]);
  expect(answers[0]).toMatchObject({ directive: 'echo', responseTo: 'message-1', metadata: {} });
});

test.each([
  ['bytes as they are', Buffer.from('{ "a" :1}'), '{ "a" :1}'],
  ['an object as JSON', { a: 1 }, '{"a":1}'],
  ['a text as JSON', 'text', '"text"'],
  ['null as JSON', null, 'null'],
])('a handler returns %s', async (_, value, expected) => {
  const daemon = await start({ handler: 'echo', onMessage: () => value });
  const { answers } = await daemon.send({ directive: 'echo' });
  expect(answers.map((answer) => answer.text())).toEqual([expected]);
});

test('a handler that returns nothing answers nothing', async () => {
  const daemon = await start({ handler: 'echo', onMessage() {} });
  expect(await daemon.send({ directive: 'echo' })).toMatchObject({ outcome: 'done', answers: [] });
});

test('what was thrown is told by code and text, without a stack', async () => {
  const daemon = await start({
    handler: 'echo',
    onMessage() {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    },
  });
  const result = await daemon.send({ directive: 'echo' });
  expect(result).toMatchObject({ outcome: 'failed', code: 'ENOENT', text: 'no such file', retry: false });
  expect(result.answers).toEqual([]);
});

test('what JSON cannot say is a failure', async () => {
  const daemon = await start({ handler: 'echo', onMessage: () => 1n });
  expect(await daemon.send({ directive: 'echo' })).toMatchObject({ outcome: 'failed', code: 'TypeError' });
});

test('a handler asks for another run, and has retries', async () => {
  const daemon = await start({
    handlers: {
      later: () => {
        throw new RetryLater(500, 'locked');
      },
      twice: {
        retries: 2,
        onMessage() {
          throw new Error('no');
        },
      },
    },
  });
  const later = await daemon.send({ directive: 'later', attempt: 9 });
  expect(later).toMatchObject({ outcome: 'failed', retry: true, delay: 500, text: 'locked' });
  expect(await daemon.send({ directive: 'twice', attempt: 2 })).toMatchObject({ retry: true, delay: 2_000 });
  expect(await daemon.send({ directive: 'twice', attempt: 3 })).toMatchObject({
    retry: false,
    code: 'ERROR',
  });
});

test('a job replies, says its progress and accepts', async () => {
  const daemon = await start({
    handler: 'job',
    async onMessage(_message, job) {
      await job.accept();
      job.progress({ percent: 40 });
      await job.reply('first', { metadata: { part: '1' } });
      await job.reply('elsewhere', { directive: 'https://example.test/jobs/7' });
      return job.attempt;
    },
  });
  const delivery = daemon.deliver({ directive: 'job', attempt: 3 });
  const { answers } = await delivery.result;
  expect(delivery).toMatchObject({ accepted: true, progress: ['{"percent":40}'] });
  expect(answers.map((answer) => [answer.directive, answer.text()])).toEqual([
    ['job', '"first"'],
    ['https://example.test/jobs/7', '"elsewhere"'],
    ['job', '3'],
  ]);
  expect(answers[0]?.metadata).toEqual({ part: '1' });
});

test('the answer to detached content goes to its return_url', async () => {
  const daemon = await start({ handler: 'play', detached: true, onMessage: () => 1 });
  const metadata = { return_url: 'https://example.test/return' };
  const { answers } = await daemon.send({ directive: 'play', metadata });
  expect(answers[0]?.directive).toBe(metadata.return_url);
});

test('messages of a handler begin in order, one at a time unless it says otherwise', async () => {
  const began: string[] = [];
  let running = 0;
  let most = 0;
  const onMessage = async (message: { text(): string }): Promise<void> => {
    began.push(message.text());
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  const daemon = await start({ handlers: { one: onMessage, four: { concurrency: 4, onMessage } } });
  const all = (directive: string): Promise<unknown> =>
    Promise.all(Array.from({ length: 20 }, (_, content) => daemon.send({ directive, content })));
  await all('one');
  expect(most).toBe(1);
  expect(began).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
  await all('four');
  expect(most).toBe(4);
});

test('a cancelled message ends, begun or not, and the next one runs', async () => {
  const daemon = await start({
    handler: 'slow',
    onMessage: (message, { signal }) =>
      message.text() === '"quick"'
        ? 1
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  const running = daemon.deliver({ directive: 'slow' });
  const next = daemon.deliver({ directive: 'slow', content: 'quick' });
  setTimeout(() => running.cancel(), 20);
  expect(await running.result).toMatchObject({ outcome: 'cancelled' });
  expect(await next.result).toMatchObject({ outcome: 'done' });
});

test('a message has its time', async () => {
  const daemon = await start({ handler: 'slow', timeout: 20, onMessage: () => new Promise(() => {}) });
  expect(await daemon.send({ directive: 'slow' })).toMatchObject({ outcome: 'failed', code: 'YGG_DEADLINE' });
  expect(await daemon.send({ directive: 'slow' })).toMatchObject({ outcome: 'failed', code: 'YGG_DEADLINE' });
});

test('large content there and back, in chunks', async () => {
  const daemon = await start({ handler: 'echo', onMessage: (message) => message.content });
  const content = Buffer.alloc(3_000_000, 'abcdefg');
  const { answers } = await daemon.send({ directive: 'echo', content });
  expect(Buffer.from(answers[0]?.content ?? []).equals(content)).toBe(true);
});

test('a streaming handler reads large content as it comes', async () => {
  const daemon = await start({
    handler: 'count',
    streaming: true,
    async onMessage(message) {
      let bytes = 0;
      for await (const chunk of message.stream()) bytes += chunk.length;
      return bytes;
    },
  });
  const { answers } = await daemon.send({ directive: 'count', content: Buffer.alloc(5_000_000) });
  expect(answers[0]?.json()).toBe(5_000_000);
  expect((await daemon.send({ directive: 'count', content: 1 })).answers[0]?.json()).toBe(1);
});

test('a stream that breaks loses nothing and runs nothing twice', async () => {
  const runs: string[] = [];
  let release = (): void => {};
  const daemon = await start({
    handler: 'echo',
    concurrency: 8,
    async onMessage(message) {
      runs.push(message.id);
      if (message.text() === '"wait"') await new Promise<void>((resolve) => (release = resolve));
      return message.content;
    },
  });
  const held = daemon.deliver({ directive: 'echo', content: 'wait' });
  await waitFor(() => runs.length === 1, { what: 'first run' });
  const others = Array.from({ length: 100 }, (_, n) => daemon.deliver({ directive: 'echo', content: n }));
  daemon.disconnect();
  await Promise.all(others.map(({ result }) => result));
  daemon.disconnect();
  release();
  expect((await held.result).answers.map((answer) => answer.text())).toEqual(['"wait"']);
  expect(new Set(runs).size).toBe(101);
  expect(runs).toHaveLength(101);
  for (const { answers } of others) expect(answers).toHaveLength(1);
});

test('a worker that is stopped finishes what it began, and takes nothing more', async () => {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  let finish: (() => void) | undefined;
  const worker = createWorker({
    log: silentLogger,
    handler: 'slow',
    onMessage: () =>
      new Promise((resolve) => {
        finish = () => resolve(1);
      }),
  });
  await daemon.run(worker);
  const begun = daemon.deliver({ directive: 'slow' });
  await waitFor(() => finish, { what: 'begin' });
  const stopped = worker.stop();
  const late = daemon.deliver({ directive: 'slow' });
  finish?.();
  await stopped;
  expect(await begun.result).toMatchObject({ outcome: 'done' });
  expect(late.answers).toEqual([]);
  await expect(worker.send('late', 1)).rejects.toMatchObject({ code: 'YGG_CLOSED' });
});

test.each([
  ['until-done', true],
  ['until-accepted', false],
] as const)('a handler that is interrupted fails, and runs again under %s: %s', async (redelivery, retry) => {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  let begun = false;
  const worker = createWorker({
    log: silentLogger,
    patience: 1_050,
    handler: 'slow',
    redelivery,
    onMessage(_, { signal }) {
      begun = true;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
  });
  await daemon.run(worker);
  const delivery = daemon.deliver({ directive: 'slow' });
  const never = daemon.deliver({ directive: 'slow' });
  await waitFor(() => begun, { what: 'begin' });
  await worker.stop();
  expect(await delivery.result).toMatchObject({ outcome: 'failed', code: 'YGG_CLOSED', retry });
  expect(never.given).toBe(false);
});

test('what was on its way when the worker said goodbye goes back', async () => {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  const runs: string[] = [];
  const worker = createWorker({
    log: silentLogger,
    handler: 'echo',
    concurrency: 8,
    onMessage: (message) => void runs.push(message.id),
  });
  await daemon.run(worker);
  const deliveries = Array.from({ length: 8 }, () => daemon.deliver({ directive: 'echo' }));
  await waitFor(() => deliveries.every(({ given }) => given), { what: 'hand-over' });
  await worker.stop();
  const outcomes = await Promise.all(deliveries.map(async ({ result }) => (await result).outcome));
  expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(runs.length);
  expect(outcomes.filter((outcome) => outcome === 'returned')).toHaveLength(8 - runs.length);
});

test('a job knows its deadline', async () => {
  const onMessage = (_: unknown, { deadline }: { deadline: Date | undefined }): number =>
    (deadline?.getTime() ?? 0) - Date.now();
  const daemon = await start({ handlers: { own: { timeout: 5_000, onMessage }, daemons: onMessage } });
  const [own, daemons] = await Promise.all([
    daemon.send({ directive: 'own' }),
    daemon.send({ directive: 'daemons' }),
  ]);
  expect(own.answers[0]?.json()).toBeCloseTo(5_000, -3);
  expect(daemons.answers[0]?.json()).toBeCloseTo(3_600_000, -3);
});

test('a daemon that stops gives what is in hand its patience', async () => {
  const events: string[] = [];
  const daemon = await start({
    handler: 'slow',
    onEvent: (name) => events.push(name),
    onMessage: (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  const delivery = daemon.deliver({ directive: 'slow' });
  await waitFor(() => delivery.given, { what: 'hand-over' });
  daemon.event('unexpected-disconnect');
  daemon.drain(1_010);
  expect(await delivery.result).toMatchObject({ outcome: 'failed', code: 'YGG_CLOSED' });
  expect(events).toEqual(['unexpected-disconnect']);
});

test('a handler that says more of its progress than can be told loses nothing but progress', async () => {
  const daemon = await start({
    handler: 'chatty',
    onMessage(_, job) {
      for (let n = 0; n < 5_000; n += 1) job.progress(Buffer.alloc(4_096, 'x'));
      return 'done';
    },
  });
  const delivery = daemon.deliver({ directive: 'chatty' });
  const { outcome, answers } = await delivery.result;
  expect([outcome, answers[0]?.text()]).toEqual(['done', '"done"']);
  expect(delivery.progress.length).toBeGreaterThan(60);
  expect(delivery.progress.length).toBeLessThan(5_000);
  expect((await daemon.send({ directive: 'chatty' })).outcome).toBe('done');
});

test('a worker sends of its own accord', async () => {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  const worker = createWorker({ log: silentLogger, handler: 'watch', onMessage() {} });
  await daemon.run(worker);
  await worker.send('disk', { full: true });
  expect(
    daemon.sent.map(({ directive, metadata, content }) => [directive, metadata, String(content)]),
  ).toEqual([['watch', { event: 'disk' }, '{"full":true}']]);
});
