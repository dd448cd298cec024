import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RootDatabase, RootDatabaseOptionsWithPath } from 'lmdb';
import { describe, expect, test, vi } from 'vitest';
import type { Space } from '../../../src/journal/disk-space.ts';
import { LmdbStore } from '../../../src/journal/lmdb-store.ts';
import { MemoryStore } from '../../../src/journal/memory-store.ts';
import type { Store, Write } from '../../../src/journal/store.ts';
import { WriteAheadStore } from '../../../src/journal/write-ahead-store.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

/** Set: the next commit reaches the file, and is then said to have failed, as when its flush did. */
const flush = vi.hoisted(() => ({ fails: false }));

vi.mock('lmdb', async (importActual) => {
  const lmdb = await importActual<typeof import('lmdb')>();
  const open = (options: RootDatabaseOptionsWithPath): RootDatabase => {
    const root = lmdb.open(options);
    const batch = root.batch.bind(root);
    root.batch = async (action) => {
      const written = await batch(action);
      if (!flush.fails) return written;
      const commitError = Promise.reject(Object.assign(new Error('Input/output error'), { code: 5 }));
      throw Object.assign(new Error('Commit failed (see commitError for details)'), { commitError });
    };
    return root;
  };
  return { ...lmdb, open };
});

const last = Number.MAX_SAFE_INTEGER;
const plenty: Space = { free: 2 ** 40, total: 2 ** 41 };

function openLmdb(directory: string, space?: () => Space, clock: HandClock = new HandClock()): LmdbStore {
  return new LmdbStore({ directory, tables: ['a', 'b'], clock, ...(space && { space }) });
}

function lmdbStore(space?: () => Space): LmdbStore {
  const scope = testScope();
  const store = openLmdb(tempDir(scope), space);
  scope.defer(() => store.close());
  return store;
}

function storeBehindLog(): Store {
  const scope = testScope();
  const store = new WriteAheadStore({
    directory: tempDir(scope),
    tables: new MemoryStore(),
    highest: 0,
    clock: new HandClock(),
    randomBytes,
    onDamaged: (_, reason) => expect.fail(reason),
    limits: { words: 2, bytes: 100, files: 2, size: 1_000, step: 3 },
  });
  scope.defer(() => store.close());
  return store;
}

function put(table: string, key: Write['key'], text: string): Write {
  return { table, key, value: Buffer.from(text) };
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString();
}

// The rules are tried on the store in memory, so it has to behave as the real one does.
describe.each([
  ['on LMDB', (): Store => lmdbStore()],
  ['in memory', (): Store => new MemoryStore()],
  ['behind a log', (): Store => storeBehindLog()],
])('a store %s', (_, create) => {
  test('reads what was written, and no longer what was removed', async () => {
    const store = create();
    expect(store.get('a', 1)).toBeUndefined();
    await store.write([put('a', 1, 'one'), put('a', 'one', 'text'), put('b', ['d', 7], 'seven')]).committed;
    expect(textOf(store.get('a', 1))).toBe('one');
    expect(textOf(store.get('a', 'one'))).toBe('text');
    expect(textOf(store.get('b', ['d', 7]))).toBe('seven');
    await store.write([put('a', 1, 'uno'), { table: 'b', key: ['d', 7], value: undefined }]).flushed;
    expect(textOf(store.get('a', 1))).toBe('uno');
    expect(store.get('b', ['d', 7])).toBeUndefined();
  });

  test('gives what the caller may keep', async () => {
    const store = create();
    await store.write([put('a', 1, 'x'.repeat(100)), put('a', 2, 'y'.repeat(100))]).committed;
    const value = store.get('a', 1);
    store.get('a', 2);
    const [entry] = store.page('a', { after: 0, before: last, limit: 5 });
    store.page('a', { after: 1, before: last, limit: 5 });
    await store.write([put('a', 1, 'z'.repeat(100))]).committed;
    expect(textOf(value)).toBe('x'.repeat(100));
    expect(textOf(entry?.value)).toBe('x'.repeat(100));
  });

  test('pages in order, both ways, without the ends', async () => {
    const store = create();
    const sequences = [1, 2, 9, 10, 255, 256, 65_536, 4_294_967_296, 9_007_199_254_740_000];
    await store.write(sequences.toReversed().map((key) => put('a', key, String(key)))).committed;
    const keys = (after: number, before: number, limit: number, newestFirst = false): number[] =>
      store.page('a', { after, before, limit, newestFirst }).map(({ key }) => key);
    expect(keys(0, last, 100)).toEqual(sequences);
    expect(keys(1, 256, 100)).toEqual([2, 9, 10, 255]);
    expect(keys(3, 300, 2)).toEqual([9, 10]);
    expect(keys(0, last, 2, true)).toEqual([9_007_199_254_740_000, 4_294_967_296]);
    expect(keys(2, 256, 100, true)).toEqual([255, 10, 9]);
    expect(keys(0, 11, 2, true)).toEqual([10, 9]);
    expect(keys(255, 256, 10)).toEqual([]);
  });

  test('keeps directives apart, also when one begins as the other', async () => {
    const store = create();
    const keys = (['echo', 'echo2', 'ech', 'Ünïcode'] as const).flatMap((name, index) => [
      [name, 2 * index + 1] as const,
      [name, 2 * index + 2] as const,
    ]);
    await store.write(keys.map((key) => put('b', key, ''.padEnd(1)))).committed;
    const page = store.page('b', { after: ['echo', 0], before: ['echo', last], limit: 10 });
    expect(page.map(({ key }) => key)).toEqual([
      ['echo', 1],
      ['echo', 2],
    ]);
    expect(store.page('b', { after: ['Ünïcode', 7], before: ['Ünïcode', last], limit: 10 })).toHaveLength(1);
  });

  test('pages through names', async () => {
    const store = create();
    await store.write(['inbox', 'inbox/echo', 'outbox'].map((key) => put('a', key, key))).committed;
    expect(store.page('a', { after: '', before: '\uffff', limit: 10 }).map(({ key }) => key)).toEqual([
      'inbox',
      'inbox/echo',
      'outbox',
    ]);
  });
});

describe('the store on LMDB', () => {
  test('has it all again after it was closed', async () => {
    const directory = tempDir(testScope());
    const first = openLmdb(directory);
    await first.write([put('a', 1, 'one')]).flushed;
    await first.close();
    const second = openLmdb(directory);
    expect(textOf(second.get('a', 1))).toBe('one');
    await second.close();
  });

  test('has files for its owner alone, whatever the umask', async () => {
    const directory = tempDir(testScope());
    const before = process.umask(0);
    const store = openLmdb(directory);
    process.umask(before);
    await store.write([put('a', 1, 'one')]).flushed;
    await store.close();
    expect(readdirSync(directory).sort()).toEqual(['data.mdb', 'lock.mdb']);
    for (const name of readdirSync(directory)) {
      expect(statSync(path.join(directory, name)).mode & 0o777, name).toBe(0o600);
    }
  });

  test('begins no write that the disk has no room for', async () => {
    let free = 2 ** 30;
    const store = lmdbStore(() => ({ free, total: 2 ** 40 }));
    await store.write([put('a', 1, 'one')]).flushed;
    // Less than the reserve, which other programs may eat while the write is under way.
    free = 4 * 2 ** 20;
    await expect(store.write([put('a', 2, 'two')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_FULL',
    });
    free = 12 * 2 ** 20;
    await store.write([put('a', 2, 'two')]).committed;
    await expect(store.write([put('a', 3, 'x'.repeat(3 * 2 ** 20))]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_FULL',
    });
    expect(store.get('a', 3)).toBeUndefined();
    await store.write([put('a', 4, 'four')]).flushed;
  });

  test('keeps what was committed though its flush failed, and flushes it later', async () => {
    const scope = testScope();
    const clock = new HandClock();
    const store = openLmdb(tempDir(scope), undefined, clock);
    scope.defer(() => store.close());
    flush.fails = true;
    const { committed, flushed } = store.write([put('a', 1, 'one')]);
    let isFlushed = false;
    void flushed.then(() => {
      isFlushed = true;
    });
    await committed;
    expect(textOf(store.get('a', 1))).toBe('one');
    clock.wind(1_000);
    await waitFor(() => clock.waits.length === 1, { what: 'next try' });
    expect(isFlushed).toBe(false);
    // A write that is committed while a flush is tried is committed all the same.
    const beside = store.write([put('a', 2, 'two')]);
    clock.wind(1_000);
    await beside.committed;
    flush.fails = false;
    await waitFor(() => clock.waits.length === 1, { what: 'next try' });
    clock.wind(1_000);
    await flushed;
    await beside.flushed;
    await waitFor(() => clock.waits.length === 0, { what: 'end of trying' });
  });

  test('says that the disk fails when it cannot even be looked at', async () => {
    let fails = false;
    const store = lmdbStore(() => {
      if (fails) throw new Error('EIO: input/output error');
      return plenty;
    });
    fails = true;
    await expect(store.write([put('a', 1, 'one')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_IO',
      message: expect.stringContaining('EIO'),
    });
  });

  test('survives a disk that is really full, and goes on when there is room', async ({ skip }) => {
    const scope = testScope();
    const directory = tempDir(scope);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory], { stdio: 'pipe' });
    } catch {
      skip('a small file system can be mounted by root only');
    }
    scope.defer(() => {
      execFileSync('umount', [directory]);
    });
    const store = openLmdb(directory);
    scope.defer(() => store.close());
    let taken = 0;
    let refused = 0;
    for (let key = 1; key <= 200; key++) {
      await store.write([put('a', key, 'x'.repeat(40_000))]).committed.then(
        () => {
          taken += 1;
        },
        (error: unknown) => {
          refused += 1;
          expect(error).toMatchObject({ code: 'YGG_JOURNAL_FULL' });
        },
      );
    }
    expect(taken).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
    expect(store.page('a', { after: 0, before: last, limit: 1_000 })).toHaveLength(taken);
    // Somebody else takes the rest.
    expect(() => writeFileSync(path.join(directory, 'other'), Buffer.alloc(8 * 2 ** 20))).toThrow('ENOSPC');
    await expect(store.write([put('a', 1, 'one')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_FULL',
    });
    writeFileSync(path.join(directory, 'other'), '');
    await store.write([put('a', 1, 'one')]).flushed;
    expect(textOf(store.get('a', 1))).toBe('one');
  });
});

test('tables are made only where there is room for them, and opened wherever they are', async () => {
  const directory = tempDir(testScope());
  const space = { free: 0, total: 1e9 };
  const code = 'YGG_JOURNAL_FULL';
  expect(() => openLmdb(directory, () => space)).toThrow(expect.objectContaining({ code }));
  await openLmdb(directory, () => plenty).close();
  await openLmdb(directory, () => space).close();
});
