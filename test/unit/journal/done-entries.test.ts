/** What is done is remembered in rows and in blocks, and nobody who asks for it can tell which. */
import { describe, expect, test } from 'vitest';
import { doneBlocksTable, doneTable } from '../../../src/journal/done-tables.ts';
import type { MemoryStore } from '../../../src/journal/memory-store.ts';
import { sealContent, sealFields } from '../../../src/journal/record.ts';
import { talliesTable } from '../../../src/journal/tables.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { day, type Opened, openOnMemory, pass, request } from './journal-on-memory.ts';

const offered = { redelivery: 'until-done' } as const;
const minute = 60_000;
const age = 7 * day;
const many = { done: { messages: 100_000, age } };

interface OnDisk {
  /** The last sequences of the blocks. */
  readonly blocks: readonly number[];
  /** The sequences in them, and those of rows. */
  readonly inBlocks: readonly number[];
  readonly rows: readonly number[];
  readonly counted: number;
}

function onDisk({ disk }: MemoryStore): OnDisk {
  const entries = (table: string) => [...(disk.get(table)?.values() ?? [])];
  const blocks = entries(doneBlocksTable.name).map(({ key, value }) =>
    doneBlocksTable.decode(Number(key), value),
  );
  const tally = disk.get(talliesTable.name)?.get('"done"');
  return {
    blocks: blocks.map(({ sequences }) => sequences.at(-1) ?? 0),
    inBlocks: blocks.flatMap(({ sequences }) => [...sequences]),
    rows: entries(doneTable.name).map(({ key }) => Number(key)),
    counted: tally ? talliesTable.decode('done', tally.value).messages : 0,
  };
}

/** Some of many: to find each by its id takes a while. */
function some<T>(many: readonly T[]): T[] {
  return many.filter((_, at) => at % 7 === 0);
}

/** Those of them that are known as done. */
function known({ journal: { inbox } }: Opened, ids: readonly string[]): string[] {
  return ids.filter((id) => inbox.find(id)?.state === 'done');
}

/** The ids of all that the list of messages has, the latest first. */
function listed({ journal: { messages } }: Opened): string[] {
  const found: string[] = [];
  for (let next: number | undefined = Number.MAX_SAFE_INTEGER; next !== undefined; ) {
    const page = messages.page(100, next);
    found.push(...page.records.map(({ messageId }) => messageId));
    next = page.next;
  }
  return found;
}

/** So many requests are received before others, and are still in hand. */
function hold({ journal: { inbox } }: Opened, count: number): { ids: string[]; sequences: number[] } {
  const requests = Array.from({ length: count }, () => request());
  return {
    ids: requests.map(({ messageId }) => messageId),
    sequences: requests.map((sent) => inbox.receive(sent, offered).sequence),
  };
}

test('most rows become blocks, and all are known as before', async () => {
  const opened = openOnMemory({ limits: many });
  const ids = await pass(opened, 1_500);
  const { blocks, rows, inBlocks, counted } = onDisk(opened.store);
  expect(blocks.length).toBeGreaterThan(2);
  expect(rows.length + inBlocks.length).toBe(1_500);
  expect(counted).toBe(1_500);
  expect(Math.min(...rows)).toBeGreaterThan(Math.max(...inBlocks));
  for (const one of [opened, opened.restart()]) {
    expect(known(one, some(ids))).toEqual(some(ids));
    expect(listed(one)).toEqual(ids.toReversed());
  }
});

test('blocks go on after a restart where they ended', async () => {
  let opened = openOnMemory({ limits: many });
  const ids: string[] = [];
  for (let start = 0; start < 4; start++) {
    ids.push(...(await pass(opened, 500)));
    opened = opened.restart();
  }
  const { blocks, rows, inBlocks } = onDisk(opened.store);
  expect(blocks.length).toBeGreaterThan(4);
  expect(new Set([...rows, ...inBlocks]).size).toBe(2_000);
  expect(known(opened, some(ids))).toEqual(some(ids));
});

test('what ends long after those that came with it is known too', async () => {
  const opened = openOnMemory({ limits: many });
  const late = hold(opened, 3);
  const before = await pass(opened, 600);
  const later = hold(opened, 3);
  const after = await pass(opened, 600);
  const [first, ...others] = [...late.sequences, ...later.sequences];
  for (const sequence of others) opened.journal.inbox.finish(sequence);
  opened.journal.inbox.bury(first ?? 0, 'failed', '');
  await pass(opened, 300);
  expect(onDisk(opened.store).rows).toEqual(expect.arrayContaining(late.sequences.slice(1)));
  const ids = [...late.ids, ...before, ...later.ids, ...after];
  for (const one of [opened, opened.restart()]) {
    expect(known(one, [...late.ids, ...later.ids])).toEqual([...late.ids, ...later.ids].slice(1));
    expect(known(one, some(before))).toEqual(some(before));
    expect(listed(one).filter((id) => ids.includes(id))).toEqual(ids.toReversed());
  }
});

test('ids that are long, or no Unicode, are known when they are in blocks', async () => {
  const opened = openOnMemory({ limits: many });
  const ids = [
    'x'.repeat(256),
    'x'.repeat(257),
    `${'é'.repeat(300)}1`,
    '\ud800',
    '\udc00',
    'nul\0',
    '"\\',
    '',
  ];
  for (const messageId of ids)
    opened.journal.inbox.finish(opened.journal.inbox.receive(request({ messageId }), offered).sequence);
  opened.journal.done.add('x'.repeat(300));
  await pass(opened, 800);
  expect(onDisk(opened.store).rows).not.toContain(1);
  for (const one of [opened, opened.restart()]) {
    expect(known(one, ids)).toEqual(ids);
    expect(known(one, ['\ud801', 'x'.repeat(258)])).toEqual([]);
    expect(one.journal.done.has('x'.repeat(300))).toBe(true);
    expect(one.journal.messages.get(1)).toMatchObject({ messageId: ids[0], state: 'done' });
  }
});

describe('a disk that takes nothing for a while', () => {
  test('costs no id, and counts none twice', async () => {
    const opened = openOnMemory({ limits: { ...many, inbox: { messages: 1e6, bytes: 1e9 } } });
    const { journal, store, clock, settle } = opened;
    const ids = [...(await pass(opened, 500)), ...hold(opened, 1_000).ids];
    await settle();
    store.fault = 'full';
    for (const { sequence } of journal.inbox.unsettled(0, 1_000)) journal.inbox.finish(sequence);
    for (let retry = 0; retry < 5; retry++) {
      await new Promise(setImmediate);
      clock.wind(5_000);
      expect(known(opened, some(ids))).toEqual(some(ids));
    }
    await new Promise(setImmediate);
    store.fault = undefined;
    clock.wind(5_000);
    await settle();
    ids.push(...(await pass(opened, 600)));
    const { rows, inBlocks, counted } = onDisk(store);
    expect(new Set([...rows, ...inBlocks]).size).toBe(2_100);
    expect(rows.length + inBlocks.length).toBe(2_100);
    expect(counted).toBe(2_100);
    for (const one of [opened, opened.restart()]) {
      expect(known(one, some(ids))).toEqual(some(ids));
      expect(listed(one)).toEqual(ids.toReversed());
    }
  });
});

describe('beyond the limit', () => {
  test('the oldest are forgotten, a block at a time', async () => {
    const opened = openOnMemory({ limits: { done: { messages: 1_000, age } } });
    const ids = await pass(opened, 3_000);
    const remembered = known(opened, ids);
    expect(remembered).toEqual(ids.slice(-remembered.length));
    expect(remembered.length).toBeGreaterThanOrEqual(1_000);
    expect(remembered.length).toBeLessThan(1_256);
    expect(onDisk(opened.store).counted).toBe(remembered.length);
    expect(known(opened.restart(), ids)).toEqual(remembered);
    expect(listed(opened)).toEqual(remembered.toReversed());
  });

  test('those that ended late are forgotten with those that came when they came', async () => {
    const opened = openOnMemory({ limits: { done: { messages: 1_000, age } } });
    const late = hold(opened, 2);
    await pass(opened, 1_000);
    for (const sequence of late.sequences) opened.journal.inbox.finish(sequence);
    await opened.settle();
    expect(known(opened, late.ids)).toEqual(late.ids);
    await pass(opened, 600);
    expect(known(opened, late.ids)).toEqual([]);
    const { rows, inBlocks, counted } = onDisk(opened.store);
    expect(counted).toBe(rows.length + inBlocks.length);
  });

  test('which was lowered, as many are forgotten as it takes, whether rows or blocks', async () => {
    const done = { messages: 5_000, age };
    let opened = openOnMemory({ limits: { done } });
    const ids = await pass(opened, 2_000);
    for (const messages of [1_200, 300, 0]) {
      done.messages = messages;
      for (let transaction = 0; transaction < 10; transaction++) {
        opened.journal.done.add(`command-${messages}-${transaction}`);
        await opened.settle();
      }
      const remembered = known(opened, ids);
      expect(remembered).toEqual(remembered.length === 0 ? [] : ids.slice(-remembered.length));
      expect(remembered.length).toBeLessThan(messages + 256);
      const { rows, inBlocks, counted } = onDisk(opened.store);
      expect(counted).toBe(rows.length + inBlocks.length);
      expect(counted).toBeGreaterThanOrEqual(messages);
      opened = opened.restart();
      expect(known(opened, ids)).toEqual(remembered);
    }
  });

  test('an id that is used again and again is known by its latest message', async () => {
    const opened = openOnMemory({ limits: { done: { messages: 500, age } } });
    const { inbox } = opened.journal;
    let last = 0;
    for (let number = 0; number < 2_000; number++) {
      last = inbox.receive(request({ messageId: 'm', content: Buffer.from(`${number}`) }), offered).sequence;
      inbox.finish(last);
      if (number % 100 === 99) await opened.settle();
    }
    for (const { journal } of [opened, opened.restart()])
      expect(journal.inbox.find('m')).toMatchObject({ state: 'done', sequence: last });
  });
});

describe('of what becomes too old', () => {
  test('blocks are forgotten whole, when the youngest in them is', async () => {
    const opened = openOnMemory({ limits: { done: { messages: 100_000, age: 70 * minute } } });
    const { clock, settle } = opened;
    const late = hold(opened, 1);
    opened.journal.done.add('command');
    const old = await pass(opened, 300);
    clock.wind(20 * minute);
    const young = await pass(opened, 800);
    opened.journal.inbox.finish(late.sequences[0] ?? 0);
    clock.wind(51 * minute);
    await settle();
    // Others of the old ones are in a block with younger ones.
    expect(listed(opened)).toEqual([...late.ids, ...old.slice(255), ...young].toReversed());
    expect(known(opened, [...old.slice(250, 260), ...late.ids])).toEqual([
      ...old.slice(255, 260),
      ...late.ids,
    ]);
    clock.wind(20 * minute);
    await waitFor(() => onDisk(opened.store).counted === 0, { what: 'end of forgetting' });
    expect(known(opened, [...old, ...young, ...late.ids])).toEqual([]);
    expect(opened.journal.done.has('command')).toBe(false);
    const { rows, inBlocks, counted } = onDisk(opened.store);
    expect({ rows, inBlocks, counted }).toEqual({ rows: [], inBlocks: [], counted: 0 });
    expect(opened.store.disk.get('ids')?.size).toBe(0);
  });
});

describe('a block that is damaged', () => {
  async function withBlocks(): Promise<{ opened: Opened; ids: string[]; late: string }> {
    const opened = openOnMemory({ limits: many });
    const late = hold(opened, 1);
    const ids = await pass(opened, 1_300);
    for (const sequence of late.sequences) opened.journal.inbox.finish(sequence);
    await opened.settle();
    return { opened, ids, late: late.ids[0] ?? '' };
  }

  function damage({ disk }: MemoryStore, end: number, record: (value: Uint8Array) => Uint8Array): void {
    const blocks = disk.get(doneBlocksTable.name);
    const entry = blocks?.get(`${end}`);
    if (!entry) throw new Error(`no block ends with ${end}`);
    blocks?.set(`${end}`, { ...entry, value: record(entry.value) });
  }

  const flipped = (value: Uint8Array) => value.with(100, (value[100] ?? 0) ^ 1);
  /** Its ids can be read, and nothing else. */
  const unknownRest = (value: Uint8Array) => {
    const { sequences, ids } = doneBlocksTable.decode(0, value);
    return sealContent([ids.length, ...sequences, ...ids], Buffer.from('[["?"]]'));
  };

  test.each([
    ['the first', 0],
    ['the last', -1],
  ])('is put aside, and what is in the others is known: %s', async (_, at) => {
    const { opened, ids, late } = await withBlocks();
    const end = onDisk(opened.store).blocks.at(at) ?? 0;
    damage(opened.store, end, flipped);
    const next = opened.restart();
    expect(next.damaged).toEqual(['done-blocks']);
    await next.settle();
    // Blocks that are made from now on hide nothing that was there before.
    ids.push(...(await pass(next, 600)));
    const { blocks, rows, inBlocks, counted } = onDisk(next.store);
    expect(blocks).not.toContain(end);
    expect(counted).toBe(ids.length + 1 - 256);
    expect(rows.length + inBlocks.length).toBe(counted);
    for (const one of [next, next.restart()]) {
      expect(known(one, [late])).toEqual([late]);
      const left = listed(one);
      expect(left).toHaveLength(counted);
      expect(known(one, some(ids))).toEqual(some(ids).filter((id) => left.includes(id)));
    }
  });

  test('does not end the daemon when that is found out while it is read', async () => {
    const { opened, ids } = await withBlocks();
    const [, end = 0] = onDisk(opened.store).blocks;
    damage(opened.store, end, unknownRest);
    const next = opened.restart();
    expect(next.damaged).toEqual([]);
    expect(known(next, ids)).toHaveLength(ids.length - 256);
    expect(next.damaged).toEqual(['done-blocks']);
    await next.settle();
    expect(onDisk(next.store).blocks).not.toContain(end);
    const last = next.restart();
    await last.settle();
    expect(onDisk(last.store).counted).toBe(ids.length + 1 - 256);
  });

  test('does not keep others from being forgotten', async () => {
    const { opened, ids } = await withBlocks();
    const [end = 0] = onDisk(opened.store).blocks;
    damage(opened.store, end, unknownRest);
    const next = opened.restart({ done: { messages: 600, age } });
    for (let transaction = 0; transaction < 10; transaction++) {
      next.journal.done.add(`command-${transaction}`);
      await next.settle();
    }
    const last = next.restart();
    await pass(last, 1);
    expect(known(last, ids).length).toBeLessThan(600 + 256);
  });
});

test('a count that is wrong is right after the next start', async () => {
  const opened = openOnMemory();
  await pass(opened, 5);
  const tallies = opened.store.disk.get(talliesTable.name);
  for (const wrong of [0, 700]) {
    tallies?.set('"done"', { key: 'done', value: sealFields([wrong, 0, 0, 0]) });
    const next = opened.restart();
    await next.settle();
    expect(onDisk(next.store).counted).toBe(5);
  }
});
