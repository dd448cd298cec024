/**
 * A store behind a log on a machine that fails at random: writes and flushes of the log and of the tables are refused,
 * the process is killed and the power is cut between any two steps, also of the start after that.
 *
 * The promise: what is there afterwards is what a beginning of the accepted writes makes, with all in it that was
 * flushed; after a mere kill with all that was committed. What was refused is never there.
 */
import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import type { LogFile } from '../../../src/journal/log-file.ts';
import { headerSize } from '../../../src/journal/log-record.ts';
import { type Disk, MemoryStore } from '../../../src/journal/memory-store.ts';
import type { Key, Range, Store, Write, Written } from '../../../src/journal/store.ts';
import { WriteAheadStore } from '../../../src/journal/write-ahead-store.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

const open = vi.hoisted((): { file: (name: string) => LogFile } => ({
  file: () => {
    throw new Error('no machine');
  },
}));
vi.mock('../../../src/journal/log-file.ts', () => ({ openLogFile: (name: string) => open.file(name) }));

const last = Number.MAX_SAFE_INTEGER;
const never = new Promise<void>(() => {});
/** What a disk writes whole or not at all. */
const sector = 64;

class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 7_919;
  }

  upTo(limit: number): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return (this.#state >>> 8) % limit;
  }

  oneIn(count: number): boolean {
    return this.upTo(count) === 0;
  }
}

interface Sector {
  readonly at: number;
  readonly bytes: Buffer;
}

/** A file as the system has it, and as the disk has it. */
class SimulatedFile {
  cache: Buffer = Buffer.alloc(0);
  disk: Buffer = Buffer.alloc(0);
  dirty: Sector[] = [];

  put(at: number, bytes: Uint8Array): void {
    this.cache = placed(this.cache, at, bytes);
    for (let from = at; from < at + bytes.length; ) {
      const to = Math.min(at + bytes.length, (Math.floor(from / sector) + 1) * sector);
      this.dirty.push({ at: from, bytes: Buffer.from(this.cache.subarray(from, to)) });
      from = to;
    }
  }

  clean(sectors: readonly Sector[]): void {
    for (const { at, bytes } of sectors) this.disk = placed(this.disk, at, bytes);
    this.drop(sectors);
  }

  drop(sectors: readonly Sector[]): void {
    const gone = new Set(sectors);
    this.dirty = this.dirty.filter((one) => !gone.has(one));
  }
}

function placed(file: Buffer, at: number, bytes: Uint8Array): Buffer {
  const grown = Buffer.alloc(Math.max(file.length, at + bytes.length));
  file.copy(grown);
  grown.set(bytes, at);
  return grown;
}

/** How likely what fails: one in so many; 0: never. */
interface Odds {
  readonly logWrite: number;
  readonly logFlush: number;
  readonly tables: number;
}

class Machine {
  readonly dice: Dice;
  readonly files = new Map<string, SimulatedFile>();
  /** What a killed process leaves, what the disk has, and the transactions in between. */
  cached: Disk = new Map();
  #durable: Disk = new Map();
  #unflushed: Array<readonly Write[]> = [];
  /** Counts up with each process: what one that was killed still has under way does nothing. */
  #process = 0;
  odds: Odds = { logWrite: 0, logFlush: 0, tables: 0 };
  /** How long a flush of the log takes at most. */
  flushPauses = 1;

  constructor(dice: Dice) {
    this.dice = dice;
  }

  kill(): void {
    this.#process += 1;
  }

  cutPower(): void {
    this.kill();
    const { dice } = this;
    for (const file of this.files.values()) {
      file.clean(file.dirty.filter(() => dice.oneIn(2)));
      file.drop(file.dirty);
      file.cache = Buffer.from(file.disk);
    }
    this.#flushTables(dice.upTo(this.#unflushed.length + 1));
    this.#unflushed = [];
    this.cached = copyOf(this.#durable);
  }

  openFile(name: string): LogFile {
    const process = this.#process;
    const file = this.files.get(name) ?? new SimulatedFile();
    this.files.set(name, file);
    const { dice } = this;
    const isOver = (): boolean => process !== this.#process;
    return {
      read: () => Buffer.from(file.cache),
      write: async (pieces, at) => {
        const bytes = Buffer.concat(pieces);
        // Even all of what is refused may be there. A header alone only takes back what was refused.
        const fails = bytes.length > headerSize && this.#falls(this.odds.logWrite);
        const part = fails ? dice.upTo(bytes.length + 1) : bytes.length;
        for (let from = 0; from < part; ) {
          await this.pause();
          if (isOver()) return never;
          const to = Math.min(part, from + 1 + dice.upTo(400));
          file.put(at + from, bytes.subarray(from, to));
          from = to;
        }
        await this.pause();
        if (isOver()) return never;
        if (fails) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
      flush: async () => {
        const sectors = [...file.dirty];
        for (let pauses = dice.upTo(this.flushPauses); pauses >= 0; pauses--) {
          await this.pause();
          if (isOver()) return never;
        }
        if (this.#falls(this.odds.logFlush)) {
          // What was to be written is no longer known to be missing.
          file.clean(sectors.filter(() => dice.oneIn(2)));
          file.drop(sectors);
          throw Object.assign(new Error('i/o error'), { code: 'EIO' });
        }
        file.clean(sectors);
        await this.pause();
        if (isOver()) return never;
      },
      empty: () => {
        file.cache = Buffer.alloc(0);
        file.disk = Buffer.alloc(0);
        file.dirty = [];
      },
      close: () => Promise.resolve(),
    };
  }

  openTables(): Store {
    const process = this.#process;
    const memory = new MemoryStore(this.cached);
    const isOver = (): boolean => process !== this.#process;
    const write = (writes: readonly Write[]): Written => {
      const committed = (async () => {
        await this.pause();
        if (isOver()) return never;
        if (this.#falls(this.odds.tables)) throw new Error('the tables take nothing');
        this.#unflushed.push(writes);
        await memory.write(writes).committed;
        await this.pause();
        if (isOver()) return never;
      })();
      const flushed = committed.then(async () => {
        do {
          await this.pause();
          if (isOver()) return never;
        } while (this.#falls(this.odds.tables));
        this.#flushTables(this.#unflushed.length);
      });
      flushed.catch(() => {});
      return { committed, flushed };
    };
    return {
      get: (table, key) => memory.get(table, key),
      page: (table, range) => memory.page(table, range),
      write,
      close: () => Promise.resolve(),
    };
  }

  async pause(): Promise<void> {
    for (let ticks = this.dice.upTo(4); ticks > 0; ticks--) await Promise.resolve();
    if (this.dice.oneIn(2)) await new Promise(setImmediate);
  }

  #falls(odds: number): boolean {
    return odds > 0 && this.dice.oneIn(odds);
  }

  #flushTables(count: number): void {
    for (const writes of this.#unflushed.splice(0, count)) apply(this.#durable, writes);
  }
}

function apply(disk: Disk, writes: readonly Write[]): void {
  for (const { table, key, value } of writes) {
    const entries = disk.get(table) ?? new Map();
    disk.set(table, entries);
    if (value) entries.set(JSON.stringify(key), { key, value });
    else entries.delete(JSON.stringify(key));
  }
}

function copyOf(disk: Disk): Disk {
  return new Map([...disk].map(([table, entries]) => [table, new Map(entries)]));
}

const ranges: Readonly<Record<string, Range<Key>>> = {
  q: { after: 0, before: last, limit: 100_000 },
  n: { after: '', before: '\uffff', limit: 100_000 },
};

function contentOf(store: Store): string {
  const lines: string[] = [];
  for (const [table, range] of Object.entries(ranges)) {
    for (const { key, value } of store.page(table, range))
      lines.push(`${table} ${String(key)} ${hashOf(value)}`);
  }
  for (const directive of ['d0', 'd1']) {
    const range = { after: [directive, 0], before: [directive, last], limit: 100_000 } as const;
    for (const { key, value } of store.page('w', range)) lines.push(`w ${String(key)} ${hashOf(value)}`);
  }
  return lines.join('\n');
}

function hashOf(value: Uint8Array): string {
  return `${value.length}:${Buffer.from(value.subarray(0, 12)).toString('latin1')}`;
}

/** Queues that are worked off, mostly at their heads, and a count of the writes. */
class Writer {
  readonly #dice: Dice;
  #index = 0;
  #sequence = 0;
  /** Those that are there as the last accepted write left it. */
  #live: number[] = [];

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Nothing of it is remembered before `onAccepted`. */
  next(): { readonly writes: readonly Write[]; readonly onAccepted: () => void } {
    const dice = this.#dice;
    this.#index += 1;
    const index = this.#index;
    const live = [...this.#live];
    const writes: Write[] = [put('n', 'count', `${index}`)];
    for (let count = dice.upTo(5); count > 0; count--) {
      if (dice.oneIn(2) || live.length === 0) {
        this.#sequence += 1;
        live.push(this.#sequence);
        const size = dice.oneIn(20) ? 40_000 : dice.upTo(200);
        writes.push(put('q', this.#sequence, `${index}`.padEnd(size, '.')));
        writes.push(put('w', [`d${this.#sequence % 2}`, this.#sequence], ''));
      } else {
        const [key = 0] = live.splice(dice.oneIn(3) ? dice.upTo(live.length) : 0, 1);
        writes.push(
          remove('q', key),
          remove('w', [`d${key % 2}`, key]),
          put('n', `n${key % 50}`, `${index}`),
        );
        if (dice.oneIn(2)) writes.push(remove('n', `n${dice.upTo(50)}`));
      }
    }
    return {
      writes,
      onAccepted: () => {
        this.#live = live;
      },
    };
  }

  /** What is there after a crash. */
  found(keys: readonly number[]): void {
    this.#live = [...keys];
  }
}

function put(table: string, key: Key, text: string): Write {
  return { table, key, value: Buffer.from(text) };
}

function remove(table: string, key: Key): Write {
  return { table, key, value: undefined };
}

/** A process after the other on one machine. */
async function live(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const machine = new Machine(dice);
  open.file = (name) => machine.openFile(name);
  const limits = {
    words: 4 + dice.upTo(120),
    bytes: 300 + dice.upTo(20_000),
    files: 2 + dice.upTo(5),
    size: 500 + dice.upTo(10_000),
    step: 1 + dice.upTo(20),
  };
  const writer = new Writer(dice);
  /** What a power cut must leave, and what was accepted since. */
  const kept: Disk = new Map();
  let accepted: Array<readonly Write[]> = [];

  function start(clock: HandClock, what: string): WriteAheadStore {
    return new WriteAheadStore({
      directory: '/nowhere',
      tables: machine.openTables(),
      highest: 0,
      clock,
      randomBytes,
      onDamaged: (_, reason) => {
        throw new Error(`${what}: ${reason}`);
      },
      limits,
      space: () => ({ free: 1e12, total: 1e12 }),
    });
  }

  for (let life = 0; life < 12; life++) {
    const what = `seed ${seed}, life ${life}`;
    const isSound = dice.oneIn(2);
    machine.odds = isSound
      ? { logWrite: 0, logFlush: 0, tables: 0 }
      : { logWrite: dice.upTo(12), logFlush: dice.upTo(30), tables: dice.upTo(6) };
    machine.flushPauses = dice.oneIn(2) ? 1 : 1 + dice.upTo(60);
    const clock = new HandClock();
    const store = start(clock, what);
    expect(contentOf(store), what).toBe(contentAfter(kept, accepted));
    writer.found(store.page('q', { after: 0, before: last, limit: 100_000 }).map(({ key }) => key));

    let flushed = 0;
    let refused = 0;
    let underWay: readonly Write[] | undefined;
    let isEnding = false;
    const end = new AbortController();
    const work = async (): Promise<void> => {
      while (!isEnding && !end.signal.aborted) {
        const { writes, onAccepted } = writer.next();
        underWay = writes;
        const written = store.write(writes);
        const isAccepted = await written.committed.then(
          () => true,
          () => false,
        );
        if (end.signal.aborted) return;
        underWay = undefined;
        if (isAccepted) {
          accepted.push(writes);
          onAccepted();
          const count = accepted.length;
          void written.flushed.then(() => {
            if (end.signal.aborted) return;
            if (count <= flushed) end.abort(new Error(`${what}: flushed out of order`));
            flushed = count;
          });
        } else {
          refused += 1;
          clock.wind(1_000);
        }
        for (let pauses = dice.upTo(3); pauses > 0; pauses--) await machine.pause();
      }
    };
    const worked = work();
    for (let pauses = dice.upTo(400); pauses > 0; pauses--) await machine.pause();
    const isCut = dice.oneIn(2);
    if (isSound && dice.oneIn(4)) {
      isEnding = true;
      await worked;
      await store.close();
      expect(flushed, `${what}: flushed at the end`).toBe(accepted.length);
    }
    if (end.signal.aborted) throw end.signal.reason;
    end.abort();
    if (isCut) machine.cutPower();
    else machine.kill();
    if (dice.oneIn(3)) {
      // The next one ends before it has done anything but start.
      start(new HandClock(), what);
      for (let pauses = dice.upTo(20); pauses > 0; pauses--) await machine.pause();
      machine.kill();
    }
    const found = contentOf(start(new HandClock(), what));
    machine.kill();

    const atLeast = isCut ? flushed : accepted.length;
    const possible = underWay ? [...accepted, underWay] : accepted;
    let count = atLeast;
    while (count < possible.length && contentAfter(kept, possible.slice(0, count)) !== found) count += 1;
    const state = `${what}, ${isCut ? 'cut' : 'killed'}: ${flushed} flushed, ${accepted.length} accepted, ${refused} refused`;
    expect(found, state).toBe(contentAfter(kept, possible.slice(0, count)));
    const durable = isCut ? count : flushed;
    for (const writes of possible.slice(0, durable)) apply(kept, writes);
    accepted = possible.slice(durable, count);
  }
}

function contentAfter(disk: Disk, accepted: readonly (readonly Write[])[]): string {
  const copy = copyOf(disk);
  for (const writes of accepted) apply(copy, writes);
  return contentOf(new MemoryStore(copy));
}

test('what was promised is there, and nothing else, whatever fails and wherever it ends', async () => {
  for (let seed = 1; seed <= 40; seed++) await live(seed);
}, 120_000);
