/** One message there and back: the bytes, the envelope, the metadata. */
import { beforeAll, expect, test } from 'vitest';
import { differences } from '../helpers/captures.ts';
import { type Host, startHost } from '../helpers/host.ts';
import { dataMessage, rawContent } from '../helpers/mqtt-server.ts';
import type { Scope } from '../helpers/scope.ts';
import { fileScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker } from '../helpers/worker-files.ts';

const scope: Scope = fileScope();
let host: Host;

beforeAll(async () => {
  host = await startHost(scope, { workers: [echoWorker()], handlers: ['echo'] });
});

test.each([
  ['echo-object', { hello: 'world', n: [1, 2.5, null, true] }, { k: 'v' }],
  ['echo-string', 'plain string', {}],
  ['echo-null-content', null, {}],
])('answers as captured: %s', async (name, content, metadata) => {
  const id = await host.server.send({ directive: 'echo', content, metadata });
  const answer = await host.server.answer(id);
  expect(differences(answer.text, name)).toEqual([]);
  expect(answer).toMatchObject({ topic: 'data/out', qos: 1, retain: false });
  expect(answer.json['response_to']).toBe(id);
});

test.each([
  ['numbers beyond doubles', '{"n":12345678901234567890.000000000000000001,"big":1e400,"neg":-0.0}'],
  ['spacing and key order', '{ "z" : 1 ,\t"a":[ 1,2 ,3 ]  }'],
  ['duplicate keys', '{"a":1,"a":2}'],
  ['escapes', '"\\u00e9\\/\\ud83d\\ude00\\n"'],
  ['text beyond the basic plane', '"é 😀 汉字"'],
  ['a number', '42'],
  ['false', 'false'],
  ['an empty string', '""'],
  ['an empty object', '{}'],
  ['deep nesting', `${'['.repeat(200)}${']'.repeat(200)}`],
])('content reaches the worker and comes back byte for byte: %s', async (_, raw) => {
  const id = await host.server.send({ directive: 'echo', raw });
  expect(rawContent(await host.server.answer(id))).toBe(raw);
});

test('metadata: null means none, null values are empty, numbers and booleans are their text', async () => {
  const id = await host.server.send({ directive: 'echo', metadata: { a: null, b: 12, c: true, d: 'text' } });
  expect((await host.server.answer(id)).json['metadata']).toEqual({ a: '', b: '12', c: 'true', d: 'text' });
  const none = await host.server.send({ directive: 'echo', metadata: null });
  expect((await host.server.answer(none)).json['metadata']).toBeNull();
});

test('field names match without regard to case, the last of a name counts, unknown ones are ignored', async () => {
  const { id } = dataMessage({ directive: 'echo' });
  const text = `{"TYPE":"data","Message_ID":"not-this","message_id":"${id}","Version":1,"future":{"x":[1]},"Directive":"echo","MetaData":{"a":"b"},"CONTENT":[1]}`;
  await host.server.publish('data/in', text);
  const answer = await host.server.answer(id);
  expect(rawContent(answer)).toBe('[1]');
  expect(answer.json['metadata']).toEqual({ a: 'b' });
});

test('a message without content is answered with null', async () => {
  const { id } = dataMessage({ directive: 'echo' });
  await host.server.publish('data/in', `{"type":"data","message_id":"${id}","directive":"echo"}`);
  expect(rawContent(await host.server.answer(id))).toBe('null');
});

test('a QoS 0 message is answered too', async () => {
  const { id, text } = dataMessage({ directive: 'echo', content: 'zero' });
  await host.server.publish('data/in', text, { qos: 0 });
  expect(rawContent(await host.server.answer(id))).toBe('"zero"');
});

test('a megabyte there and back', async () => {
  const content = 'x'.repeat(1024 * 1024);
  const id = await host.server.send({ directive: 'echo', content });
  expect((await host.server.answer(id, 20_000)).json['content']).toBe(content);
});

test('the same id again is answered once', async () => {
  const { id, text } = dataMessage({ directive: 'echo', content: 1 });
  await host.server.publish('data/in', text);
  await host.server.answer(id);
  await host.server.publish('data/in', text);
  const marker = await host.server.send({ directive: 'echo' });
  await host.server.answer(marker);
  expect(host.server.answersTo(id)).toHaveLength(1);
});

test('an old id with a new content is a new message', async () => {
  const { id, text } = dataMessage({ directive: 'echo', content: 'first' });
  await host.server.publish('data/in', text);
  await host.server.answer(id);
  await host.server.send({ directive: 'echo', content: 'second', messageId: id });
  await waitFor(() => host.server.answersTo(id).length === 2, { what: 'second answer' });
  expect(host.server.answersTo(id).map(rawContent)).toEqual(['"first"', '"second"']);
});

test('200 messages in one go are all answered, each once', async () => {
  const ids = await Promise.all(
    Array.from({ length: 200 }, (_, n) => host.server.send({ directive: 'echo', content: n })),
  );
  await waitFor(() => ids.every((id) => host.server.answersTo(id).length > 0), { what: 'all answers' });
  for (const [n, id] of ids.entries()) {
    expect(host.server.answersTo(id).map(rawContent)).toEqual([String(n)]);
  }
});
