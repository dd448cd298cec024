import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/channel.ts';

async function collect<T>(channel: Channel<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of channel) values.push(value);
  return values;
}

describe('order', () => {
  test('values come out as they went in, also beyond the point where taken ones are cut off', async () => {
    const channel = new Channel<number>({ capacity: 1_000 });
    const sent = Array.from({ length: 1_000 }, (_, index) => index);
    for (const value of sent) expect(channel.trySend(value)).toBe(true);
    channel.close();
    expect(await collect(channel)).toEqual(sent);
  });

  test('sending and taking in turns keeps the order', async () => {
    const channel = new Channel<number>({ capacity: 100 });
    const iterator = channel[Symbol.asyncIterator]();
    const taken: unknown[] = [];
    let next = 0;
    for (let round = 0; round < 200; round += 1) {
      channel.trySend(next++);
      channel.trySend(next++);
      taken.push((await iterator.next()).value);
      if (round % 3 === 0) taken.push((await iterator.next()).value);
    }
    expect(taken).toEqual(taken.map((_, index) => index));
  });

  test('senders that wait for room go first, in their order', async () => {
    const channel = new Channel<string>({ capacity: 1 });
    channel.trySend('a');
    const waiting = [channel.send('b'), channel.send('c')];
    const iterator = channel[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toBe('a');
    expect(channel.trySend('d')).toBe(false);
    expect((await iterator.next()).value).toBe('b');
    expect((await iterator.next()).value).toBe('c');
    await Promise.all(waiting);
    expect(channel.trySend('d')).toBe(true);
  });
});

describe('bounds', () => {
  test('trySend refuses at capacity and size says how many wait', () => {
    const channel = new Channel<number>({ capacity: 2 });
    expect([channel.trySend(1), channel.trySend(2), channel.trySend(3)]).toEqual([true, true, false]);
    expect(channel.size).toBe(2);
  });

  test('a value for a waiting receiver takes no room', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const first = channel[Symbol.asyncIterator]().next();
    expect([channel.trySend(1), channel.trySend(2)]).toEqual([true, true]);
    expect(await first).toEqual({ value: 1, done: false });
  });

  test('send resolves only when there is room', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    await channel.send(1);
    let through = false;
    const second = channel.send(2).then(() => {
      through = true;
    });
    await Promise.resolve();
    expect(through).toBe(false);
    channel.dropOldest();
    await second;
    expect(channel.size).toBe(1);
  });

  test('values may be undefined', async () => {
    const channel = new Channel<undefined>({ capacity: 2 });
    channel.trySend(undefined);
    channel.close();
    expect(await collect(channel)).toEqual([undefined]);
  });
});

describe('closing', () => {
  test('hands out what is queued, then ends', async () => {
    const channel = new Channel<number>({ capacity: 3 });
    channel.trySend(1);
    channel.trySend(2);
    channel.close();
    expect(channel.closed).toBe(true);
    expect(channel.trySend(3)).toBe(false);
    expect(await collect(channel)).toEqual([1, 2]);
  });

  test('ends a receiver that waits', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const waiting = channel[Symbol.asyncIterator]().next();
    channel.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
  });

  test('refuses senders that wait and those that come later', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    channel.trySend(1);
    const waiting = channel.send(2);
    channel.close();
    await expect(waiting).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await expect(channel.send(3)).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    expect(await collect(channel)).toEqual([1]);
  });

  test('leaving the loop closes', async () => {
    const channel = new Channel<number>({ capacity: 3 });
    channel.trySend(1);
    for await (const _ of channel) break;
    expect(channel.closed).toBe(true);
  });
});
