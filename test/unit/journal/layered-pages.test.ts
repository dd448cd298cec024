import { expect, test } from 'vitest';
import { LayeredPages } from '../../../src/journal/layered-pages.ts';
import type { RecentTable } from '../../../src/journal/recent-table.ts';
import { RecentWrites } from '../../../src/journal/recent-writes.ts';
import type { Entry, Range } from '../../../src/journal/store.ts';

const last = Number.MAX_SAFE_INTEGER;
const value = Uint8Array.of(1);

/** A disk with the keys 1 to `size`, and a count of what was read of it. */
function diskOf(size: number): { read: (range: Range<number>) => readonly Entry<number>[]; entries: number } {
  const disk = {
    entries: 0,
    read({ after, before, limit }: Range<number>): readonly Entry<number>[] {
      const page: Entry<number>[] = [];
      for (let key = after + 1; key <= size && key < before && page.length < limit; key++) {
        page.push({ key, value });
      }
      disk.entries += page.length;
      return page;
    },
  };
  return disk;
}

function tableOf(recent: RecentWrites): RecentTable {
  const table = recent.table('q');
  if (!table) throw new Error('nothing was written');
  return table;
}

test('a queue that is worked off at its head is not walked through from its beginning each time', () => {
  const begun = process.cpuUsage().user;
  const disk = diskOf(20_000);
  const recent = new RecentWrites(20_000);
  const pages = new LayeredPages();
  let next = 1;
  while (next <= 10_000) {
    recent.apply(1, [{ table: 'q', key: next, value: undefined }]);
    const page = pages.page('q', { after: 0, before: last, limit: 4 }, tableOf(recent), disk.read);
    expect(page.map(({ key }) => key)).toEqual([next + 1, next + 2, next + 3, next + 4]);
    next += 1;
  }
  expect(disk.entries).toBeLessThan(10_000 * 60);
  // Walking over all removals for each page takes several times as long.
  expect(process.cpuUsage().user - begun).toBeLessThan(3_000_000);
});

test('what comes back at the head of a queue is seen, and so is what the disk has when the memory forgets', () => {
  const disk = diskOf(200);
  const recent = new RecentWrites(200);
  const pages = new LayeredPages();
  const page = (): number[] => {
    return pages
      .page('q', { after: 0, before: last, limit: 2 }, tableOf(recent), disk.read)
      .map(({ key }) => key);
  };
  for (let key = 1; key <= 100; key++) recent.apply(1, [{ table: 'q', key, value: undefined }]);
  expect(page()).toEqual([101, 102]);
  recent.apply(1, [{ table: 'q', key: 50, value }]);
  expect(page()).toEqual([50, 101]);
  recent.forget(1);
  pages.forget();
  recent.apply(2, [{ table: 'q', key: 1, value: undefined }]);
  expect(page()).toEqual([2, 3]);
});

test('the last word counts', () => {
  const disk = diskOf(5);
  const recent = new RecentWrites(5);
  recent.apply(1, [
    { table: 'q', key: 2, value: undefined },
    { table: 'q', key: 7, value },
    { table: 'q', key: 8, value },
  ]);
  recent.apply(2, [
    { table: 'q', key: 7, value: undefined },
    { table: 'q', key: 2, value: Uint8Array.of(2) },
    { table: 'q', key: 4, value: undefined },
  ]);
  const page = new LayeredPages().page(
    'q',
    { after: 0, before: last, limit: 10 },
    tableOf(recent),
    disk.read,
  );
  expect(page.map(({ key, value: [first] }) => [key, first])).toEqual([
    [1, 1],
    [2, 2],
    [3, 1],
    [5, 1],
    [8, 1],
  ]);
});
