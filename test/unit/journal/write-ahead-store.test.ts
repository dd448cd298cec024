import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { checkpointTable } from '../../../src/journal/checkpoints.ts';
import type { Space } from '../../../src/journal/disk-space.ts';
import type { LogFile } from '../../../src/journal/log-file.ts';
import { logFiles } from '../../../src/journal/log-files.ts';
import { type Disk, MemoryStore } from '../../../src/journal/memory-store.ts';
import { unsealFields } from '../../../src/journal/record.ts';
import type { Entry, Store, Write, Written } from '../../../src/journal/store.ts';
import { type LogLimits, WriteAheadStore } from '../../../src/journal/write-ahead-store.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

type Fault = () => Promise<void> | void;

/** What the files of the log do before they obey, and after a write. */
const faults = vi.hoisted((): { write: Fault; written: Fault; flush: Fault } => ({
  write: () => {},
  written: () => {},
  flush: () => {},
}));

vi.mock('../../../src/journal/log-file.ts', async (importActual) => {
  const actual = await importActual<typeof import('../../../src/journal/log-file.ts')>();
  const openLogFile = (file: string): LogFile => {
    const real = actual.openLogFile(file);
    return {
      ...real,
      async write(pieces, at) {
        await faults.write();
        await real.write(pieces, at);
        await faults.written();
      },
      async flush() {
        await faults.flush();
        await real.flush();
      },
    };
  };
  return { openLogFile };
});

beforeEach(() => {
  faults.write = () => {};
  faults.written = () => {};
  faults.flush = () => {};
});

const last = Number.MAX_SAFE_INTEGER;
const small: LogLimits = { words: 8, bytes: 1_000, files: 2, size: 4_000, step: 3 };
const roomy: LogLimits = { words: 1_000, bytes: 100_000, files: 3, size: 1_000_000, step: 100 };

interface Opened {
  readonly store: WriteAheadStore;
  readonly tables: MemoryStore;
  readonly clock: HandClock;
  readonly damaged: string[];
  /** The segments up to which the tables were told to have everything, in turn. */
  readonly checkpoints: number[];
  /** As a killed process: what it had under way with its tables never comes. */
  kill(): void;
}

interface Setting {
  readonly directory: string;
  readonly disk?: Disk;
  readonly tables?: MemoryStore;
  readonly limits?: LogLimits;
  readonly space?: () => Space;
}

function open({
  directory,
  disk,
  tables: memory = new MemoryStore(disk),
  limits = small,
  space,
}: Setting): Opened {
  const damaged: string[] = [];
  const checkpoints: number[] = [];
  const clock = new HandClock();
  const never = new Promise<void>(() => {});
  let isAlive = true;
  const tables: Store = {
    get: (table, key) => memory.get(table, key),
    page: (table, range) => memory.page(table, range),
    write(writes): Written {
      if (!isAlive) return { committed: never, flushed: never };
      const mark = writes.find(({ table }) => table === checkpointTable)?.value;
      if (mark) checkpoints.push(unsealFields(mark).number());
      return memory.write(writes);
    },
    close: () => memory.close(),
  };
  const store = new WriteAheadStore({
    directory,
    tables,
    highest: 0,
    clock,
    randomBytes,
    onDamaged: (_, reason) => damaged.push(reason),
    limits,
    ...(space && { space }),
  });
  return {
    store,
    tables: memory,
    clock,
    damaged,
    checkpoints,
    kill() {
      isAlive = false;
    },
  };
}

function newDirectory(): string {
  return tempDir(testScope());
}

function put(table: string, key: Write['key'], text: string): Write {
  return { table, key, value: Buffer.from(text) };
}

function remove(table: string, key: Write['key']): Write {
  return { table, key, value: undefined };
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString();
}

function textsOf(entries: readonly Entry[]): unknown[] {
  return entries.map(({ key, value }) => [key, textOf(value)]);
}

function keysOf(store: Store, table: string): unknown[] {
  return store.page(table, { after: 0, before: last, limit: 10_000 }).map(({ key }) => key);
}

function hold(): { readonly wait: Promise<void>; readonly release: () => void } {
  let release = (): void => {};
  const wait = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { wait, release };
}

describe('what was written', () => {
  test('is in the log and not in the tables, until there is much of it', async () => {
    const { store, tables } = open({ directory: newDirectory() });
    await store.write([put('a', 1, 'one')]).flushed;
    expect(tables.tried).toBe(0);
    for (let key = 2; key < 20; key++) await store.write([put('a', key, `${key}`)]).committed;
    await waitFor(() => tables.get('a', 1), { what: 'a checkpoint' });
    expect(keysOf(store, 'a')).toEqual(Array.from({ length: 19 }, (_, index) => index + 1));
  });

  test('never reaches the tables when it is removed before', async () => {
    const { store, tables } = open({ directory: newDirectory() });
    for (let key = 1; key < 200; key++) {
      await store.write([put('a', key, 'comes'), put('b', ['d', key], 'comes')]).committed;
      await store.write([remove('a', key), remove('b', ['d', key]), put('n', 'name', `${key}`)]).committed;
    }
    await store.close();
    expect([tables.disk.get('a'), tables.disk.get('b')]).toEqual([undefined, undefined]);
    expect(textOf(tables.get('n', 'name'))).toBe('199');
  });

  test('is in the tables after a clean end, and the files are for our eyes only', async () => {
    const directory = newDirectory();
    const { store, tables } = open({ directory });
    await store.write([put('a', 1, 'one'), put('b', 'name', 'x'.repeat(100_000))]).committed;
    await store.close();
    expect(textOf(tables.get('a', 1))).toBe('one');
    expect(tables.get('b', 'name')?.length).toBe(100_000);
    for (const name of logFiles) expect(statSync(path.join(directory, name)).mode & 0o777).toBe(0o600);
  });

  test('is found again after a crash, values of any size and keys of every kind', async () => {
    const directory = newDirectory();
    const limits = { ...roomy, bytes: 10_000_000 };
    const first = open({ directory, limits });
    const large = randomBytes(300_000);
    await first.store.write([
      put('a', 1, ''),
      { table: 'a', key: 2, value: large },
      put('a', 3, 'behind it'),
      put('b', ['Grüße 👋', 4], 'pair'),
      put('names', 'näme', 'text'),
    ]).committed;
    first.kill();
    const { store, damaged } = open({ directory, limits });
    expect(store.get('a', 1)?.length).toBe(0);
    expect(Buffer.compare(store.get('a', 2) ?? Buffer.alloc(0), large)).toBe(0);
    expect(textOf(store.get('a', 3))).toBe('behind it');
    expect(textOf(store.get('b', ['Grüße 👋', 4]))).toBe('pair');
    expect(textOf(store.get('names', 'näme'))).toBe('text');
    expect(damaged).toEqual([]);
  });
});

/** The same writes to a store behind a log and to one in memory, with crashes in between; what they say must be equal. */
async function compare(seed: number, directory: string): Promise<void> {
  let state = seed * 7_919;
  const upTo = (limit: number): number => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
  const disk: Disk = new Map();
  const model = new MemoryStore();
  const limits = {
    words: 5 + upTo(400),
    bytes: 400 + upTo(20_000),
    files: 2 + upTo(4),
    size: 1_000 + upTo(10_000),
    step: 1 + upTo(20),
  };
  let opened = open({ directory, disk, limits });
  let sequence = 0;
  const live: number[] = [];
  const directiveOf = (key: number): string => `d${key % 3}`;
  for (let step = 0; step < 300; step++) {
    const writes: Write[] = [];
    for (let count = upTo(7); count >= 0; count--) {
      if (upTo(4) < 2) {
        sequence += 1 + upTo(2);
        live.push(sequence);
        writes.push(put('q', sequence, `${sequence}`), put('w', [directiveOf(sequence), sequence], '1'));
      } else {
        // Mostly the oldest, as queues go.
        const [key] = upTo(3) > 0 ? live.splice(0, 1) : live.splice(upTo(live.length + 1), 1);
        if (key === undefined) continue;
        writes.push(remove('q', key), remove('w', [directiveOf(key), key]), put('n', `name${key}`, 'x'));
        if (upTo(2) > 0) writes.push(remove('n', `name${key - upTo(20)}`));
      }
    }
    await opened.store.write(writes).committed;
    await model.write(writes).committed;
    if (upTo(25) === 0) {
      opened.kill();
      expect(opened.damaged).toEqual([]);
      opened = open({ directory, disk, limits });
    }
    const what = `seed ${seed}, step ${step}`;
    const range = { before: upTo(2) > 0 ? last : upTo(sequence + 2), limit: 1 + upTo(30) };
    const after = upTo(3) > 0 ? 0 : upTo(sequence + 1);
    for (const newestFirst of [false, true]) {
      const asked = { ...range, after, newestFirst };
      expect(textsOf(opened.store.page('q', asked)), what).toEqual(textsOf(model.page('q', asked)));
    }
    const directive = `d${upTo(3)}`;
    const pairs = { after: [directive, after], before: [directive, last], limit: range.limit } as const;
    expect(textsOf(opened.store.page('w', pairs)), what).toEqual(textsOf(model.page('w', pairs)));
    const name = `name${upTo(sequence + 1)}`;
    expect(textOf(opened.store.get('n', name)), what).toBe(textOf(model.get('n', name)));
  }
  await opened.store.close();
  for (const table of ['q', 'w', 'n']) {
    const entries = (from: Disk): unknown => new Map([...(from.get(table) ?? [])].sort());
    expect(entries(disk), table).toEqual(entries(model.disk));
  }
}

describe('a store behind a log', () => {
  test('says what one without a log says, whatever is written and however often it is killed', async () => {
    for (let seed = 1; seed <= 40; seed++) await compare(seed, newDirectory());
  }, 60_000);

  test('takes a write that comes while a checkpoint ends into the next segment or this one, never into none', async () => {
    const opened = open({ directory: newDirectory() });
    const { store, tables } = opened;
    tables.held = true;
    for (let key = 1; key <= 15; key++) await store.write([put('a', key, 'first')]).committed;
    const { wait, release } = hold();
    faults.write = () => wait;
    // The segment that takes it is full as soon as the checkpoint of the one before ends.
    const { committed } = store.write([put('a', 16, 'late'), put('b', 16, 'late'), put('c', 16, 'late')]);
    tables.release();
    await waitFor(() => tables.get('a', 8), { what: 'the checkpoint' });
    release();
    faults.write = () => {};
    await committed;
    await store.close();
    expect(['a', 'b', 'c'].map((table) => textOf(tables.get(table, 16)))).toEqual(['late', 'late', 'late']);
  });
});

test('nothing is written before the checkpoint that was found is flushed: only a killed process may have made it', async () => {
  const directory = newDirectory();
  const disk: Disk = new Map();
  const first = open({ directory, disk });
  first.tables.heldFlushes = true;
  for (let key = 1; key <= 10; key++) await first.store.write([put('a', key, 'x')]).committed;
  await waitFor(() => first.tables.get(checkpointTable, 0), { what: 'a checkpoint' });
  first.kill();
  const held = new MemoryStore(disk);
  held.heldFlushes = true;
  const second = open({ directory, tables: held });
  let isCommitted = false;
  const written = second.store.write([put('a', 11, 'x')]);
  void written.committed.then(() => {
    isCommitted = true;
  });
  await waitFor(() => held.committed > 0, { what: 'something to flush' });
  // More than a write takes.
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  expect(isCommitted).toBe(false);
  held.release();
  await written.flushed;
  expect(keysOf(second.store, 'a')).toHaveLength(11);
});

describe('a segment of which a later one says something anew', () => {
  const turning: LogLimits = { words: 1_000, bytes: 100_000, files: 4, size: 400, step: 2 };

  /** The first segment is flushed, the second one not: it is full, so the first one is moved. */
  async function moving(): Promise<Opened & { readonly release: () => void; readonly break: () => void }> {
    const opened = open({ directory: newDirectory(), limits: turning });
    const { store, tables } = opened;
    for (let key = 1; key <= 6; key++) await store.write([put('a', key, 'first'.repeat(10))]).flushed;
    const { wait, release } = hold();
    let isBroken = false;
    faults.flush = async () => {
      await wait;
      if (isBroken) throw new Error('i/o error');
    };
    await store.write([put('a', 1, 'anew'), remove('a', 2)]).committed;
    await store.write([put('a', 7, 'x'.repeat(400))]).committed;
    await waitFor(() => tables.get('a', 3), { what: 'a checkpoint that has begun' });
    // More than the rest of it takes.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    return {
      ...opened,
      release,
      break() {
        isBroken = true;
        release();
      },
    };
  }

  test('is in the tables only when that is flushed: a power cut must not take both away', async () => {
    const { store, tables, checkpoints, release } = await moving();
    expect(checkpoints).not.toContain(1);
    expect([1, 2].map((key) => tables.get('a', key))).toEqual([undefined, undefined]);
    release();
    faults.flush = () => {};
    await waitFor(() => checkpoints.includes(1), { what: 'the end of the checkpoint' });
    expect(keysOf(store, 'a')).toEqual([1, 3, 4, 5, 6, 7]);
    await store.close();
    expect(textOf(tables.get('a', 1))).toBe('anew');
  });

  test('is moved with that when that cannot be flushed', async () => {
    const { store, tables, checkpoints, break: breakIt } = await moving();
    breakIt();
    faults.flush = () => {};
    await waitFor(() => checkpoints.includes(2), { what: 'the checkpoint of both' });
    expect(checkpoints).not.toContain(1);
    await store.write([put('a', 8, 'after')]).flushed;
    expect(keysOf(store, 'a')).toEqual([1, 3, 4, 5, 6, 7, 8]);
    expect(textOf(tables.get('a', 1))).toBe('anew');
  });
});

test('what a killed process left is written again before it is flushed: an earlier flush may have failed', async () => {
  const directory = newDirectory();
  const first = open({ directory });
  await first.store.write([put('a', 1, 'one')]).committed;
  first.kill();
  const order: string[] = [];
  faults.write = () => void order.push('write');
  faults.flush = () => void order.push('flush');
  open({ directory });
  await waitFor(() => order.includes('flush'), { what: 'a flush' });
  expect(order).toEqual(['write', 'flush']);
});

test('a key that a killed process had moved to the tables without saying so is removed there', async () => {
  const directory = newDirectory();
  const first = open({ directory, limits: roomy });
  await first.store.write([put('a', 1, 'one')]).committed;
  first.kill();
  await first.tables.write([put('a', 1, 'one')]).committed;
  const { store, tables } = open({ directory, tables: first.tables, limits: roomy });
  await store.write([remove('a', 1)]).committed;
  await store.close();
  expect(tables.get('a', 1)).toBeUndefined();
});

describe('a log that was cut off', () => {
  async function written(): Promise<{ directory: string; file: string; bytes: Buffer; ends: number[] }> {
    const directory = newDirectory();
    const { store, kill } = open({ directory, limits: roomy });
    const file = path.join(directory, 'log.0');
    const ends = [0];
    for (let key = 1; key <= 6; key++) {
      await store.write([put('a', key, `${key}`.repeat(20 * key)), put('n', 'last', `${key}`)]).flushed;
      ends.push(statSync(file).size);
    }
    kill();
    return { directory, file, bytes: readFileSync(file), ends };
  }

  test('has what was whole, wherever it was cut', async () => {
    const { directory, file, bytes, ends } = await written();
    for (let size = 0; size <= bytes.length; size += 3) {
      writeFileSync(file, bytes);
      truncateSync(file, size);
      const whole = ends.filter((end) => end <= size).length - 1;
      const { store, damaged, kill } = open({ directory, limits: roomy });
      expect(keysOf(store, 'a'), `${size}`).toEqual(Array.from({ length: whole }, (_, index) => index + 1));
      expect(textOf(store.get('n', 'last'))).toBe(whole > 0 ? `${whole}` : undefined);
      expect(damaged).toEqual([]);
      kill();
    }
  });

  test('has none of what lies behind the place that cannot be read, and says so when it had been flushed', async () => {
    const { directory, file, bytes, ends } = await written();
    bytes[(ends[2] ?? 0) + 40] = 0xff;
    writeFileSync(file, bytes);
    const { store, damaged } = open({ directory, limits: roomy });
    expect(keysOf(store, 'a')).toEqual([1, 2]);
    expect(damaged).toEqual(['3 flushed writes of segment 1 cannot be read.']);
  });

  test('says so when its very first record cannot be read, though that is not all that there was', async () => {
    const { directory, file, bytes } = await written();
    bytes[40] = 0xff;
    writeFileSync(file, bytes);
    const { store, damaged } = open({ directory, limits: roomy });
    expect(keysOf(store, 'a')).toEqual([]);
    expect(damaged).toEqual(['5 flushed writes of segment 1 cannot be read.']);
  });

  test('never takes what is left of it for what is written later', async () => {
    const { directory, file, bytes, ends } = await written();
    // The third record is torn, as by a power cut; those behind it are whole.
    bytes.fill(0, ends[2], (ends[2] ?? 0) + 4);
    writeFileSync(file, bytes);
    const disk: Disk = new Map();
    const second = open({ directory, disk, limits: roomy });
    // As long as the third was.
    await second.store.write([put('a', 3, '#'.repeat(60)), put('n', 'last', '#')]).flushed;
    second.kill();
    const third = open({ directory, disk, limits: roomy });
    expect(textOf(third.store.get('n', 'last'))).toBe('#');
    expect(keysOf(third.store, 'a')).toEqual([1, 2, 3]);
  });

  test('says so when a whole segment is missing', async () => {
    const directory = newDirectory();
    const opened = open({ directory });
    const { store, tables, kill } = opened;
    tables.held = true;
    for (let key = 1; key <= 15; key++) await store.write([put('a', key, 'x')]).committed;
    kill();
    writeFileSync(path.join(directory, 'log.0'), '');
    const { damaged } = open({ directory });
    expect(damaged).toEqual(['Writes before segment 2 are missing.']);
  });
});

describe('a disk in trouble', () => {
  test('refuses a write that the log cannot take, and the next one takes its place', async () => {
    const directory = newDirectory();
    const first = open({ directory });
    await first.store.write([put('a', 1, 'one')]).committed;
    faults.write = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    await expect(first.store.write([put('a', 2, 'two')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_FULL',
    });
    faults.write = () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    await expect(first.store.write([put('a', 3, 'three')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_IO',
    });
    faults.write = () => {};
    expect(keysOf(first.store, 'a')).toEqual([1]);
    await first.store.write([put('a', 4, 'four')]).flushed;
    first.kill();
    expect(keysOf(open({ directory }).store, 'a')).toEqual([1, 4]);
  });

  test('has nothing of what it refused after a crash, though all of it had been written', async () => {
    const directory = newDirectory();
    const { store, kill } = open({ directory });
    await store.write([put('a', 1, 'one')]).committed;
    let isRefused = false;
    faults.written = () => {
      if (isRefused) return;
      isRefused = true;
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    };
    await expect(store.write([put('a', 2, 'two')]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_IO',
    });
    kill();
    expect(keysOf(open({ directory }).store, 'a')).toEqual([1]);
  });

  test('takes a write that comes in the moment in which a flush fails, whichever it is', async () => {
    for (let moment = 0; moment < 10; moment++) {
      const { store, tables } = open({ directory: newDirectory() });
      const { wait, release } = hold();
      faults.flush = async () => {
        await wait;
        throw new Error('i/o error');
      };
      await store.write([put('a', 1, 'before')]).committed;
      release();
      for (let step = 0; step < moment; step++) await Promise.resolve();
      const { committed, flushed } = store.write([put('a', 2, 'late')]);
      faults.flush = () => {};
      await committed;
      await flushed;
      await store.close();
      expect(textOf(tables.get('a', 2)), `${moment}`).toBe('late');
    }
  });

  test('refuses what there is no room for', async () => {
    const space = { free: 10_000, total: 100_000 };
    const { store } = open({ directory: newDirectory(), space: () => space });
    await store.write([put('a', 1, 'x'.repeat(1_000))]).committed;
    await expect(store.write([put('a', 2, 'x'.repeat(5_000))]).committed).rejects.toMatchObject({
      code: 'YGG_JOURNAL_FULL',
    });
    space.free = 50_000;
    await store.write([put('a', 3, 'x'.repeat(5_000))]).committed;
    expect(keysOf(store, 'a')).toEqual([1, 3]);
  });

  test('says flushed only when the tables have flushed what the log could not', async () => {
    const { store, tables } = open({ directory: newDirectory() });
    tables.held = true;
    faults.flush = () => Promise.reject(new Error('i/o error'));
    const { committed, flushed } = store.write([put('a', 1, 'one')]);
    let isFlushed = false;
    void flushed.then(() => {
      isFlushed = true;
    });
    await committed;
    await waitFor(() => tables.tried > 0, { what: 'a checkpoint of what was not flushed' });
    expect(isFlushed).toBe(false);
    faults.flush = () => {};
    const next = store.write([put('a', 2, 'two')]);
    tables.release();
    await flushed;
    await next.flushed;
    expect(keysOf(store, 'a')).toEqual([1, 2]);
    expect(textOf(tables.get('a', 1))).toBe('one');
  });

  test('is left after a while by a close that waits for it, and what was written is in the log', async () => {
    const directory = newDirectory();
    const { store, tables, clock } = open({ directory });
    tables.heldFlushes = true;
    let taken = 0;
    let refusal: unknown;
    void (async () => {
      for (;;) {
        await store.write([put('a', taken + 1, 'x')]).committed;
        taken += 1;
      }
    })().catch((error: unknown) => {
      refusal = error;
    });
    let before = -1;
    await waitFor(
      () => {
        const isStuck = taken === before && tables.committed > 0;
        before = taken;
        return isStuck;
      },
      { what: 'a write that waits for a checkpoint' },
    );
    const closed = store.close();
    clock.wind(10_000);
    await closed;
    expect(refusal).toMatchObject({ code: 'YGG_CLOSED' });
    expect(keysOf(open({ directory }).store, 'a')).toHaveLength(taken);
  });

  test('goes on in the log while the tables fail, refuses when that is full, and goes on by itself', async () => {
    const { store, tables, clock } = open({ directory: newDirectory() });
    tables.fault = 'failing';
    let taken = 0;
    const fill = async (): Promise<void> => {
      for (let key = 1; key < 100; key++) {
        await store.write([put('a', key, 'x')]).committed;
        taken = key;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'YGG_JOURNAL_IO' });
    expect(taken).toBeGreaterThan(2 * small.words);
    await expect(store.write([put('b', 1, 'x')]).committed).rejects.toMatchObject({ code: 'YGG_JOURNAL_IO' });
    tables.fault = undefined;
    clock.wind(1_000);
    await waitFor(() => tables.get('a', taken), { what: 'the checkpoints' });
    await store.write([put('b', 2, 'x')]).committed;
    expect(keysOf(store, 'a')).toHaveLength(taken);
    expect(keysOf(store, 'b')).toEqual([2]);
  });
});
