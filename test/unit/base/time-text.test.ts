import { describe, expect, test } from 'vitest';
import { dateAndTime, sizeText, spanText, timeOfDay } from '../../../src/base/time-text.ts';

describe('times', () => {
  const at = new Date(2026, 10, 2, 3, 4, 5, 6).getTime();

  test('are those of the clock on the wall', () => {
    expect(dateAndTime(at)).toBe('2026-11-02 03:04:05');
    expect(timeOfDay(at)).toBe('03:04:05.006');
  });
});

test.each([
  [-5, '0 s'],
  [0, '0 s'],
  [999, '0 s'],
  [1_000, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [61_000, '1 min 1 s'],
  [3_600_000, '1 h'],
  [3_661_000, '1 h 1 min'],
  [86_399_999, '23 h 59 min'],
  [90_000_000, '1 d 1 h'],
  [86_400_000 * 40, '40 d'],
])('%d ms are %s', (span, text) => {
  expect(spanText(span)).toBe(text);
});

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_024, '1 KiB'],
  [1_536, '1.5 KiB'],
  [2 * 1024 ** 3, '2 GiB'],
  [3 * 1024 ** 5, '3072 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
