/** What workers send back, and what they are told. */
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { type Rig, rig, startWorker, type TestWorker } from './rig.ts';

const file = '/workers/echo-worker';

async function spawned(bench: Rig, name = file, handler = 'echo'): Promise<TestWorker> {
  bench.process(name);
  return startWorker(await bench.prepare(name), { handler });
}

test('Send is answered after the flush and not before', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  let open = (): void => {};
  bench.journal.gate = new Promise((resolve) => {
    open = resolve;
  });
  let answered = false;
  const sent = worker.send({}).then(() => {
    answered = true;
  });
  await waitFor(() => bench.journal.responses.length === 1, { what: 'the response' });
  await stays(() => answered || bench.heard.includes('return 1'), { what: 'an answer', span: 100 });
  open();
  await sent;
  await bench.hears('return 1');
});

test('an empty id gets a new one, and no metadata is null', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  await worker.send({ content: Buffer.from('1') });
  expect(bench.journal.responses[0]).toMatchObject({
    ...{ responseTo: '', directive: 'echo', metadata: null, handler: 'echo' },
    messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('a second response to one message passes and finishes nothing', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand();
  await bench.hears('dispatch 1 attempt 1');
  await worker.answer();
  await worker.answer();
  expect(bench.journal.log.slice(-2)).toEqual(['respond 2 finishes 1', 'respond 3']);
  expect(bench.counters.get('responses_unknown_id')).toBe(0);
});

test('two messages with one id at work: each response finishes one of them', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand({ messageId: 'again', content: Buffer.from('1') });
  bench.hand({ messageId: 'again', content: Buffer.from('2') });
  await waitFor(() => worker.taken.length === 2, { what: 'both hand-overs' });
  await Promise.all([worker.answer(0), worker.answer(1)]);
  await bench.hears('settle 1 done');
  await bench.hears('settle 2 done');
});

test('a response that comes before the call is answered finishes the message', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  worker.reply = () => 'never';
  bench.hand();
  await waitFor(() => worker.taken.length === 1, { what: 'hand-over' });
  await worker.answer();
  await bench.hears('settle 1 done');
  expect(bench.journal.log).toEqual(['offer 1', 'respond 2 finishes 1']);
});

test('a worker that answers and ends at once has answered', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand();
  await bench.hears('dispatch 1 attempt 1');
  const answered = worker.answer();
  bench.die(file);
  await bench.hears('unregister echo');
  await answered;
  await bench.hears('settle 1 done');
  expect(bench.heard).not.toContain('settle 1 dead');
});

describe('who may answer', () => {
  test('a message that was given to another worker: PERMISSION_DENIED', async () => {
    const bench = await rig();
    await spawned(bench);
    const other = await spawned(bench, '/workers/other-worker', 'other');
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    await expect(other.send({ responseTo: 'id-1' })).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    expect(bench.journal.responses).toEqual([]);
    expect(bench.counters.get('responses_refused')).toBe(1);
  });

  test('a worker started by hand does not answer for a spawned one', async () => {
    const bench = await rig();
    await spawned(bench);
    const foreign = await startWorker(path.join(bench.folder, 'dispatcher.sock'), { handler: 'other' });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    const answer = foreign.send({ responseTo: 'id-1' });
    await expect(answer).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  test('an unknown id passes and is counted', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    await worker.send({ responseTo: 'never-seen' });
    expect(bench.journal.responses).toHaveLength(1);
    expect(bench.counters.get('responses_unknown_id')).toBe(1);
  });

  test('nobody who has not registered', async () => {
    const bench = await rig();
    bench.process(file);
    const worker = await startWorker(await bench.prepare(file), { handler: '-' });
    await expect(worker.send({})).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });

  test('the next incarnation may answer what the last one was given', async () => {
    const bench = await rig();
    const first = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    first.vanish();
    bench.die(file);
    await bench.hears('settle 1 dead');
    const next = await startWorker(await bench.prepare(file));
    await next.send({ responseTo: 'id-1' });
    expect(bench.journal.responses).toHaveLength(1);
  });
});

describe('no room', () => {
  test('the outbox is full: RESOURCE_EXHAUSTED, and the message stays in hand', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.journal.outboxFull = true;
    await expect(worker.answer()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    bench.journal.outboxFull = false;
    await worker.answer();
    await bench.hears('settle 1 done');
  });

  test('the disk is full: UNAVAILABLE, and the message stays in hand', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.journal.refusal = new YggError('YGG_JOURNAL_FULL', 'The disk is full.');
    await expect(worker.answer()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    bench.journal.refusal = undefined;
    await worker.answer();
    await bench.hears('settle 1 done');
  });

  test('the disk refuses the response to a call that failed meanwhile: the message is not forgotten', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    let refuse = (_error: YggError): void => {};
    let fail = (): void => {};
    worker.reply = () =>
      new Promise((resolve) => {
        fail = () => resolve({ code: status.UNKNOWN, details: 'it broke' });
      });
    bench.hand();
    await waitFor(() => worker.taken.length === 1, { what: 'hand-over' });
    bench.journal.gate = new Promise((_, reject) => {
      refuse = reject;
    });
    const sent = worker.answer();
    sent.catch(() => {});
    await waitFor(() => bench.journal.responses.length === 1, { what: 'the response' });
    fail();
    await stays(() => bench.heard.some((line) => line.startsWith('settle')), { what: 'an end', span: 100 });
    refuse(new YggError('YGG_JOURNAL_FULL', 'The disk is full.'));
    await expect(sent).rejects.toMatchObject({ code: status.UNAVAILABLE });
    bench.clock.wind(3_500);
    await bench.hears('settle 1 dead');
  });

  test('a response over the limit is refused and the worker lives on', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const content = Buffer.alloc(1024 * 1024 + 1);
    await expect(worker.send({ content })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('1048577 bytes and may have 1048576'),
    });
    await worker.send({});
    expect(bench.journal.responses).toHaveLength(1);
  });

  test('a response far over the limit is not even received', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const content = Buffer.alloc(6 * 1024 * 1024);
    await expect(worker.send({ content })).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  test.each([1024, 5 * 1024 * 1024])(
    'a content of exactly the limit, of %i bytes, is taken with its metadata',
    async (limit) => {
      const bench = await rig({ responseLimit: limit });
      const worker = await spawned(bench);
      await worker.send({ content: Buffer.alloc(limit), metadata: { long: 'x'.repeat(100_000) } });
      expect(bench.journal.responses).toHaveLength(1);
    },
  );

  test.each(['messageId', 'responseTo'])('a %s longer than any is refused', async (field) => {
    const bench = await rig();
    const worker = await spawned(bench);
    await expect(worker.send({ [field]: 'x'.repeat(257) })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('257 characters is longer than 256'),
    });
    expect(bench.counters.get('responses_refused')).toBe(1);
    await worker.send({ [field]: 'x'.repeat(256) });
    expect(bench.journal.responses).toMatchObject([{ [field]: 'x'.repeat(256) }]);
  });
});

describe('a worker that asked for the settings', () => {
  test('gets them with its own socket', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    expect(await worker.settings()).toMatchObject({
      ...{ logLevel: 'INFO', clientId: 'host', server: 'tcp://broker' },
      socketAddr: expect.stringMatching(/^unix:\//),
    });
  });

  test('waits in Send for the HTTP result', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    await worker.settings();
    const sent = worker.send({ directive: 'https://server/reply' });
    await bench.hears('return 1');
    const body = Buffer.from('{"ok":true}');
    void bench.signals.emit('data-deliver', { sequence: 1, status: 200, headers: { etag: 'x' }, body });
    expect(Buffer.from(await sent).toString()).toBe(
      '{"StatusCode":200,"Body":{"ok":true},"Metadata":{"etag":"x"}}',
    );
  });

  test('gets an empty answer when there is no result in a minute', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    await worker.settings();
    const sent = worker.send({ directive: 'https://server/reply' });
    await bench.hears('return 1');
    bench.clock.wind(60_000);
    expect(await sent).toHaveLength(0);
  });

  test('does not wait for what goes by MQTT', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    await worker.settings();
    expect(await worker.send({ directive: 'echo' })).toHaveLength(0);
  });
});

test('a worker that did not ask is answered at once, also when it sends to a URL', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  expect(await worker.send({ directive: 'https://server/reply' })).toHaveLength(0);
});

describe('the broker comes and goes', () => {
  test('workers hear of it', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    void bench.signals.emit('client-connect', { broker: '', restored: false });
    void bench.signals.emit('client-disconnect', { asked: false });
    await waitFor(() => worker.events.length === 1, { what: 'the loss' });
    void bench.signals.emit('client-connect', { broker: '', restored: true });
    await waitFor(() => worker.events.length === 2, { what: 'the return' });
    void bench.signals.emit('client-disconnect', { asked: true });
    await waitFor(() => worker.events.length === 3, { what: 'the leave' });
    expect(worker.events).toEqual([2, 3, 1]);
  });

  test('a worker that does not know the call is not asked again', async () => {
    const bench = await rig();
    bench.process(file);
    const worker = await startWorker(await bench.prepare(file), { deaf: true });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    void bench.signals.emit('client-disconnect', { asked: false });
    await waitFor(() => worker.events.length === 1, { what: 'the first event' });
    // Behind the answer to the event, on the same connection.
    bench.hand();
    await bench.hears('dispatch 2 attempt 1');
    void bench.signals.emit('client-disconnect', { asked: false });
    await stays(() => worker.events.length > 1, { what: 'a second event', span: 100 });
  });
});
