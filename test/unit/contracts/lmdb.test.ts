/** What the journal's store relies on in lmdb; the reasons are in src/journal/lmdb-store.ts. */
import { type Database, open, type RootDatabase } from 'lmdb';
import { describe, expect, test } from 'vitest';
import { bundle } from '../../helpers/bundle.ts';
import { Child } from '../../helpers/child.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

interface Environment {
  readonly directory: string;
  readonly root: RootDatabase<Uint8Array, number>;
  readonly one: Database<Uint8Array, number>;
  readonly two: Database<Uint8Array, number>;
}

function environment(): Environment {
  const scope = testScope();
  const directory = tempDir(scope);
  const root = open<Uint8Array, number>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    eventTurnBatching: false,
  });
  scope.defer(() => root.close());
  const one = root.openDB<Uint8Array, number>({ name: 'one', encoding: 'binary' });
  const two = root.openDB<Uint8Array, number>({ name: 'two', encoding: 'binary' });
  return { directory, root, one, two };
}

const value = Buffer.alloc(100);

/** The library declares no fields of its statistics. */
function numberOf(root: RootDatabase<Uint8Array, number>, field: string): number {
  const stats: Record<string, unknown> = { ...root.getStats() };
  return Number(stats[field]);
}

describe('batch', () => {
  test('is one transaction over all tables, however large', async () => {
    const { root, one, two } = environment();
    const before = numberOf(root, 'lastTxnId');
    const written = root.batch(() => {
      for (let key = 0; key < 5_000; key++) {
        void one.put(key, value);
        void two.put(key, value);
      }
    });
    let isWritten = false;
    void written.then(() => {
      isWritten = true;
    });
    // Nobody sees a part of it meanwhile.
    const seen = new Set<number>();
    await waitFor(
      () => {
        root.resetReadTxn();
        seen.add(one.getCount() + two.getCount());
        return isWritten;
      },
      { what: 'commit' },
    );
    expect([...seen].filter((count) => count !== 0 && count !== 10_000)).toEqual([]);
    expect(one.getCount() + two.getCount()).toBe(10_000);
    root.resetReadTxn();
    expect(numberOf(root, 'lastTxnId') - before).toBe(1);
  });

  test('is flushed when the root says so, which is not before it is committed', async () => {
    const { root, one } = environment();
    const order: string[] = [];
    const written = root
      .batch(() => {
        void one.put(1, value);
      })
      .then(() => order.push('committed'));
    await Promise.all([written, written.then(() => root.flushed).then(() => order.push('flushed'))]);
    expect(order).toEqual(['committed', 'flushed']);
  });

  test('is seen by a read in the same turn in which its promise resolved', async () => {
    const { root, one } = environment();
    for (let key = 1; key <= 100; key++) {
      // A read before, so that there is an old snapshot.
      expect(one.getBinary(key)).toBeUndefined();
      await root.batch(() => {
        void one.put(key, value);
      });
      expect(one.getBinary(key)).toBeDefined();
    }
  });

  test('removes what is not there without failing', async () => {
    const { root, one } = environment();
    await root.batch(() => {
      void one.remove(1);
      void one.put(2, value);
    });
    expect(one.getCount()).toBe(1);
  });
});

describe('reads', () => {
  test('getBinary gives a copy that later reads and writes leave alone', async () => {
    const { root, one } = environment();
    await root.batch(() => {
      void one.put(1, Buffer.alloc(50, 'a'));
      void one.put(2, Buffer.alloc(50, 'b'));
    });
    const first = one.getBinary(1);
    one.getBinary(2);
    expect(first?.toString()).toBe('a'.repeat(50));
  });

  test('a page that is read to its end holds no snapshot: the file does not grow', async () => {
    const { root, one } = environment();
    const pages: number[] = [];
    for (let round = 0; round < 100; round++) {
      await root.batch(() => {
        for (let key = 0; key < 20; key++) void one.put(key, Buffer.alloc(1_000, round));
      });
      for (const { key } of one.getRange({ start: 0, limit: 10 })) if (key === 5) break;
      pages.push(numberOf(root, 'lastPageNumber'));
    }
    expect(pages.at(-1)).toBeLessThan((pages[20] ?? 0) + 20);
  });
});

describe('a commit that fails', () => {
  const shared = fileScope();
  let program = '';

  /** Lets a child write until its files may not grow any more, and reads what it says of that. */
  async function failure(eventTurnBatching: 'yes' | 'no'): Promise<unknown> {
    program ||= await bundle(shared, 'test/fixtures/lmdb-limit.ts');
    const scope = testScope();
    const words = [process.execPath, program, tempDir(scope), eventTurnBatching];
    const child = new Child(scope, 'sh', ['-c', 'ulimit -f 512; exec "$@"', 'sh', ...words]);
    await child.ended();
    return JSON.parse(child.stdout[0] ?? `"${child.output}"`);
  }

  test('rejects with a promise of its cause, keeps nothing, and leaves nothing unhandled', async () => {
    expect(await failure('no')).toEqual({
      message: 'Commit failed (see commitError for details)',
      // EIO for what was written in part, EFBIG (as ENOSPC would be) when nothing was.
      cause: expect.toSatisfy((cause) => cause === 5 || cause === 27),
      unhandled: [],
      kept: 0,
    });
  });

  test('with event-turn batching ends in an unhandled rejection: the reason not to use that', async () => {
    expect(await failure('yes')).toMatchObject({
      unhandled: ['Error: Commit failed (see commitError for details)'],
      kept: 0,
    });
  });
});
