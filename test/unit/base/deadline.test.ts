import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/base/clock.ts';
import { pause, unlessAborted, within } from '../../../src/base/deadline.ts';

/** A clock with a single timer that rings when told to. */
function bell(): { clock: Pick<Clock, 'after'>; ring: () => void; armed: () => boolean } {
  let callback: (() => void) | undefined;
  return {
    clock: {
      after(_delay, ringing) {
        callback = ringing;
        return {
          cancel: () => {
            callback = undefined;
          },
        };
      },
    },
    ring: () => callback?.(),
    armed: () => callback !== undefined,
  };
}

const never = (): Promise<never> => new Promise<never>(() => {});

describe('within', () => {
  test('passes the result on and releases its timer', async () => {
    const { clock, armed } = bell();
    await expect(within({ step: 'sum', ms: 10, clock }, () => Promise.resolve(42))).resolves.toBe(42);
    expect(armed()).toBe(false);
  });

  test('names the step and its time when the deadline passes, and aborts the step', async () => {
    const { clock, ring } = bell();
    let inner: AbortSignal | undefined;
    const wait = within({ step: 'router: init', ms: 250, clock }, (abort) => {
      inner = abort;
      return never();
    });
    ring();
    await expect(wait).rejects.toMatchObject({
      code: 'YGG_DEADLINE',
      message: 'router: init did not end within 250 ms',
    });
    expect(inner?.aborted).toBe(true);
  });

  test('is cut off by the outer signal, also by one that fired before', async () => {
    const { clock } = bell();
    const outer = new AbortController();
    const wait = within({ step: 'flush', ms: 250, clock, abort: outer.signal }, never);
    outer.abort();
    await expect(wait).rejects.toMatchObject({ code: 'YGG_DEADLINE', message: 'flush was cut off' });
    await expect(within({ step: 'flush', ms: 250, clock, abort: outer.signal }, never)).rejects.toMatchObject(
      { message: 'flush was cut off' },
    );
  });

  test('a step that fails after its deadline disturbs nobody', async () => {
    const { clock, ring } = bell();
    let fail: (error: Error) => void = () => {};
    const wait = within(
      { step: 'late', ms: 1, clock },
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    ring();
    await expect(wait).rejects.toMatchObject({ code: 'YGG_DEADLINE' });
    fail(new Error('too late to matter'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test('works in real time', async () => {
    await expect(within({ step: 'real', ms: 5 }, never)).rejects.toMatchObject({ code: 'YGG_DEADLINE' });
  });
});

describe('unlessAborted', () => {
  test('passes the end on, and rejects with the reason as soon as there is one', async () => {
    const cut = new AbortController();
    await expect(unlessAborted(cut.signal, Promise.resolve(42))).resolves.toBe(42);
    await expect(unlessAborted(cut.signal, Promise.reject(new Error('own')))).rejects.toThrow('own');
    const wait = unlessAborted(cut.signal, never());
    cut.abort(new Error('cut'));
    await expect(wait).rejects.toThrow('cut');
    await expect(unlessAborted(cut.signal, never())).rejects.toThrow('cut');
  });

  test("what fails later is nobody else's affair", async () => {
    let fail = (_: Error): void => {};
    const late = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const cut = new AbortController();
    cut.abort(new Error('cut'));
    await expect(unlessAborted(cut.signal, late)).rejects.toThrow('cut');
    fail(new Error('late'));
  });
});

describe('pause', () => {
  test('ends when its time is over', async () => {
    const { clock, ring } = bell();
    let over = false;
    const wait = pause(1_000, { clock }).then(() => {
      over = true;
    });
    await Promise.resolve();
    expect(over).toBe(false);
    ring();
    await wait;
    expect(over).toBe(true);
  });

  test('ends at once when it is cut off, before or during', async () => {
    const { clock, armed } = bell();
    const cut = new AbortController();
    const wait = pause(1_000, { clock, abort: cut.signal });
    cut.abort();
    await wait;
    expect(armed()).toBe(false);
    await pause(1_000, { clock, abort: cut.signal });
  });
});
