/** The daemon's side of one stream, on a call that a test plays. */
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type DispatcherFrame, largestFrame } from '../../../src/rpc/attach-frames.ts';
import { type AttachCall, AttachStream } from '../../../src/rpc/attach-stream.ts';
import { loadProtocol } from '../../../src/rpc/protocol.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const { Attach } = loadProtocol().dispatcher;
const frame = Attach.requestSerialize({ outcomes: [{ delivery: 7 }] } as never);

/** What is written stays under way until the test lets it go. */
class Call extends Duplex {
  readonly frames: Buffer[] = [];
  readonly #leaving: Array<() => void> = [];

  constructor() {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, left: () => void): void {
    this.frames.push(bytes);
    this.#leaving.push(left);
  }

  letGo(): void {
    this.#leaving.shift()?.();
  }

  get written(): DispatcherFrame[] {
    return this.frames.map((bytes) => Attach.responseDeserialize(bytes));
  }
}

function streamOn(call: Call): AttachStream {
  return new AttachStream(call as unknown as AttachCall, Attach, largestFrame);
}

test('a worker that says much and reads nothing is not listened to any longer, until it reads', async () => {
  const call = new Call();
  const stream = streamOn(call);
  let heard = 0;
  stream.start({
    onFrame({ outcomes }) {
      heard += 1;
      for (const { delivery } of outcomes) stream.add('settled', delivery);
    },
    onDrain() {},
    onFault() {},
    onHalfClose() {},
    onClose() {},
  });
  const sent = 500;
  for (let n = 0; n < sent; n += 1) {
    call.push(frame);
    await turn();
  }
  expect(heard).toBeLessThan(100);
  while (heard < sent) {
    call.letGo();
    await turn();
  }
  expect(heard).toBe(sent);
});

test('a stream that is held stays so, also when what was written has left', async () => {
  const call = new Call();
  const stream = streamOn(call);
  let heard = 0;
  stream.start({
    onFrame() {
      heard += 1;
    },
    onDrain() {},
    onFault() {},
    onHalfClose() {},
    onClose() {},
  });
  stream.hold();
  for (let n = 0; n < 100; n += 1) {
    stream.add('settled', n);
    await turn();
  }
  call.push(frame);
  for (let n = 0; n < 200; n += 1) {
    call.letGo();
    await turn();
  }
  expect(heard).toBe(0);
  stream.release();
  await turn();
  expect(heard).toBe(1);
});

test('what nobody waits for leaves with what somebody does', async () => {
  const call = new Call();
  const stream = streamOn(call);
  stream.addLater('settled', 1);
  stream.credit(1, 10);
  await turn();
  await turn();
  expect(call.frames).toEqual([]);
  stream.add('recorded', 2);
  await turn();
  expect(call.written).toMatchObject([{ settled: [1], recorded: [2], credit: { answers: 1, bytes: 10 } }]);
});

test('what nobody waits for leaves by itself when nothing else does', async () => {
  const call = new Call();
  const stream = streamOn(call);
  stream.addLater('settled', 1);
  stream.addLater('settled', 2);
  await waitFor(() => call.frames.length > 0, { what: 'frame' });
  expect(call.written).toMatchObject([{ settled: [1, 2] }]);
  call.letGo();
  stream.addLater('settled', 3);
  await waitFor(() => call.frames.length > 1, { what: 'second frame' });
  expect(call.written[1]).toMatchObject({ settled: [3] });
});

test.each([
  { answers: 1024, bytes: 0 },
  { answers: 1, bytes: 8 * 1024 * 1024 },
])('a worker is not kept waiting for much credit: $answers answers, $bytes bytes', async (credit) => {
  const call = new Call();
  const stream = streamOn(call);
  stream.credit(credit.answers, credit.bytes);
  await turn();
  expect(call.written).toMatchObject([{ credit }]);
});

test('what nobody waits for is said before the stream ends', async () => {
  const call = new Call();
  const stream = streamOn(call);
  stream.addLater('settled', 1);
  stream.end('OK', '');
  await turn();
  expect(call.written).toMatchObject([{ settled: [1] }]);
});
