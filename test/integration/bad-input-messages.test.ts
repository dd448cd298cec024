/** What a server should not send: each is one log line with its reason, and the good message behind it is answered. */
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { dataMessage } from '../helpers/mqtt-server.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';

const scope = fileScope();
let host: Host;

beforeAll(async () => {
  host = await startHost(scope, {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--worker-grace', '1s'],
  });
});

const envelope = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({
    type: 'data',
    message_id: randomUUID(),
    version: 1,
    directive: 'echo',
    content: 1,
    ...fields,
  });

test.each<[string, string | Buffer]>([
  ['nothing', ''],
  ['no JSON', 'hello'],
  ['half a JSON', '{"type":"data","message_id":"'],
  ['an array', '[]'],
  ['a number', '7'],
  ['another type', envelope({ type: 'command' })],
  ['a message id that is no string', envelope({ message_id: 7 })],
  ['an empty message id', envelope({ message_id: '' })],
  ['no directive', envelope({ directive: '' })],
  ['a directive that is no string', envelope({ directive: ['echo'] })],
  ['a directive that is a path', envelope({ directive: '../../bin/sh' })],
  ['metadata that is no object', envelope({ metadata: 'x' })],
  ['metadata with an object in it', envelope({ metadata: { a: { b: 1 } } })],
  [
    'bad UTF-8',
    Buffer.concat([
      Buffer.from('{"type":"data","directive":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]),
  ],
  ['text behind the object', `${envelope({})}x`],
  ['a NUL byte', `${envelope({})}\0`],
])('a data message that is %s is refused, and the next one is answered', async (_, payload) => {
  const before = host.server.data.length;
  await host.server.publish('data/in', payload);
  const id = await host.server.send({ directive: 'echo', content: 'good' });
  await host.server.answer(id);
  expect(host.server.data.length - before).toBe(1);
  expect(host.yggd.running).toBe(true);
});

test.each<[string, string | Buffer]>([
  ['no JSON', 'hello'],
  ['without content', JSON.stringify({ type: 'command', message_id: randomUUID(), version: 1 })],
  [
    'with a content that is no object',
    JSON.stringify({ type: 'command', message_id: randomUUID(), content: 'ping' }),
  ],
  ['of another type', envelope({})],
  ['bytes', Buffer.from([0, 1, 2, 255])],
])('a command that is %s is refused, and the next one is carried out', async (_, payload) => {
  await host.server.publish('control/in', payload);
  await host.server.answer(await host.server.command('ping'));
});

test('a prototype in disguise changes nothing', async () => {
  const { id } = dataMessage({ directive: 'echo' });
  await host.server.publish(
    'data/in',
    `{"type":"data","message_id":"${id}","directive":"echo","metadata":{"__proto__":"x","constructor":"y"},"content":{"__proto__":{"a":1}}}`,
  );
  const answer = await host.server.answer(id);
  expect(answer.text).toContain('"content":{"__proto__":{"a":1}}');
  expect(answer.text).toMatch(/"__proto__":"x"/);
});

test('a directive nobody handles is reported after the grace', async () => {
  const id = await host.server.send({ directive: 'nobody' });
  const report = await host.server.answer(id);
  expect(report.json).toMatchObject({
    type: 'data',
    directive: 'nobody',
    response_to: id,
    metadata: { status: 'failed', reason: 'no-worker' },
    content: { error: { code: expect.any(String), message: expect.any(String) } },
  });
});

test('an oversize packet is reported, and the good one behind it is answered on the same connection', async () => {
  const statuses = host.server.statuses.length;
  await host.server.send({ directive: 'echo', content: 'x'.repeat(3 * 1024 * 1024) });
  const good = await host.server.send({ directive: 'echo', content: 'good' });
  await host.server.answer(good);
  expect(host.server.statuses.length).toBe(statuses);
});

test('content as deep as JSON parsers fall over is passed on as it is', async () => {
  const raw = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const { id, text } = dataMessage({ directive: 'echo', raw });
  await host.server.publish('data/in', text);
  await host.server.answer(await host.server.send({ directive: 'echo', content: 'good' }));
  expect(host.server.answersTo(id).length).toBeLessThanOrEqual(1);
});

test('report-failures = false keeps reports away from the server', async () => {
  const quiet = await startHost(testScope(), {
    handlers: [],
    flags: ['--worker-grace', '1s', '--report-failures=false'],
  });
  const id = await quiet.server.send({ directive: 'nobody' });
  await quiet.yggd.says({ message_id: id });
  await quiet.yggd.says(/no worker|no-worker|given up|dead/i);
  await quiet.server.answer(await quiet.server.command('ping'));
  expect(quiet.server.answersTo(id)).toEqual([]);
});
