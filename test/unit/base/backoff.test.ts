import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backoff, backoffDelay } from '../../../src/base/backoff.ts';

describe('backoffDelay', () => {
  test('draws from the floor up to the doubled floor, capped', () => {
    const ceilings = [1, 2, 3, 7, 8, 2_000].map((failures) =>
      backoffDelay({ floor: 500, cap: 60_000, random: () => 0.999_999 }, failures),
    );
    expect(ceilings).toEqual([1_000, 2_000, 4_000, 60_000, 60_000, 60_000]);
  });

  test('never waits less than the floor', () => {
    for (const failures of [1, 5, 50]) {
      expect(backoffDelay({ floor: 500, cap: 60_000, random: () => 0 }, failures)).toBe(500);
    }
  });

  test('a cap below the floor counts as the floor', () => {
    expect(backoffDelay({ floor: 500, cap: 100, random: () => 0.9 }, 3)).toBe(500);
  });
});

test('Backoff counts failures and starts anew after a reset', () => {
  const backoff = new Backoff({ floor: 100, cap: 1_000, random: () => 0.5 });
  expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([150, 250, 450, 550]);
  expect(backoff.failures).toBe(4);
  backoff.reset();
  expect(backoff.failures).toBe(0);
  expect(backoff.next()).toBe(150);
});

test('whatever chance does, a wait lies between floor and cap, and a failure more never shortens the longest', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (floor, cap, failures, chance) => {
        const wait = backoffDelay({ floor, cap, random: () => chance }, failures);
        expect(wait).toBeGreaterThanOrEqual(floor);
        expect(wait).toBeLessThanOrEqual(Math.max(floor, cap));
        expect(backoffDelay({ floor, cap, random: () => chance }, failures + 1)).toBeGreaterThanOrEqual(wait);
      },
    ),
  );
});
