/**
 * What a server should not send (docs/bad-input.md): each is refused with one log line, or reported, and the good
 * message behind it is answered.
 */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, dataMessage, type MqttServer } from '../helpers/mqtt-server.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, type LogLine, startYggd, type Yggd } from '../helpers/yggd.ts';

const scope = fileScope();
let host: Host;

beforeAll(async () => {
  host = await startHost(scope, {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--worker-grace', '1s'],
  });
});

/** The daemon goes on with the rest. */
async function goesOn(server: MqttServer = host.server): Promise<void> {
  await server.answer(await server.send({ directive: 'echo', content: 'good' }));
}

/** The lines about this id with these fields; more than one of them fails. */
async function oneLine(yggd: Yggd, fields: Readonly<Record<string, unknown>>): Promise<LogLine> {
  const line = await yggd.says(fields);
  expect(yggd.logged(fields)).toHaveLength(1);
  return line;
}

/** The lines with these fields beyond the first `before`, at least one. */
async function linesAfter(
  fields: Readonly<Record<string, unknown>>,
  before: number,
): Promise<readonly LogLine[]> {
  return await waitFor(
    () => {
      const lines = host.yggd.logged(fields).slice(before);
      return lines.length > 0 && lines;
    },
    { what: `log line ${JSON.stringify(fields)}` },
  );
}

/** Metadata of what answers this id. */
async function reported(id: string, { server }: Pick<Host, 'server'> = host): Promise<unknown> {
  return (await server.answer(id)).json['metadata'];
}

/** Ends the daemon; what it counted, but for what is good. */
async function counted(yggd: Yggd): Promise<LogLine> {
  await yggd.stopCleanly();
  return await yggd.says({ msg: 'counted since the start' });
}

const envelope = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ type: 'data', message_id: 'fixed', version: 1, directive: 'echo', content: 1, ...fields });

const command = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ type: 'command', message_id: 'fixed', version: 1, ...fields });

describe('a data message', () => {
  test.each<[what: string, payload: string | Buffer, id?: string]>([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['half a JSON', '{"type":"data","message_id":"half","directive":"echo","content":{', 'half'],
    ['an array', '[]'],
    ['a number', '7'],
    ['of another type', envelope({ message_id: 'of-type', type: 'command' }), 'of-type'],
    ['without an id', envelope({ message_id: undefined })],
    ['of an id that is no string', envelope({ message_id: 7 })],
    ['of an empty id', envelope({ message_id: '' })],
    ['of an id of 257 characters', envelope({ message_id: 'x'.repeat(257) }), 'x'.repeat(256)],
    ['without a directive', envelope({ message_id: 'no-directive', directive: undefined }), 'no-directive'],
    ['of an empty directive', envelope({ message_id: 'empty', directive: '' }), 'empty'],
    ['of a directive that is no string', envelope({ message_id: 'list', directive: ['echo'] }), 'list'],
    ['of a directive that is a path', envelope({ message_id: 'path', directive: '../../bin/sh' }), 'path'],
    ['of a directive that is too long', envelope({ message_id: 'long', directive: 'x'.repeat(129) }), 'long'],
    ['of metadata that is no object', envelope({ message_id: 'meta', metadata: 'x' }), 'meta'],
    ['of metadata with depth', envelope({ message_id: 'deep-meta', metadata: { a: { b: 1 } } }), 'deep-meta'],
    ['of a time that is none', envelope({ message_id: 'time', sent: 'yesterday' }), 'time'],
    ['bad UTF-8', Buffer.concat([Buffer.from('{"directive":"'), Buffer.from([0xff, 0xfe, 0x22, 0x7d])])],
    ['with text behind it', `${envelope({ message_id: 'behind' })}x`, 'behind'],
    ['with a NUL behind it', `${envelope({ message_id: 'nul' })}\0`, 'nul'],
    [
      'deeper than ten thousand levels',
      `{"message_id":"deep","directive":"echo","content":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'deep',
    ],
  ])('%s is refused, and the next one is answered', async (_, payload, id = '') => {
    const refusal = { msg: 'a data message was refused', message_id: id };
    const before = host.yggd.logged(refusal).length;
    const published = host.server.data.length;
    await host.server.publish('data/in', payload);
    await goesOn();
    const lines = await linesAfter(refusal, before);
    expect(lines).toMatchObject([
      {
        level: 'warn',
        code: 'YGG_MESSAGE_INVALID',
        error: expect.stringMatching(/^The message is not usable: .+\.$/),
      },
    ]);
    expect(host.server.data.length - published).toBe(1);
  });

  test('with a prototype in disguise is passed on as it is', async () => {
    const { id } = dataMessage({ directive: 'echo' });
    await host.server.publish(
      'data/in',
      `{"type":"data","message_id":"${id}","directive":"echo","metadata":{"__proto__":"x","constructor":"y"},"content":{"__proto__":{"a":1}}}`,
    );
    const answer = await host.server.answer(id);
    expect(answer.text).toContain('"content":{"__proto__":{"a":1}}');
    expect(answer.text).toMatch(/"__proto__":"x"/);
  });

  test('as deep as other parsers take it is passed on as it is', async () => {
    const raw = `${'['.repeat(9_000)}${']'.repeat(9_000)}`;
    const { id, text } = dataMessage({ directive: 'echo', raw });
    await host.server.publish('data/in', text);
    expect((await host.server.answer(id)).text).toContain(raw);
  });

  test('for a directive nobody handles is reported after the grace', async () => {
    // A name that every object of JavaScript has is nobody's either.
    const other = await host.server.send({ directive: 'constructor' });
    const id = await host.server.send({ directive: 'nobody' });
    const report = await host.server.answer(id);
    expect(await reported(other)).toEqual({ status: 'failed', reason: 'no-worker' });
    expect(report.json).toMatchObject({
      type: 'data',
      directive: 'nobody',
      response_to: id,
      metadata: { status: 'failed', reason: 'no-worker' },
      content: { error: { code: 'no-worker', message: expect.stringContaining('nobody') } },
    });
    await oneLine(host.yggd, { message_id: id, msg: 'no worker came for a message', level: 'warn' });
  });

  test('that is oversize is reported, and the good one behind it is answered on the same connection', async () => {
    const statuses = host.server.statuses.length;
    const id = await host.server.send({ directive: 'echo', content: 'x'.repeat(3 * 1024 * 1024) });
    await goesOn();
    expect(await reported(id)).toEqual({ status: 'failed', reason: 'too-large' });
    expect(host.server.statuses.length).toBe(statuses);
    await oneLine(host.yggd, {
      message_id: id,
      msg: 'a message was given up on arrival',
      reason: 'too-large',
    });
  });

  test('that is oversize and does not begin with its id is refused', async () => {
    await host.server.publish('data/in', `{"content":"${'x'.repeat(3 * 1024 * 1024)}","message_id":"late"}`);
    await goesOn();
    const line = await oneLine(host.yggd, {
      msg: 'a data message was refused',
      code: 'YGG_MESSAGE_TOO_LARGE',
    });
    expect(line['error']).toMatch(
      /^A packet of 31\d+ bytes is too large, and its id is not at its beginning\.$/,
    );
  });

  test('that comes twice is answered once; a new one with an old id is said and answered', async () => {
    const first = dataMessage({ directive: 'echo', content: 'once' });
    await host.server.publish('data/in', first.text);
    await host.server.answer(first.id);
    await host.server.publish('data/in', first.text);
    await host.server.send({ directive: 'echo', content: 'another', messageId: first.id });
    await waitFor(() => host.server.answersTo(first.id).length === 2, { what: 'the second answer' });
    await goesOn();
    expect(host.server.answersTo(first.id).map(({ json }) => json['content'])).toEqual(['once', 'another']);
    await oneLine(host.yggd, { message_id: first.id, msg: 'a new message came with the id of another one' });
  });

  test('that was cancelled before it came is not run', async () => {
    const id = randomUUID();
    await host.server.command('cancel', { directive: 'echo', messageID: id });
    await host.yggd.says({ message_id: id });
    await host.server.send({ directive: 'echo', messageId: id });
    expect(await reported(id)).toEqual({ status: 'failed', reason: 'cancelled' });
    await goesOn();
  });
});

describe('a command', () => {
  test.each<[what: string, payload: string | Buffer, id?: string]>([
    ['no JSON', 'hello'],
    ['bytes', Buffer.from([0, 1, 2, 255])],
    ['without an id', command({ message_id: undefined, content: { command: 'ping' } })],
    ['without content', command({ message_id: 'no-content' }), 'no-content'],
    ['of content that is no object', command({ message_id: 'text', content: 'ping' }), 'text'],
    ['of a name that is no string', command({ message_id: 'name', content: { command: 1 } }), 'name'],
    [
      'of arguments with depth',
      command({ message_id: 'args', content: { command: 'ping', arguments: { a: [] } } }),
      'args',
    ],
    ['of another type', envelope({ message_id: 'data-there' }), 'data-there'],
    [
      'oversize',
      command({ message_id: 'big', content: { command: 'ping', arguments: { a: 'x'.repeat(3 << 20) } } }),
      'big',
    ],
  ])('%s is refused, and the next one is carried out', async (what, payload, id = '') => {
    const refusal = { msg: 'a command was refused', message_id: id };
    const before = host.yggd.logged(refusal).length;
    await host.server.publish('control/in', payload);
    await host.server.answer(await host.server.command('ping'));
    const lines = await linesAfter(refusal, before);
    const code = what === 'oversize' ? 'YGG_MESSAGE_TOO_LARGE' : 'YGG_MESSAGE_INVALID';
    expect(lines).toMatchObject([{ level: 'warn', code }]);
  });

  test.each<[what: string, name: string, args: unknown, sentence: string]>([
    ['that nobody knows', 'self-destruct', { now: 'true' }, 'unknown command'],
    ['of an empty name', '', null, 'unknown command'],
    ['to cancel nothing', 'cancel', null, 'a cancel that names no message was refused'],
    [
      'to cancel what can be no message',
      'cancel',
      { directive: 'echo', messageID: 'x'.repeat(257) },
      'a cancel that names no message was refused',
    ],
    [
      'to cancel what nobody sent',
      'cancel',
      { directive: 'echo', messageID: 'nobody-sent-this' },
      'a cancel came for a message that is not known; remembered for five minutes',
    ],
  ])('%s is one warning with its id, and the next one is carried out', async (_, name, args, sentence) => {
    const id = await host.server.command(name, args);
    await host.server.answer(await host.server.command('ping'));
    const key = sentence.endsWith('five minutes') ? 'nobody-sent-this' : id;
    await oneLine(host.yggd, { message_id: key, msg: sentence });
    expect(host.server.answersTo(id)).toEqual([]);
  });

  test('that comes twice is carried out once', async () => {
    const id = await host.server.command('ping');
    await host.server.answer(id);
    await host.server.command('ping', null, id);
    await host.server.answer(await host.server.command('ping'));
    expect(host.server.answersTo(id)).toHaveLength(1);
    await oneLine(host.yggd, { message_id: id, msg: 'a command came again; ignored' });
  });
});

test('everything refused was counted, and nothing else was', async () => {
  const { yggd } = host;
  const lines = (sentence: string): number => yggd.logged({ msg: sentence }).length;
  const refused = lines('a data message was refused');
  const commands = lines('a command was refused') + lines('a cancel that names no message was refused');
  expect(await counted(yggd)).toMatchObject({
    messages_refused: refused,
    messages_dead: 4,
    messages_duplicate: 1,
    messages_id_reused: 1,
    messages_oversize: 3,
    // The oversize one is counted as such.
    commands_refused: commands - 1,
    commands_unknown: 2,
    commands_duplicate: 1,
  });
});

test('what the broker kept: a retained command, a retained message, a command that is days old', async () => {
  const own = testScope();
  const broker = await startMosquitto(own);
  const server = await connectMqttServer(own, broker.url);
  const kept = { retained: randomUUID(), old: randomUUID() };
  const ping = { content: { command: 'ping' } };
  await server.publish('control/in', command({ message_id: kept.retained, ...ping }), { retain: true });
  const message = dataMessage({ directive: 'echo', content: 'retained' });
  await server.publish('data/in', message.text, { retain: true });

  const home = createHome(own, [echoWorker()]);
  const first = startYggd(own, { home, brokers: [broker.url] });
  await server.online(['echo']);
  await server.answer(message.id);
  const done = await server.command('ping');
  await server.answer(done);
  await oneLine(first, { message_id: kept.retained, msg: 'a retained command was ignored', level: 'warn' });
  expect(await counted(first)).toMatchObject({ commands_retained: 1 });

  const sent = new Date(Date.now() - 3 * 24 * 60 * 60_000).toISOString();
  await server.publish('control/in', command({ message_id: kept.old, sent, ...ping }));
  const second = startYggd(own, { home, brokers: [broker.url] });
  await server.online(['echo'], { after: server.statuses.length });
  await server.command('ping', null, done);
  await goesOn(server);
  await oneLine(second, { message_id: kept.old, msg: 'a stale command was ignored', level: 'warn' });
  await oneLine(second, { message_id: done, msg: 'a command came again; ignored' });
  expect(await counted(second)).toMatchObject({
    commands_stale: 1,
    commands_duplicate: 1,
    messages_duplicate: 1,
  });
  expect(server.answersTo(done)).toHaveLength(1);
  for (const id of Object.values(kept)) expect(server.answersTo(id)).toEqual([]);
  expect(server.answersTo(message.id)).toHaveLength(1);
});

test('more than the inbox holds: a share that is full is reported, all of it full waits with the broker', async () => {
  const { server, yggd } = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--inbox-limit', '10 / 1MiB', '--worker-grace', '3s', '--dead-limit', '4 / 1d'],
  });
  const greedy: string[] = [];
  for (let n = 0; n < 6; n += 1) greedy.push(await server.send({ directive: 'greedy', content: n }));
  const last = greedy.at(-1) ?? '';
  expect(await reported(last, { server })).toEqual({ status: 'failed', reason: 'inbox-full' });
  for (let n = 0; n < 5; n += 1) await server.send({ directive: 'other', content: n });

  const left = await server.send({ directive: 'echo', content: 'left' });
  const dropped = dataMessage({ directive: 'echo' });
  await server.publish('data/in', dropped.text, { qos: 0 });
  await yggd.says({
    message_id: dropped.id,
    msg: 'a message with QoS 0 was dropped: the inbox takes no more',
  });
  await yggd.says({ msg: 'the inbox takes no more; messages are left to the broker', level: 'warn' });
  await server.answer(await server.command('ping'));
  expect(server.answersTo(left)).toEqual([]);

  for (const id of greedy.slice(0, 5)) await server.answer(id);
  await server.answer(left);
  await yggd.says(/has room again; connecting anew/);
  await yggd.says({ message_id: last, msg: 'a dead letter was dropped to make room', reason: 'inbox-full' });
  expect(await counted(yggd)).toMatchObject({
    messages_qos0_dropped: 1,
    messages_dead: 11,
    dead_letters_dropped: 7,
  });
});

test('report-failures = false keeps reports away from the server', async () => {
  const quiet = await startHost(testScope(), {
    handlers: [],
    flags: ['--worker-grace', '1s', '--report-failures=false'],
  });
  const id = await quiet.server.send({ directive: 'nobody' });
  await quiet.yggd.says({ message_id: id, reason: 'no-worker' });
  await quiet.server.answer(await quiet.server.command('ping'));
  expect(quiet.server.answersTo(id)).toEqual([]);
});
