/** Content that is larger than a frame, both ways. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { inlineContent, outcomeResults } from '../../../src/rpc/attach-frames.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { type Attached, type AttachedOptions, attach } from './attached.ts';
import { contentFile, type Rig, rig } from './rig.ts';

const file = '/workers/echo-worker';

async function spawned(bench: Rig, options: AttachedOptions = {}): Promise<Attached> {
  bench.process(file);
  return attach(await bench.prepare(file), options);
}

/** Pulls a delivery whole, a part at a time. */
async function pull(worker: Attached, delivery: number, size: number): Promise<Buffer> {
  const step = 300_000;
  const received = (): Buffer =>
    Buffer.concat(
      worker.heard.chunks.filter((chunk) => chunk.delivery === delivery).map(({ content }) => content),
    );
  for (let until = step; received().length < size; until += step) {
    worker.say({ pulls: [{ delivery, until }] });
    const wanted = Math.min(until, size);
    await waitFor(() => received().length >= wanted, { what: `${wanted} bytes`, deadline: 5_000 });
  }
  return received();
}

test('a large delivery comes as far as it is pulled', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  const content = randomBytes(700_000);
  bench.hand({ content });
  const [delivery] = await worker.hears('deliveries');
  expect(delivery).toMatchObject({ totalSize: 700_000, content: Buffer.alloc(0) });
  await stays(() => worker.heard.chunks.length > 0, { span: 50, what: 'a chunk that nobody pulled' });
  expect((await pull(worker, 1, 700_000)).equals(content)).toBe(true);
  expect(worker.heard.chunks.every((chunk) => chunk.content.length <= inlineContent)).toBe(true);
  const chunks = worker.heard.chunks.length;
  worker.say({ pulls: [{ delivery: 1, until: 1_000 }] });
  await stays(() => worker.heard.chunks.length > chunks, { span: 50, what: 'a piece that was sent before' });
});

test('what was fetched is pulled from its file, and small messages pass between', async () => {
  const bench = await rig();
  const content = randomBytes(3_000_000);
  contentFile(bench, 'large', content.toString('base64'));
  const size = content.toString('base64').length;
  const worker = await spawned(bench);
  bench.hand({}, { state: 'fetched', contentFile: 'large', size });
  await worker.hears('deliveries');
  worker.say({ pulls: [{ delivery: 1, until: size }] });
  bench.hand();
  await worker.hears('deliveries', 2);
  const whole = await pull(worker, 1, size);
  expect(whole.equals(Buffer.from(content.toString('base64')))).toBe(true);
});

test('a file that is gone is a fault of ours, and the delivery is dropped', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand({}, { state: 'fetched', contentFile: 'nothing', size: 300_000 });
  await worker.hears('deliveries');
  worker.say({ pulls: [{ delivery: 1, until: 300_000 }] });
  expect(await worker.hears('drops')).toEqual([1]);
  expect(bench.journal.deaths.get(1)?.reason).toBe('internal');
});

test('pulling what is small, settled or unknown brings nothing', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand();
  await worker.hears('deliveries');
  worker.say({
    pulls: [
      { delivery: 1, until: 100 },
      { delivery: 9, until: 100 },
    ],
  });
  await stays(() => worker.heard.chunks.length > 0, { span: 50, what: 'a chunk' });
});

test('a worker without chunks is not given large content', async () => {
  const bench = await rig();
  const worker = await spawned(bench, { hello: { features: [] } });
  bench.hand({ content: Buffer.alloc(inlineContent + 1) });
  await bench.hears('settle 1 dead');
  expect(bench.journal.deaths.get(1)?.reason).toBe('refused');
  bench.hand({ content: Buffer.alloc(inlineContent) });
  expect((await worker.hears('deliveries'))[0]?.content.length).toBe(inlineContent);
});

test('metadata that fits no frame is refused', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand({ metadata: { large: 'x'.repeat(4 * 1024 * 1024) } });
  await bench.hears('settle 1 dead');
  expect(bench.journal.deaths.get(1)?.reason).toBe('refused');
  bench.hand();
  await worker.hears('deliveries');
});

test('deliveries of half a frame each go in frames of their own', async () => {
  const bench = await rig();
  const worker = await spawned(bench, { offer: { concurrency: 64 }, credit: 64 });
  const content = Buffer.alloc(200_000);
  for (let count = 0; count < 40; count += 1) bench.hand({ content }, { state: 'offered', attempt: 1 });
  await worker.hears('deliveries', 40);
  expect(worker.frames.every(({ deliveries = [] }) => deliveries.length <= 1)).toBe(true);
});

/** Sends an answer in chunks as far as it is pulled; the last chunk goes with the outcome. */
async function push(worker: Attached, content: Buffer, messageId = 'large', delivery = 0): Promise<void> {
  const answer = { messageId, responseTo: delivery ? 'id-1' : '', directive: 'echo', delivery };
  worker.say({ answers: [{ ...answer, totalSize: content.length }] });
  for (let sent = 0; sent < content.length; ) {
    const until = (): number => Math.max(0, ...worker.heard.pulls.map((pulled) => pulled.until));
    await waitFor(() => until() > sent, { what: 'a pull', deadline: 5_000 });
    const end = Math.min(until(), sent + inlineContent);
    const last = end === content.length;
    worker.say({
      chunks: [{ messageId, content: content.subarray(sent, end) }],
      ...(last && delivery && { outcomes: [{ delivery }] }),
    });
    sent = end;
  }
}

test('a large answer is pulled, put together, and written with the end of its message', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  bench.hand();
  await worker.hears('deliveries');
  const content = randomBytes(1024 * 1024);
  await push(worker, content, 'large', 1);
  await worker.hears('settled');
  expect(worker.heard.receipts).toMatchObject([{ messageId: 'large', code: '' }]);
  expect(bench.journal.log).toEqual(['offer 1', 'respond 2 finishes 1']);
  expect(content.equals(bench.journal.responses[0]?.content ?? Buffer.alloc(0))).toBe(true);
  expect(worker.credit).toEqual({ answers: 1025, bytes: 8 * 1024 * 1024 });
});

test('an answer over the limit is refused before any of it is sent', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  worker.say({ answers: [{ messageId: 'a', directive: 'x', totalSize: 1024 * 1024 + 1 }] });
  expect(await worker.hears('receipts')).toMatchObject([{ code: 'YGG_MESSAGE_TOO_LARGE', retry: false }]);
  expect(worker.heard.pulls).toEqual([]);
});

test('more than was pulled is refused', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  worker.say({ answers: [{ messageId: 'a', directive: 'x', totalSize: 300_000 }] });
  await worker.hears('pulls');
  worker.say({ chunks: [{ messageId: 'a', content: Buffer.alloc(200_000) }] });
  worker.say({ chunks: [{ messageId: 'a', content: Buffer.alloc(200_000) }] });
  expect(await worker.hears('receipts')).toMatchObject([{ code: 'YGG_MESSAGE_INVALID' }]);
});

test('an answer that stops coming is given up, and makes room for the next', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  // The room is for two of the largest.
  for (const messageId of ['a', 'b', 'c']) {
    worker.say({ answers: [{ messageId, directive: 'x', totalSize: 1024 * 1024 }] });
  }
  await worker.hears('pulls', 2);
  await stays(() => worker.heard.pulls.length > 2, { span: 50, what: 'a pull without room' });
  bench.clock.wind(60_000);
  expect(await worker.hears('receipts', 2)).toMatchObject([
    { messageId: 'a', code: 'YGG_DEADLINE', retry: true },
    { messageId: 'b', code: 'YGG_DEADLINE', retry: true },
  ]);
  expect((await worker.hears('pulls', 3))[2]).toMatchObject({ messageId: 'c' });
});

test('a trickle of tiny chunks does not keep its place, and what comes slowly but surely does', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  const totalSize = 1024 * 1024;
  for (const messageId of ['trickle', 'steady']) {
    worker.say({ answers: [{ messageId, directive: 'x', totalSize }] });
  }
  await worker.hears('pulls', 2);
  // As much as has to come in a minute, and a byte at a time.
  for (let half = 0; half < 2; half += 1) {
    bench.clock.wind(29_000);
    worker.say({ chunks: [{ messageId: 'steady', content: Buffer.alloc(inlineContent) }] });
    worker.say({ chunks: [{ messageId: 'trickle', content: Buffer.alloc(1) }], outcomes: [{ delivery: 0 }] });
    await worker.hears('settled', half + 1);
  }
  bench.clock.wind(29_000);
  expect(await worker.hears('receipts')).toMatchObject([{ messageId: 'trickle', code: 'YGG_DEADLINE' }]);
  worker.say({ chunks: [{ messageId: 'steady', content: Buffer.alloc(inlineContent) }] });
  worker.say({ chunks: [{ messageId: 'steady', content: Buffer.alloc(inlineContent) }] });
  expect((await worker.hears('receipts', 2))[1]).toMatchObject({ messageId: 'steady', code: '' });
});

test('the last bytes of an answer have their deadline too', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  worker.say({ answers: [{ messageId: 'a', directive: 'x', totalSize: 300_000 }] });
  await worker.hears('pulls');
  worker.say({ chunks: [{ messageId: 'a', content: Buffer.alloc(200_000) }] });
  for (let step = 0; step < 2; step += 1) {
    worker.say({ chunks: [{ messageId: 'a', content: Buffer.alloc(1) }], outcomes: [{ delivery: 0 }] });
    await worker.hears('settled', step + 1);
    bench.clock.wind(30_000);
  }
  expect(await worker.hears('receipts')).toMatchObject([
    { code: 'YGG_DEADLINE', text: expect.stringContaining('200002 of 300000 in all'), retry: true },
  ]);
});

test('a broken stream makes room, and the answer comes from its beginning on the next one', async () => {
  const bench = await rig();
  bench.process(file);
  const socket = await bench.prepare(file);
  const worker = await attach(socket);
  worker.say({ answers: [{ messageId: 'a', directive: 'x', totalSize: 300_000 }] });
  await worker.hears('pulls');
  worker.say({ chunks: [{ messageId: 'a', content: Buffer.alloc(200_000, 1) }] });
  worker.cut();
  const again = await attach(socket, { hello: { unreceipted: ['a'] } });
  expect(again.welcome?.repeat).toEqual(['a']);
  const content = Buffer.alloc(300_000, 2);
  await push(again, content, 'a');
  await again.hears('receipts');
  expect(content.equals(bench.journal.responses[0]?.content ?? Buffer.alloc(0))).toBe(true);
});

test('a large delivery that is run again is pulled again from its beginning', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  const content = randomBytes(700_000);
  bench.hand({ content });
  await worker.hears('deliveries');
  await pull(worker, 1, content.length);
  worker.heard.chunks.length = 0;
  worker.say({ outcomes: [{ delivery: 1, result: outcomeResults.failed, retry: true }] });
  await waitFor(
    () => {
      bench.clock.wind(1_000);
      return worker.heard.deliveries.length === 2;
    },
    { what: 'the second delivery' },
  );
  expect(worker.heard.deliveries[1]).toMatchObject({ attempt: 2, totalSize: content.length });
  expect((await pull(worker, 1, content.length)).equals(content)).toBe(true);
});
