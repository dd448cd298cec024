/** Workers that attach: what is agreed on, what becomes of messages and answers, and how it ends. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { outcomeResults, redeliveries } from '../../../src/rpc/attach-frames.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { Attached, type AttachedOptions, attach, attachTo, ownPid } from './attached.ts';
import { contentFile, type Rig, rig, startWorker } from './rig.ts';

const file = '/workers/echo-worker';
const untilDone = { redelivery: redeliveries['until-done'] };

/** Bytes of the buffers of this process that somebody still knows. */
function heldBuffers(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().arrayBuffers;
}

/** A spawned worker that has attached for echo. */
async function spawned(bench: Rig, options: AttachedOptions = {}): Promise<Attached> {
  if (!bench.datastore.processes.get(file)) bench.process(file);
  return attach(await bench.prepare(file), options);
}

describe('hello and welcome', () => {
  test('say what both sides know, and what is granted', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { ...untilDone, concurrency: 3, features: { v: '1' } } });
    expect(worker.welcome).toMatchObject({
      version: 1,
      features: expect.arrayContaining(['chunks', 'cancel', 'files', 'progress', 'results', 'health']),
      clientId: 'host',
      configDirectory: '/etc/yggdrasil',
      maxContentSize: 1024 * 1024,
      // No more than the socket takes: max-content-size is 1 MiB here.
      largestFrame: 1024 * 1024,
      inlineContent: 256 * 1024,
      handlers: [{ name: 'echo', slots: 3, redelivery: 2, timeoutMs: 3_600_000 }],
      refused: [],
      repeat: [],
    });
    expect(worker.credit).toEqual({ answers: 1024, bytes: 8 * 1024 * 1024 });
    expect(bench.datastore.workers.get('echo')).toMatchObject({
      slots: 3,
      redelivery: 'until-done',
      features: { v: '1' },
      pid: ownPid,
    });
    await bench.hears('register echo');
  });

  test('the worker’s own configuration wins, and what nobody says is the daemon’s', async () => {
    const bench = await rig({ window: 5 });
    bench.process(file, { redelivery: 'until-done', concurrency: 2 });
    const own = await spawned(bench, { offer: { redelivery: 1, concurrency: 9 } });
    expect(own.welcome?.handlers).toMatchObject([{ slots: 2, redelivery: 2 }]);
    bench.process('/workers/other-worker');
    const other = await attach(await bench.prepare('/workers/other-worker'), {
      offer: { name: 'other', concurrency: 0 },
    });
    expect(other.welcome?.handlers).toMatchObject([{ slots: 5, redelivery: 1 }]);
  });

  test('several handlers share one stream', async () => {
    const bench = await rig();
    const offer = { detached: false, features: {}, redelivery: 0, concurrency: 1, accepts: false };
    const handlers = ['a', 'b'].map((name) => ({ name, ...offer }));
    const worker = await spawned(bench, { hello: { handlers } });
    bench.hand({ directive: 'a' });
    bench.hand({ directive: 'b' });
    const [first, second] = await worker.hears('deliveries', 2);
    expect([first?.directive, second?.directive]).toEqual(['a', 'b']);
    worker.say({ outcomes: [{ delivery: 1 }, { delivery: 2 }] });
    await bench.hears('settle 1 done');
    await bench.hears('settle 2 done');
  });

  test('a handler that another worker has is refused by name, and a stream with none ends', async () => {
    const bench = await rig();
    await spawned(bench);
    bench.process('/workers/second-worker');
    const socket = await bench.prepare('/workers/second-worker');
    const loser = await attach(socket, { hello: { startTime: '1' } });
    expect(loser.welcome?.refused).toEqual([
      { name: 'echo', code: 'YGG_HANDLER_TAKEN', reason: `handler taken by ${file}` },
    ]);
    expect(await loser.ends()).toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  test.each([
    ['without a hello', { credit: 1 }, 'no hello'],
    ['with a hello without version', { hello: { pid: 1, startTime: '1' } }, 'no version'],
    ['with a hello that does not say which process', { hello: { version: 1 } }, 'which process'],
  ])('a first frame %s ends the stream', async (_name, frame, sentence) => {
    const bench = await rig();
    bench.process(file);
    const raw = new Attached(await bench.prepare(file));
    raw.say(frame);
    const end = await raw.ends();
    expect(end.code).toBe('INVALID_ARGUMENT');
    expect(end.details).toContain(sentence);
  });

  test('a process id that is somebody else’s is not believed', async () => {
    const bench = await rig();
    const worker = attachTo(`${bench.folder}/dispatcher.sock`, { hello: { startTime: '1' } });
    expect(await worker.ends()).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a second hello, and bytes that are no frame, end the stream', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    worker.say({ hello: { version: 1 } });
    expect(await worker.ends()).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: 'There was a second hello.',
    });
    const other = await spawned(bench);
    other.sayBytes(Buffer.from([0x0a, 0xff, 0xff]));
    const end = await other.ends();
    expect(end.code).toBe('INVALID_ARGUMENT');
    expect(end.details).toContain('no frame');
  });

  test.each([
    ['over the largest frame', 8 * 1024 * 1024, 4 * 1024 * 1024, 5_000_000],
    ['over a limit of contents that is less', 2 * 1024 * 1024, 2 * 1024 * 1024, 3_000_000],
    ['over what the socket takes', 3 * 1024 * 1024, 3 * 1024 * 1024, 6_000_000],
  ])(
    'a frame %s ends the stream, and what was in hand is decided on as ever',
    async (_how, limit, largest, size) => {
      const bench = await rig({ responseLimit: limit });
      const worker = await spawned(bench);
      expect(worker.welcome?.largestFrame).toBe(largest);
      bench.hand();
      bench.hand();
      await worker.hears('deliveries', 2);
      const answer = { messageId: 'a', responseTo: 'id-1', directive: 'echo', delivery: 1 };
      const metadata = { large: 'x'.repeat(size) };
      worker.say({ answers: [{ ...answer, metadata }], outcomes: [{ delivery: 1 }] });
      expect(await worker.ends()).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
      // The process goes on: it has both in hand, and ends one of them on its next stream.
      const again = await spawned(bench, { hello: { inWork: [1, 2] } });
      again.say({ outcomes: [{ delivery: 2 }] });
      expect(await again.hears('settled')).toEqual([2]);
      again.cut();
      bench.die(file);
      await bench.hears('settle 1 dead');
      expect(bench.journal.deaths.get(1)?.reason).toBe('outcome-unknown');
      expect(bench.journal.responses).toEqual([]);
    },
  );

  test('a frame as large as may be is taken', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const { largestFrame = 0 } = worker.welcome ?? {};
    const room = largestFrame - 64;
    worker.say({ answers: [{ messageId: 'a', directive: 'report', metadata: { m: 'x'.repeat(room) } }] });
    expect(await worker.hears('receipts')).toMatchObject([{ messageId: 'a', code: '' }]);
  });

  test('a stream that cannot be followed is said, with its code, and counted', async () => {
    const said: object[] = [];
    const bench = await rig({
      responseLimit: 8 * 1024 * 1024,
      log: { ...silentLogger, warn: (fields) => said.push(fields) },
    });
    const worker = await spawned(bench);
    worker.say({
      answers: [{ messageId: 'a', directive: 'echo', metadata: { large: 'x'.repeat(5_000_000) } }],
    });
    await worker.ends();
    const code = 'YGG_MESSAGE_TOO_LARGE';
    const error = expect.stringMatching(/^A frame has 5000\d+ bytes and may have 4194304\.$/);
    expect(said).toMatchObject([{ worker: file, code, error }]);
    expect(bench.counters.get('streams_refused')).toBe(1);
  });

  test('frames over the limit, one after the other, are not kept', async () => {
    const bench = await rig({ responseLimit: 8 * 1024 * 1024 });
    bench.process(file);
    const socket = await bench.prepare(file);
    const bytes = Buffer.alloc(7 * 1024 * 1024);
    for (let stream = 0; stream < 4; stream += 1) {
      const worker = await attach(socket);
      for (let frame = 0; frame < 5; frame += 1) worker.sayBytes(bytes);
      await worker.ends();
      worker.cut();
    }
    await waitFor(() => heldBuffers() < 50 * 1024 * 1024, { what: 'memory that is given back' });
  });

  test('nobody who says nothing keeps a stream', async () => {
    const bench = await rig();
    const silent = new Attached(`${bench.folder}/dispatcher.sock`);
    await waitFor(() => bench.clock.waits.includes(10_000), { what: 'patience' });
    bench.clock.wind(10_000);
    expect((await silent.ends()).code).toBe('INVALID_ARGUMENT');
  });
});

describe('a message', () => {
  test('is delivered, answered and done: answer and end are one write', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const sequence = bench.hand({ metadata: { k: 'v' }, responseTo: 'earlier' });
    const [delivery] = await worker.hears('deliveries');
    expect(delivery).toEqual({
      ...{
        number: sequence,
        messageId: 'id-1',
        responseTo: 'earlier',
        directive: 'echo',
        metadata: { k: 'v' },
      },
      ...{ content: Buffer.from('"hello"'), attempt: 1, totalSize: 0, file: '', cancel: false },
    });
    if (delivery) worker.echo(delivery, 'a1');
    await worker.hears('settled');
    expect(worker.heard.settled).toEqual([sequence]);
    expect(worker.heard.receipts).toMatchObject([{ messageId: 'a1', code: '' }]);
    expect(bench.journal.log).toEqual(['offer 1', 'respond 2 finishes 1']);
    expect(bench.journal.responses).toMatchObject([
      { messageId: 'a1', responseTo: 'id-1', directive: 'echo', handler: 'echo' },
    ]);
    await bench.hears(`settle ${sequence} done`);
    expect(bench.heard).toEqual(expect.arrayContaining(['dispatch 1 attempt 1', 'return 2']));
    expect(bench.datastore.messages.size).toBe(0);
    expect(bench.counters.get('messages_dispatched')).toBe(1);
    expect(worker.credit).toEqual({ answers: 1025, bytes: 8 * 1024 * 1024 + 7 });
  });

  test('with several answers is ended by the last one', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    const answer = { responseTo: 'id-1', directive: 'echo', delivery: 1 };
    worker.say({ answers: [{ messageId: 'a', ...answer }] });
    await worker.hears('receipts');
    worker.say({
      answers: [
        { messageId: 'b', ...answer },
        { messageId: 'c', ...answer },
      ],
      outcomes: [{ delivery: 1 }],
    });
    await worker.hears('settled');
    expect(bench.journal.log).toEqual(['offer 1', 'respond 2', 'respond 3', 'respond 4 finishes 1']);
  });

  test('without an answer is done all the same', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ outcomes: [{ delivery: 1 }] });
    expect(await worker.hears('settled')).toEqual([1]);
    expect(bench.journal.log).toEqual(['offer 1', 'finish 1']);
    await bench.hears('settle 1 done');
  });

  test('that fails is a dead letter with what the worker says', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ outcomes: [{ delivery: 1, result: outcomeResults.failed, code: 'EBUSY', text: 'locked' }] });
    await worker.hears('settled');
    expect(bench.journal.deaths.get(1)).toEqual({ reason: 'failed', message: 'EBUSY: locked' });
    await bench.hears('settle 1 dead');
  });

  test('with the number 0 is none: its outcome is answered at once, behind what was sent before', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ goodbye: { reason: '' } });
    worker.say({ outcomes: [{ delivery: 0, result: outcomeResults.returned }] });
    expect(await worker.hears('settled')).toEqual([0]);
    expect(worker.heard.deliveries).toHaveLength(1);
    expect(bench.journal.log).toEqual(['offer 1']);
  });

  test('that fails with a long story is a dead letter with the beginning of it', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    const story = { code: 'E'.repeat(100_000), text: 'x'.repeat(500_000) };
    worker.say({ outcomes: [{ delivery: 1, result: outcomeResults.failed, ...story }] });
    await worker.hears('settled');
    const { reason, message = '' } = bench.journal.deaths.get(1) ?? {};
    expect(reason).toBe('failed');
    expect(message.length).toBeLessThan(5_000);
    expect(message).toMatch(/^E+: x+$/);
  });

  test('with an outcome nobody knows has failed', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ outcomes: [{ delivery: 1, result: 99 }] });
    await worker.hears('settled');
    expect(bench.journal.deaths.get(1)?.reason).toBe('failed');
  });

  test.each(['until-accepted', 'until-done'] as const)(
    'that fails and is wanted again rests first, under %s',
    async (redelivery) => {
      const bench = await rig();
      const worker = await spawned(bench, {
        offer: { redelivery: redeliveries[redelivery], concurrency: 1 },
      });
      bench.hand();
      await worker.hears('deliveries');
      const again = { result: outcomeResults.failed, retry: true, delayMs: 60_000 };
      worker.say({ outcomes: [{ delivery: 1, ...again }] });
      await worker.hears('settled');
      await bench.hears('settle 1 released');
      // Others pass meanwhile.
      bench.hand();
      await worker.hears('deliveries', 2);
      worker.say({ outcomes: [{ delivery: 2 }] });
      await bench.hears('settle 2 done');
      bench.clock.wind(60_000);
      const deliveries = await worker.hears('deliveries', 3);
      expect(deliveries[2]).toMatchObject({ number: 1, attempt: 2 });
      worker.say({ outcomes: [{ delivery: 1 }] });
      await bench.hears('settle 1 done');
    },
  );

  test('that is given back waits for a worker again, uncharged', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ outcomes: [{ delivery: 1, result: outcomeResults.returned }] });
    await worker.hears('settled');
    expect(bench.journal.log).toEqual(['offer 1', 'back 1 {}']);
    bench.clock.wind(100);
    expect((await worker.hears('deliveries', 2))[1]).toMatchObject({ number: 1, attempt: 2 });
  });

  test('whose time is over is not the worker’s any longer', async () => {
    const bench = await rig();
    bench.process(file, { timeout: 5_000, redelivery: 'until-done' });
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    bench.clock.wind(5_250);
    expect(await worker.hears('drops')).toEqual([1]);
    expect(bench.journal.deaths.get(1)?.reason).toBe('timed-out');
    worker.say({ outcomes: [{ delivery: 1 }] });
    expect(await worker.hears('settled')).toEqual([1]);
  });

  test('what was fetched goes with it, and its file is named to those who read files', async () => {
    const bench = await rig();
    contentFile(bench, 'fetched-1', 'a playbook');
    const worker = await spawned(bench, { offer: { detached: true } });
    bench.hand({}, { state: 'fetched', contentFile: 'fetched-1', size: 10 });
    const [delivery] = await worker.hears('deliveries');
    expect(delivery).toMatchObject({
      content: Buffer.from('a playbook'),
      file: `${bench.journal.contentDirectory}/fetched-1`,
    });
  });

  test('holds a slot until it is settled, and no more than the slots are delivered', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 2 } });
    for (let count = 0; count < 3; count += 1) bench.hand();
    await worker.hears('deliveries', 2);
    await stays(() => worker.heard.deliveries.length === 3, { span: 100, what: 'a third delivery' });
    worker.say({ outcomes: [{ delivery: 1 }] });
    await worker.hears('deliveries', 3);
  });

  test('a slot is free when the answer comes, before it is on disk', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 1 } });
    bench.hand();
    const [first] = await worker.hears('deliveries');
    if (!first) throw new Error('expected a delivery');
    bench.hand();
    bench.journal.gate = new Promise(() => {});
    worker.echo(first);
    await worker.hears('deliveries', 2);
    await bench.hears('settle 1 released');
    expect(worker.heard.receipts).toEqual([]);
    expect(bench.heard).not.toContain('settle 1 done');
  });

  test('an answer that is refused takes its slot back', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 1 } });
    bench.hand();
    const [first] = await worker.hears('deliveries');
    if (!first) throw new Error('expected a delivery');
    bench.journal.refusal = new YggError('YGG_JOURNAL_FULL', 'The disk is full.');
    worker.echo(first);
    await worker.hears('receipts');
    bench.hand();
    await stays(() => worker.heard.deliveries.length === 2, { span: 100, what: 'a delivery without a slot' });
    bench.journal.refusal = undefined;
    worker.echo(first);
    await worker.hears('deliveries', 2);
  });

  test('waits for credit', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { credit: 1 });
    bench.hand();
    bench.hand();
    await worker.hears('deliveries', 1);
    await stays(() => worker.heard.deliveries.length === 2, { span: 100, what: 'a delivery without credit' });
    worker.say({ credit: 1 });
    await worker.hears('deliveries', 2);
  });

  test('many leave in few frames', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 100 }, credit: 100 });
    for (let count = 0; count < 60; count += 1) bench.hand({}, { state: 'offered', attempt: 1 });
    await worker.hears('deliveries', 60);
    expect(worker.frames.filter(({ deliveries }) => deliveries?.length).length).toBeLessThanOrEqual(3);
  });
});

describe('accepted', () => {
  test('is on disk before it is recorded, under until-accepted', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ accepted: [1] });
    expect(await worker.hears('recorded')).toEqual([1]);
    expect(bench.journal.log).toEqual(['offer 1', 'accept 1']);
    await bench.hears('dispatch 1 attempt 1');
  });

  test('is recorded when it is flushed, not before', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    let open: () => void = () => {};
    bench.journal.gate = new Promise((resolve) => {
      open = resolve;
    });
    worker.say({ accepted: [1] });
    await bench.hears('dispatch 1 attempt 1');
    await stays(() => worker.heard.recorded.length > 0, { span: 50, what: 'recorded before the flush' });
    open();
    expect(await worker.hears('recorded')).toEqual([1]);
  });

  test('costs no write under until-done', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: untilDone });
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ accepted: [1] });
    expect(await worker.hears('recorded')).toEqual([1]);
    expect(bench.journal.log).toEqual(['offer 1']);
  });

  test('for what is not the worker’s is answered with a drop', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    worker.say({ accepted: [77] });
    expect(await worker.hears('drops')).toEqual([77]);
  });

  test.each([
    { accepts: true, accepted: false, redelivery: 'until-accepted', end: 'back' },
    { accepts: true, accepted: true, redelivery: 'until-accepted', end: 'dead' },
    { accepts: false, accepted: false, redelivery: 'until-accepted', end: 'dead' },
    { accepts: true, accepted: true, redelivery: 'until-done', end: 'back' },
  ] as const)('decides what a dead worker leaves: %o', async ({ accepts, accepted, redelivery, end }) => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { accepts, redelivery: redeliveries[redelivery] } });
    bench.hand();
    await worker.hears('deliveries');
    if (accepted) {
      worker.say({ accepted: [1] });
      await worker.hears('recorded');
    }
    worker.cut();
    bench.die(file);
    await bench.hears(`settle 1 ${end}`);
    if (end === 'dead') expect(bench.journal.deaths.get(1)?.reason).toBe('outcome-unknown');
  });
});

describe('an answer', () => {
  test('to a message of another worker is refused, and says so', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.journal.ids.set('x9', { state: 'offered', directive: 'facts', hash: '', sequence: 99 });
    worker.say({ answers: [{ messageId: 'a', responseTo: 'x9', directive: 'echo' }] });
    const [receipt] = await worker.hears('receipts');
    expect(receipt).toMatchObject({ messageId: 'a', code: 'YGG_FOREIGN_RESPONSE', retry: false });
    expect(receipt?.text).toContain('facts');
    expect(worker.credit.answers).toBe(1025);
  });

  test('of the worker’s own accord passes', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    worker.say({ answers: [{ messageId: 'a', directive: 'report', content: Buffer.from('1') }] });
    await worker.hears('receipts');
    expect(bench.journal.responses).toMatchObject([{ messageId: 'a', responseTo: '', directive: 'report' }]);
  });

  test('without an id is refused', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    worker.say({ answers: [{ directive: 'report' }] });
    expect(await worker.hears('receipts')).toMatchObject([{ code: 'YGG_MESSAGE_INVALID' }]);
  });

  test('with an id of any length is refused: ids are kept in memory', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const [small, large] = ['s'.repeat(257), 'l'.repeat(257)];
    worker.say({
      answers: [
        { messageId: small, directive: 'echo' },
        { messageId: large, directive: 'echo', totalSize: 500_000 },
      ],
    });
    const receipts = await worker.hears('receipts', 2);
    expect(receipts.map(({ code }) => code)).toEqual(['YGG_MESSAGE_INVALID', 'YGG_MESSAGE_INVALID']);
    expect(bench.journal.responses).toEqual([]);
  });

  test('that comes twice is written once, and gets its receipt twice', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const answer = { messageId: 'a', directive: 'echo' };
    worker.say({ answers: [answer, answer] });
    await worker.hears('receipts');
    worker.say({ answers: [answer] });
    await worker.hears('receipts', 2);
    expect(bench.journal.responses).toHaveLength(1);
  });

  test('that is refused leaves its message in hand, and may come again', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    const [delivery] = await worker.hears('deliveries');
    bench.journal.outboxFull = true;
    if (delivery) worker.echo(delivery, 'a');
    expect(await worker.hears('receipts')).toMatchObject([{ code: 'YGG_OUTBOX_FULL', retry: true }]);
    expect(worker.heard.settled).toEqual([]);
    bench.journal.outboxFull = false;
    if (delivery) worker.echo(delivery, 'a');
    await worker.hears('settled');
    expect(bench.journal.log).toEqual(['offer 1', 'respond 2 finishes 1']);
  });

  test('that the disk refuses leaves its message in hand too', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    const [delivery] = await worker.hears('deliveries');
    bench.journal.refusal = new YggError('YGG_JOURNAL_IO', 'The disk is gone.');
    if (delivery) worker.echo(delivery, 'a');
    expect(await worker.hears('receipts')).toMatchObject([{ code: 'YGG_JOURNAL_IO', retry: true }]);
    bench.journal.refusal = undefined;
    if (delivery) worker.echo(delivery, 'a');
    await worker.hears('settled');
    await bench.hears('settle 1 done');
  });

  test('that is posted tells its HTTP result in a second receipt', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const directive = 'https://example.test/1';
    worker.say({ answers: [{ messageId: 'a', directive, wantsResult: true }] });
    await worker.hears('receipts');
    const result = { status: 201, headers: { a: 'b' }, body: Buffer.from('{}') };
    void bench.signals.emit('data-deliver', { sequence: 1, ...result });
    const [first, second] = await worker.hears('receipts', 2);
    expect(first).toMatchObject({ messageId: 'a', result: null });
    expect(second).toMatchObject({ messageId: 'a', result });
    worker.say({ answers: [{ messageId: 'b', directive, wantsResult: true }] });
    await worker.hears('receipts', 3);
    bench.clock.wind(60_000);
    expect((await worker.hears('receipts', 4))[3]).toMatchObject({ messageId: 'b', result: { status: 0 } });
  });

  test('by Send is taken too, and does not end the message', async () => {
    const bench = await rig();
    bench.process(file);
    const socket = await bench.prepare(file);
    const worker = await attach(socket);
    bench.process('/workers/plain-worker');
    bench.hand();
    await worker.hears('deliveries');
    const plain = await startWorker(socket, { handler: 'plain' });
    await plain.send({ responseTo: 'id-1' });
    expect(bench.journal.log).toEqual(['offer 1', 'respond 2']);
    worker.say({ outcomes: [{ delivery: 1 }] });
    await worker.hears('settled');
  });

  test('far beyond the credit ends the stream', async () => {
    const bench = await rig();
    let open = (): void => {};
    bench.journal.gate = new Promise((resolve) => {
      open = resolve;
    });
    const worker = await spawned(bench);
    for (let page = 0; page < 21; page += 1) {
      const answers = Array.from({ length: 100 }, (_, index) => ({
        messageId: `${page}-${index}`,
        directive: 'x',
      }));
      worker.say({ answers });
    }
    expect(await worker.ends()).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    open();
  });
});

test('progress is heard by observers, cut to its limit', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand();
  await worker.hears('deliveries');
  const heard: unknown[] = [];
  bench.signals.observe('message-progress', (progress) => {
    heard.push(progress);
  });
  worker.say({ progress: [{ delivery: 1, data: Buffer.alloc(5_000, 'x') }, { delivery: 9 }] });
  await waitFor(() => heard.length > 0, { what: 'progress' });
  expect(heard).toEqual([
    { sequence: 1, directive: 'echo', messageId: 'id-1', data: Buffer.alloc(4_096, 'x') },
  ]);
});

test('events and health', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  void bench.signals.emit('client-disconnect', { asked: false });
  void bench.signals.emit('client-connect', { broker: 'tcp://b', restored: true });
  expect(await worker.hears('events', 2)).toMatchObject([{ name: 2 }, { name: 3 }]);
  const results = [{ name: 'disk', healthy: false, status: '{"free":0}' }];
  worker.say({ health: { results } });
  await waitFor(() => bench.datastore.workers.get('echo')?.health?.length, { what: 'health' });
  expect(bench.datastore.workers.get('echo')?.health).toEqual(results);
  worker.say({ health: { results: [] } });
  await waitFor(() => bench.datastore.workers.get('echo')?.health?.length === 0, { what: 'no health' });
});

describe('cancel', () => {
  test('of a message in hand is on disk before it is sent, and its end is a dead letter', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await worker.hears('deliveries');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    expect(await worker.hears('cancels')).toEqual([{ delivery: 1, messageId: 'id-1' }]);
    expect(bench.journal.log).toEqual(['offer 1', 'call-off 1']);
    worker.say({ outcomes: [{ delivery: 1, result: outcomeResults.cancelled }] });
    await worker.hears('settled');
    expect(bench.journal.deaths.get(1)?.reason).toBe('cancelled');
  });

  test('that came too late changes nothing', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    const [delivery] = await worker.hears('deliveries');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await worker.hears('cancels');
    if (delivery) worker.echo(delivery);
    await bench.hears('settle 1 done');
  });

  test('a message that was cancelled is never delivered again', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: untilDone });
    bench.hand();
    await worker.hears('deliveries');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await worker.hears('cancels');
    worker.cut();
    bench.die(file);
    await bench.hears('settle 1 dead');
    expect(bench.journal.deaths.get(1)?.reason).toBe('cancelled');
  });

  test('of a message that waits for credit is a dead letter at once', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { credit: 1 });
    bench.hand();
    bench.hand();
    await worker.hears('deliveries');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-2' });
    await bench.hears('settle 2 dead');
    expect(worker.heard.cancels).toEqual([]);
  });

  test('a worker that does not know cancels hears of none', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { hello: { features: [] } });
    bench.hand();
    await worker.hears('deliveries');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await waitFor(() => bench.journal.log.includes('call-off 1'), { what: 'the record' });
    await stays(() => worker.heard.cancels.length > 0, { span: 50, what: 'a cancel' });
  });

  test('Foreman’s overtakes, without slot or credit', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 1 }, credit: 1 });
    bench.hand();
    bench.hand();
    await worker.hears('deliveries');
    bench.hand({ cancel: true, metadata: { event: 'cancel' } });
    const [, cancel] = await worker.hears('deliveries', 2);
    expect(cancel).toMatchObject({ number: 3, cancel: true, metadata: { event: 'cancel' } });
    worker.say({ outcomes: [{ delivery: 3 }] });
    await bench.hears('settle 3 done');
  });
});

describe('the end', () => {
  test('a worker that says goodbye finishes what it has, and is given no more', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { concurrency: 2 } });
    const numbers = [bench.hand(), bench.hand()];
    await worker.hears('deliveries', 2);
    worker.say({
      outcomes: [{ delivery: 2, result: outcomeResults.returned }],
      goodbye: { reason: 'SIGTERM' },
    });
    await bench.hears('unregister echo');
    await bench.hears('settle 2 back');
    const [delivery] = worker.heard.deliveries;
    if (delivery) worker.echo(delivery);
    await worker.hears('settled', 2);
    worker.halfClose();
    expect(await worker.ends()).toMatchObject({ code: 'OK' });
    expect(numbers).toEqual([1, 2]);
    await bench.hears('settle 1 done');
    expect(bench.journal.deaths.size).toBe(0);
  });

  test.each([
    ['until-accepted', 'dead'],
    ['until-done', 'back'],
  ] as const)('what it gives up is decided on as after a stop: %s', async (redelivery, then) => {
    const bench = await rig();
    const worker = await spawned(bench, { offer: { redelivery: redeliveries[redelivery] } });
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ goodbye: {} });
    worker.halfClose();
    await bench.hears(`settle 1 ${then}`);
    expect(await worker.ends()).toMatchObject({ code: 'OK' });
    expect(bench.journal.log.at(-1)).toBe(then === 'dead' ? 'bury 1 outcome-unknown' : 'back 1 {}');
  });

  test('the daemon says that it stops, and then that it has', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    const [delivery] = await worker.hears('deliveries');
    const abort = new AbortController().signal;
    await bench.dispatcher.drain?.('quiet', abort);
    await waitFor(() => worker.drain, { what: 'drain' });
    expect(worker.drain).toMatchObject({ patienceMs: 5_000 });
    const finished = bench.dispatcher.drain?.('finish', abort);
    if (delivery) worker.echo(delivery);
    await finished;
    await worker.hears('settled');
    await bench.dispatcher.stop(abort);
    expect(await worker.ends()).toMatchObject({ code: 'UNAVAILABLE' });
    expect(worker.goodbye).toMatchObject({ reason: 'the daemon stops' });
  });

  test('last words of a worker that dies are heard', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    const [delivery] = await worker.hears('deliveries');
    if (delivery) worker.echo(delivery);
    await waitFor(() => bench.journal.responses.length, { what: 'the answer' });
    worker.cut();
    bench.die(file);
    await bench.hears('settle 1 done');
  });
});
