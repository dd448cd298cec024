import { describe, expect, test, vi } from 'vitest';
import { createSignals, flowConsumers, type SignalFault } from '../../src/signals.ts';

interface OwnSignals {
  readonly 'own-flow': { readonly n: number };
  readonly 'own-notice': { readonly n: number };
}

const consumers = { 'own-flow': ['one'] };

/** A map with nothing declared but one flow signal, linked. */
function ownSignals(options: { flowCapacity?: number; noticeCapacity?: number } = {}) {
  const faults: SignalFault[] = [];
  const signals = createSignals<OwnSignals>({
    consumers,
    onFault: (fault) => faults.push(fault),
    ...options,
  });
  return { signals, faults };
}

/** A handler that waits until it is let go. */
function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, wait: () => opened };
}

describe('links', () => {
  test('every declared consumer is there and no other: passes', () => {
    const signals = createSignals();
    for (const [signal, parts] of Object.entries(flowConsumers)) {
      for (const part of parts) signals.on(signal as 'data-recv', part, () => {});
    }
    expect(() => signals.check()).not.toThrow();
  });

  test('a missing, an extra and an undeclared consumer are each named', () => {
    const signals = createSignals();
    signals.on('data-recv', 'data-processor', () => {});
    signals.on('data-recv', 'dispatcher', () => {});
    signals.on('message-send', 'message-router', () => {});
    expect(() => signals.check()).toThrow(
      expect.objectContaining({
        code: 'YGG_LINK',
        message: expect.stringMatching(
          /data-recv: expected data-processor, found data-processor, dispatcher;.*data-process: expected dispatcher, found nobody;.*message-send: is consumed/,
        ),
      }),
    );
  });

  test('the same consumer twice is one too many', () => {
    const { signals } = ownSignals();
    signals.on('own-flow', 'one', () => {});
    signals.on('own-flow', 'one', () => {});
    expect(() => signals.check()).toThrow(/own-flow: expected one, found one, one/);
  });
});

describe('flow', () => {
  test('each consumer gets every signal, in order, one at a time', async () => {
    const { signals } = ownSignals();
    const got: Array<readonly [string, number]> = [];
    let running = 0;
    const handler = (name: string) => async (payload: { n: number }) => {
      if (name === 'one') expect(++running).toBe(1);
      await Promise.resolve();
      got.push([name, payload.n]);
      if (name === 'one') running -= 1;
    };
    signals.on('own-flow', 'one', handler('one'));
    signals.on('own-flow', 'two', handler('two'));
    for (let n = 0; n < 50; n += 1) void signals.emit('own-flow', { n });
    await vi.waitFor(() => expect(got).toHaveLength(100));
    for (const name of ['one', 'two']) {
      expect(got.filter(([who]) => who === name).map(([, n]) => n)).toEqual(
        Array.from({ length: 50 }, (_, n) => n),
      );
    }
  });

  test('emit waits while a channel is full, and nothing is lost', async () => {
    const { signals } = ownSignals({ flowCapacity: 2 });
    const held = gate();
    const got: number[] = [];
    signals.on('own-flow', 'one', async ({ n }) => {
      await held.wait();
      got.push(n);
    });
    const emits = [0, 1, 2, 3, 4].map((n) => signals.emit('own-flow', { n }));
    const first = await Promise.race([Promise.all(emits).then(() => 'all'), Promise.resolve('waiting')]);
    expect(first).toBe('waiting');
    held.open();
    await Promise.all(emits);
    await vi.waitFor(() => expect(got).toEqual([0, 1, 2, 3, 4]));
  });

  test('nudge skips a full channel and never waits', async () => {
    const { signals } = ownSignals({ flowCapacity: 1 });
    const held = gate();
    const got: number[] = [];
    signals.on('own-flow', 'one', async ({ n }) => {
      await held.wait();
      got.push(n);
    });
    for (let n = 0; n < 10; n += 1) signals.nudge('own-flow', { n });
    held.open();
    await vi.waitFor(() => expect(got.length).toBeGreaterThan(0));
    expect(got.length).toBeLessThan(10);
    expect(got[0]).toBe(0);
  });

  test('a handler that throws is reported with its signal, and the next one is handled', async () => {
    const { signals, faults } = ownSignals();
    const got: number[] = [];
    signals.on('own-flow', 'one', ({ n }) => {
      if (n === 1) throw new Error('one is too many');
      return n === 2 ? Promise.reject(new Error('two too')) : void got.push(n);
    });
    for (const n of [1, 2, 3]) void signals.emit('own-flow', { n });
    await vi.waitFor(() => expect(got).toEqual([3]));
    expect(faults).toEqual([
      { signal: 'own-flow', consumer: 'one', payload: { n: 1 }, error: new Error('one is too many') },
      { signal: 'own-flow', consumer: 'one', payload: { n: 2 }, error: new Error('two too') },
    ]);
  });

  test('closing lets an emit that waits go, without an error that nobody looks at', async () => {
    const { signals } = ownSignals({ flowCapacity: 1 });
    const held = gate();
    signals.on('own-flow', 'one', () => held.wait());
    const emits = [0, 1, 2, 3].map((n) => signals.emit('own-flow', { n }));
    signals.close();
    await expect(Promise.all(emits)).resolves.toHaveLength(4);
    expect(signals.emit('own-flow', { n: 9 })).toBeUndefined();
    held.open();
  });
});

describe('notices', () => {
  test('any number of observers, of notices and of flow signals', async () => {
    const { signals } = ownSignals();
    const first: number[] = [];
    const second: number[] = [];
    signals.on('own-flow', 'one', () => {});
    signals.observe('own-flow', ({ n }) => void first.push(n));
    signals.observe('own-notice', ({ n }) => void second.push(n));
    void signals.emit('own-flow', { n: 1 });
    signals.nudge('own-notice', { n: 2 });
    await vi.waitFor(() => expect([first, second]).toEqual([[1], [2]]));
  });

  test('a slow observer loses the oldest, counted, and delays nobody', async () => {
    const { signals } = ownSignals({ noticeCapacity: 2 });
    const held = gate();
    const slow: number[] = [];
    const consumed: number[] = [];
    signals.observe('own-flow', async ({ n }) => {
      await held.wait();
      slow.push(n);
    });
    signals.on('own-flow', 'one', ({ n }) => void consumed.push(n));
    await signals.emit('own-flow', { n: 0 });
    await vi.waitFor(() => expect(consumed).toEqual([0]));
    for (const n of [1, 2, 3, 4]) await signals.emit('own-flow', { n });
    await vi.waitFor(() => expect(consumed).toEqual([0, 1, 2, 3, 4]));
    expect(signals.dropped).toBe(2);
    held.open();
    await vi.waitFor(() => expect(slow).toEqual([0, 3, 4]));
  });

  test('an observer that stopped is not called for later signals, and counts no drops', async () => {
    const { signals } = ownSignals({ noticeCapacity: 1 });
    const got: number[] = [];
    const stop = signals.observe('own-notice', ({ n }) => void got.push(n));
    void signals.emit('own-notice', { n: 1 });
    await vi.waitFor(() => expect(got).toEqual([1]));
    stop();
    for (const n of [2, 3, 4]) void signals.emit('own-notice', { n });
    signals.close();
    for (const n of [5, 6, 7]) void signals.emit('own-notice', { n });
    await Promise.resolve();
    expect(got).toEqual([1]);
    expect(signals.dropped).toBe(0);
  });
});
