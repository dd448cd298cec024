import { describe, expect, test } from 'vitest';
import { parseDuration, parseSize, writeDuration, writeSize } from '../../../src/config/units.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
    ['1500us', 2],
    ['500us', 0.5],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '30', '30 s', '-5s', 's', '5x', '5s!', '1e3s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('are written in the largest unit that fits, and read back', () => {
    expect([0, 500, 1500, 30_000, 90_000, 300_000, 604_800_000].map(writeDuration)).toEqual([
      '0ms',
      '500ms',
      '1500ms',
      '30s',
      '90s',
      '5m',
      '7d',
    ]);
  });
});

describe('sizes', () => {
  test.each([
    ['0B', 0],
    ['64KiB', 65_536],
    ['2MiB', 2_097_152],
    ['1.5GiB', 1_610_612_736],
    ['2 MiB', 2_097_152],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '2', '2MB', '2mib', '-1KiB'])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('are written in the largest unit that fits', () => {
    expect([1, 1024, 33_554_432, 2_147_483_648].map(writeSize)).toEqual(['1B', '1KiB', '32MiB', '2GiB']);
  });
});
