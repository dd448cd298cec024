import { expect, test } from 'vitest';
import { RecentWrites } from '../../../src/journal/recent-writes.ts';
import type { Key, Write } from '../../../src/journal/store.ts';

function put(key: Key, text: string): Write {
  return { table: 't', key, value: Buffer.from(text) };
}

function keysOf(recent: RecentWrites): Key[] {
  return [...recent.writes(0, 1)].map(({ key }) => key);
}

test('what came after it began and was removed again has left no trace', () => {
  const recent = new RecentWrites(10);
  recent.apply(1, [put(11, 'new'), put(10, 'old'), { ...put('name', 'a name'), table: 'names' }]);
  expect(recent).toMatchObject({ count: 3, bytes: 3 * 16, highest: 11 });
  for (const key of [11, 10]) recent.apply(1, [{ table: 't', key, value: undefined }]);
  recent.apply(1, [{ table: 'names', key: 'name', value: undefined }]);
  expect([...recent.writes(0, 1)]).toEqual([
    { table: 't', key: 10, value: undefined },
    { table: 'names', key: 'name', value: undefined },
  ]);
  expect(recent).toMatchObject({ count: 2, bytes: 0, highest: 11 });
});

test('the last word counts, and only that', () => {
  const recent = new RecentWrites(0);
  recent.apply(1, [
    put(1, 'first'),
    put(1, 'second'),
    { table: 't', key: 1, value: undefined },
    put(1, 'last'),
  ]);
  expect(Buffer.from(recent.table('t')?.get(1) ?? []).toString()).toBe('last');
  expect(recent).toMatchObject({ count: 1, bytes: 16 });
  expect(keysOf(recent)).toEqual([1]);
});

test('keys are in order in whatever order they came, while many of them go', () => {
  const recent = new RecentWrites(0);
  const left = new Set<number>();
  for (let step = 0; step < 2_000; step++) {
    const key = 1 + ((step * 7_919) % 2_003);
    recent.apply(1, [put(key, 'x')]);
    left.add(key);
    if (step % 10 === 0) continue;
    recent.apply(1, [{ table: 't', key, value: undefined }]);
    left.delete(key);
  }
  expect(keysOf(recent)).toEqual([...left].sort((a, b) => a - b));
  const within = recent.table('t')?.within({ after: 500, before: 1_000, limit: 1, newestFirst: true });
  const newest = Math.max(...[...left].filter((key) => key < 1_000));
  expect([...(within ?? [])][0]).toMatchObject({ key: newest });
});

test('a key that comes and goes leaves nothing behind that costs the next one anything', () => {
  const recent = new RecentWrites(0);
  recent.apply(1, [put(1, 'stays'), put(2, 'stays')]);
  const begun = process.cpuUsage().user;
  for (let step = 0; step < 50_000; step++) {
    recent.apply(1, [put(3, 'comes')]);
    recent.apply(1, [{ table: 't', key: 3, value: undefined }]);
  }
  // Walking over what was left behind takes a minute.
  expect(process.cpuUsage().user - begun).toBeLessThan(5_000_000);
  expect(keysOf(recent)).toEqual([1, 2]);
});
