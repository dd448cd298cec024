import { expect, test } from 'vitest';
import { Answers } from '../../../src/worker/answers.ts';
import { FrameWriter } from '../../../src/worker/frame-writer.ts';
import type { Answer, AnswerReceipt, WorkerFrame } from '../../../src/worker/frames.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

function rig({ inline = 10, frame = 4 * 1024 * 1024 } = {}) {
  const clock = new HandClock();
  const frames: WorkerFrame[] = [];
  const sent: number[] = [];
  const refused: string[] = [];
  const answers = new Answers({
    clock,
    onSent: (delivery) => sent.push(delivery),
    onRefused: (delivery, error) => refused.push(`${delivery} ${error.code}`),
  });
  const connect = (repeat: readonly string[] = [], tellsResults = true): void => {
    const writer = new FrameWriter(
      (frame) => frames.push(frame),
      () => {},
    );
    answers.open(writer, { inline, frame, repeat, tellsResults });
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const written = async (): Promise<string[]> => {
    await turn();
    return frames.splice(0).flatMap((frame) => (frame.answers ?? []).map(({ messageId }) => messageId));
  };
  return { clock, frames, sent, refused, answers, connect, turn, written };
}

function answer(messageId: string, delivery = 1, content = 'ab'): Answer {
  return {
    messageId,
    responseTo: 'c',
    directive: 'd',
    metadata: {},
    content: Buffer.from(content),
    delivery,
  };
}

function receipt(messageId: string, code = '', retry = false): AnswerReceipt {
  return { messageId, code, text: 'why', retry, result: null };
}

test('answers wait for credit, in answers and in bytes, and the last one may overdraw the bytes', async () => {
  const { answers, connect, written } = rig();
  connect();
  for (const id of ['a', 'b', 'c', 'd']) answers.add(answer(id), undefined);
  expect(await written()).toEqual([]);
  answers.onCredit(3, 3);
  expect(await written()).toEqual(['a', 'b']);
  answers.onCredit(0, 2);
  expect(await written()).toEqual(['c']);
  answers.onCredit(9, 9);
  expect(await written()).toEqual(['d']);
});

test('a delivery is told to be sent when the last of its answers is', async () => {
  const { answers, connect, sent } = rig();
  connect();
  answers.add(answer('a', 7), undefined);
  answers.add(answer('b', 7), undefined);
  answers.onCredit(1, 99);
  expect(answers.waits(7)).toBe(true);
  expect(sent).toEqual([]);
  answers.onCredit(1, 99);
  expect(answers.waits(7)).toBe(false);
  expect(sent).toEqual([7]);
});

test('on a new stream only what the daemon does not have is sent again, in order', async () => {
  const { answers, connect, written } = rig();
  connect();
  answers.onCredit(9, 99);
  for (const id of ['a', 'b', 'c']) answers.add(answer(id), undefined);
  expect(await written()).toEqual(['a', 'b', 'c']);
  answers.close();
  expect(answers.list()).toEqual(['a', 'b', 'c']);
  answers.add(answer('d'), undefined);
  connect(['b']);
  answers.onReceipt(receipt('a'));
  answers.onCredit(9, 99);
  expect(await written()).toEqual(['b', 'd']);
  expect(answers.list()).toEqual(['b', 'c', 'd']);
});

test('one that was not taken now is sent again later, with what waits for it', async () => {
  const { answers, connect, written, clock, sent } = rig();
  connect();
  answers.onCredit(9, 99);
  answers.add(answer('a', 5), undefined);
  await written();
  answers.onReceipt(receipt('a', 'YGG_OUTBOX_FULL', true));
  expect(await written()).toEqual([]);
  clock.wind(1_000);
  expect(await written()).toEqual(['a']);
  expect(sent).toEqual([5, 5]);
});

test('one that is refused for good tells its handler, and its delivery', async () => {
  const { answers, connect, refused } = rig();
  connect();
  answers.onCredit(9, 99);
  const told: unknown[] = [];
  answers.add(answer('a', 5), (error) => told.push(error));
  answers.onReceipt(receipt('a', 'YGG_FOREIGN_RESPONSE'));
  expect(refused).toEqual(['5 YGG_FOREIGN_RESPONSE']);
  expect(told).toEqual([expect.objectContaining({ code: 'YGG_FOREIGN_RESPONSE', message: 'why' })]);
  expect(answers.size).toBe(0);
});

test('the result of a post comes with the second receipt, also on another stream', async () => {
  const { answers, connect, written } = rig();
  const told: number[] = [];
  connect();
  answers.onCredit(9, 99);
  answers.add(answer('a'), undefined, ({ status }) => told.push(status));
  expect(await written()).toEqual(['a']);
  answers.onReceipt(receipt('a'));
  answers.close();
  connect();
  expect(told).toEqual([]);
  const result = { status: 201, headers: {}, body: new Uint8Array(0) };
  answers.onReceipt({ ...receipt('a'), result });
  answers.onReceipt({ ...receipt('a'), result });
  expect(told).toEqual([201]);
});

test('under a daemon that tells no results nothing is known of a post, at once', async () => {
  const { answers, connect, written } = rig();
  const told: number[] = [];
  connect([], false);
  answers.onCredit(9, 99);
  answers.add(answer('a'), undefined, ({ status }) => told.push(status));
  expect(await written()).toEqual(['a']);
  answers.onReceipt(receipt('a'));
  expect(told).toEqual([0]);
});

test('a large one is announced and goes in chunks as it is pulled', async () => {
  const { answers, connect, frames, turn, sent } = rig({ inline: 4 });
  connect();
  answers.onCredit(1, 1);
  answers.add(answer('a', 5, '0123456789'), undefined);
  await turn();
  expect(frames.splice(0)).toEqual([
    { answers: [expect.objectContaining({ content: new Uint8Array(0), totalSize: 10 })] },
  ]);
  answers.onPull('a', 6);
  expect(sent).toEqual([]);
  answers.onPull('a', 10);
  expect(sent).toEqual([5]);
  await turn();
  const chunks = frames.flatMap((frame) => frame.chunks ?? []).map(({ content }) => String(content));
  expect(chunks).toEqual(['0123', '45', '6789']);
});

test('metadata counts towards a frame, and what no frame holds is refused', async () => {
  const { answers, connect, frames, turn, refused } = rig();
  connect();
  answers.onCredit(1_000, 1_000_000);
  const metadata = { long: 'x'.repeat(100_000) };
  for (let n = 0; n < 64; n += 1) answers.add({ ...answer(`m${n}`), metadata }, undefined);
  let failure: unknown;
  answers.add({ ...answer('huge', 2), metadata: { long: 'x'.repeat(5_000_000) } }, (error) => {
    failure = error;
  });
  await turn();
  expect(frames.flatMap(({ answers: sent = [] }) => sent)).toHaveLength(64);
  expect(Math.max(...frames.map(({ answers: sent = [] }) => sent.length))).toBeLessThan(4);
  expect(failure).toMatchObject({ code: 'YGG_MESSAGE_TOO_LARGE' });
  expect(refused).toEqual(['2 YGG_MESSAGE_TOO_LARGE']);
});

test('metadata that leaves no room in the frames of its daemon is refused, and the next answer passes', async () => {
  const { answers, connect, refused, written } = rig({ frame: 1024 * 1024 });
  connect();
  answers.onCredit(9, 99);
  answers.add({ ...answer('a', 5), metadata: { long: 'x'.repeat(200_000) } }, undefined);
  answers.add(answer('b', 6), undefined);
  expect(refused).toEqual(['5 YGG_MESSAGE_TOO_LARGE']);
  expect(await written()).toEqual(['b']);
});
