import { expect, test } from 'vitest';
import { KeptValues } from '../../../src/journal/kept-values.ts';

function valueFor(seed: number): Uint8Array {
  const length = seed % 7 === 0 ? 4_090 + (seed % 20) : (seed * 31) % 700;
  return new Uint8Array(length).fill(seed % 251);
}

test('each value is what it was, however many come and go in between', () => {
  const values = new KeptValues();
  const kept = new Map<number, { readonly place: number; readonly length: number }>();
  for (let seed = 1; seed <= 20_000; seed++) {
    const value = valueFor(seed);
    kept.set(seed, { place: values.keep(value), length: value.length });
    // Mostly the oldest go, as in a queue, and some never do.
    const leaving = seed % 3 === 0 ? seed - 1 : seed - 900;
    const entry = leaving % 11 === 0 ? undefined : kept.get(leaving);
    if (!entry) continue;
    values.release(entry.place);
    kept.delete(leaving);
  }
  let least = 0;
  for (const [seed, { place, length }] of kept) {
    expect(Buffer.compare(values.read(place, length), valueFor(seed)), `${seed}`).toBe(0);
    least += length;
  }
  expect(values.bytes).toBeGreaterThanOrEqual(least);
  expect(values.bytes).toBeLessThan(2 * least);
  for (const { place } of kept.values()) values.release(place);
  expect(values.bytes).toBe(0);
});

test('what is read is a copy, which another value in its place does not change', () => {
  const values = new KeptValues();
  const place = values.keep(Buffer.from('first'));
  const read = values.read(place, 5);
  values.release(place);
  expect(values.keep(Buffer.from('other'))).toBe(place);
  expect(Buffer.from(read).toString()).toBe('first');
});

test('a large part of something larger does not keep all of that', () => {
  const values = new KeptValues();
  const whole = Buffer.alloc(1_000_000, 'x');
  const read = values.read(values.keep(whole.subarray(0, 10_000)), 10_000);
  expect(read.buffer.byteLength).toBe(10_000);
});
