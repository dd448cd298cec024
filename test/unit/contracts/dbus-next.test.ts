import { Message, MessageType, sessionBus } from 'dbus-next';
import { expect, test } from 'vitest';
import { answerHello, wireOf } from '../../../src/dbus/wire.ts';

test('a bus keeps its connection, and waits for the answer to its first message', async () => {
  const bus = sessionBus({ busAddress: 'unix:socket=/nonexistent/bus' });
  const wire = wireOf(bus);
  const failed = new Promise((resolve) => bus.once('error', resolve));
  const welcomed = new Promise<void>((resolve) => bus.once('connect', resolve));
  answerHello(wire);
  await welcomed;
  expect(await failed).toMatchObject({ code: 'ENOENT' });
});

test('the answer that comes after ours finds nobody who would throw', async () => {
  const bus = sessionBus({ busAddress: 'unix:socket=/nonexistent/bus' });
  const errors: unknown[] = [];
  bus.on('error', (error: { code?: unknown }) => errors.push(error.code));
  const wire = wireOf(bus);
  answerHello(wire);
  const late = { type: MessageType.ERROR, replySerial: '1', errorName: 'a.b', signature: 's', body: ['no'] };
  wire.events.emit('message', new Message(late));
  await new Promise((resolve) => wire.stream.once('close', resolve));
  expect(errors).toEqual(['ENOENT']);
});
