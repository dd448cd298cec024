import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';

const day = 24 * 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([0, 1_000, 24 * day, 25 * day, 365 * day])('a timer of %d ms rings once, and then', (delay) => {
  const ring = vi.fn();
  systemClock.after(delay, ring);
  if (delay > 0) {
    vi.advanceTimersByTime(delay - 1);
    expect(ring).not.toHaveBeenCalled();
  }
  vi.advanceTimersByTime(1);
  expect(ring).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(delay);
  expect(ring).toHaveBeenCalledTimes(1);
});

test('a timer longer than Node has can be cancelled in every part of it', () => {
  const ring = vi.fn();
  const timer = systemClock.after(60 * day, ring);
  vi.advanceTimersByTime(40 * day);
  timer.cancel();
  vi.advanceTimersByTime(60 * day);
  expect(ring).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
