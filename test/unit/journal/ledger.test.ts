import { describe, expect, test } from 'vitest';
import { waitFor } from '../../helpers/wait-for.ts';
import { openOnMemory, request, response } from './journal-on-memory.ts';

const offered = { redelivery: 'until-done' } as const;

describe('a transaction', () => {
  test('takes everything of one turn, behind one promise', async () => {
    const { journal, store, settle } = openOnMemory();
    const one = journal.inbox.receive(request(), offered);
    const two = journal.inbox.receive(request(), offered);
    const accepted = journal.inbox.accept(one.sequence);
    const finished = journal.inbox.finish(two.sequence);
    expect(one.committed).toBe(two.committed);
    expect(one.flushed).toBe(two.flushed);
    expect(accepted.flushed).toBe(finished.flushed);
    await settle();
    expect(store.tried).toBe(1);
  });

  test('gathers while the one before is under way', async () => {
    const { journal, store, settle } = openOnMemory();
    store.held = true;
    journal.inbox.receive(request());
    await waitFor(() => store.tried === 1, { what: 'first transaction' });
    for (let turn = 0; turn < 5; turn++) {
      journal.inbox.receive(request());
      await new Promise(setImmediate);
    }
    expect(store.tried).toBe(1);
    expect(journal.inbox.waiting('echo', 10)).toHaveLength(6);
    store.release();
    await settle();
    expect(store.tried).toBe(2);
    expect(journal.inbox.waiting('echo', 10)).toHaveLength(6);
  });

  test('is not made when there is nothing to write', async () => {
    const { journal, store, settle } = openOnMemory();
    await journal.inbox.finish(77).flushed;
    await settle();
    expect(store.tried).toBe(0);
  });

  test('that has nothing to write is flushed when the one before is', async () => {
    const { journal, store, settle } = openOnMemory();
    const { sequence, committed } = journal.inbox.receive(request(), offered);
    await committed;
    store.heldFlushes = true;
    await journal.inbox.finish(sequence).committed;
    let isFlushed = false;
    const again = journal.inbox.finish(sequence);
    void again.flushed.then(() => {
      isFlushed = true;
    });
    await again.committed;
    await new Promise(setImmediate);
    expect(isFlushed).toBe(false);
    store.release();
    await again.flushed;
    await settle();
  });

  test('is committed before it is flushed', async () => {
    const { journal, store, settle } = openOnMemory();
    store.heldFlushes = true;
    const { committed, flushed } = journal.inbox.receive(request());
    let isFlushed = false;
    void flushed.then(() => {
      isFlushed = true;
    });
    await committed;
    // The next transaction does not wait for the flush.
    await journal.inbox.receive(request()).committed;
    expect(isFlushed).toBe(false);
    store.release();
    await flushed;
    await settle();
  });

  test('writes what is changed twice only once', async () => {
    const { journal, store, settle } = openOnMemory();
    const written: string[] = [];
    const write = store.write.bind(store);
    store.write = (writes) => {
      written.push(...writes.map(({ table }) => table));
      return write(writes);
    };
    for (let id = 0; id < 10; id++) {
      journal.inbox.accept(journal.inbox.receive(request(), offered).sequence);
    }
    await settle();
    expect(written.filter((table) => table === 'working')).toHaveLength(10);
    // All, and those of the directive.
    expect(written.filter((table) => table === 'tallies')).toHaveLength(2);
  });
});

describe.each([
  ['full', 'YGG_JOURNAL_FULL'],
  ['failing', 'YGG_JOURNAL_IO'],
] as const)('a disk that is %s', (fault, code) => {
  test('refuses adds, and leaves no trace of them', async () => {
    const { journal, store, settle, clock, restart } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ messageId: 'old' }), offered);
    await settle();
    const before = [journal.inbox.fill(), journal.outbox.fill(), journal.inbox.fill('echo')];
    store.fault = fault;
    const refused = [
      journal.inbox.receive(request({ messageId: 'new' })),
      journal.inbox.refuse(request({ messageId: 'refused' }), 'too-large', ''),
      journal.outbox.respond(response({ responseTo: 'old' }), sequence),
    ];
    for (const { committed, flushed } of refused) {
      await expect(committed).rejects.toMatchObject({ code });
      await expect(flushed).rejects.toMatchObject({ code });
    }
    expect([journal.inbox.fill(), journal.outbox.fill(), journal.inbox.fill('echo')]).toEqual(before);
    expect(journal.inbox.find('new')).toBeUndefined();
    expect(journal.inbox.row(refused[0]?.sequence ?? 0)).toBeUndefined();
    expect(journal.inbox.body(refused[0]?.sequence ?? 0)).toBeUndefined();
    expect(journal.inbox.waiting('echo', 10)).toEqual([]);
    expect(journal.dead.count).toBe(0);
    expect(journal.outbox.responses(0, 10)).toEqual([]);
    expect(journal.outbox.reports(0, 10)).toEqual([]);
    // Its answer was refused, so it is in hand as before.
    expect(journal.inbox.find('old')?.state).toBe('offered');
    store.fault = undefined;
    clock.wind(10_000);
    await settle();
    expect(restart().journal.inbox.fill()).toEqual(before[0]);
  });

  test('is said, adds are refused at once while it lasts, and it goes on by itself within 10 s', async () => {
    const { journal, store, settle, clock, troubles } = openOnMemory();
    const heard: unknown[] = [];
    const stop = journal.onTrouble((trouble) => heard.push(trouble));
    store.fault = fault;
    await expect(journal.inbox.receive(request()).committed).rejects.toMatchObject({ code });
    expect(journal.trouble).toBe(fault);
    const { tried } = store;
    await expect(journal.inbox.receive(request()).committed).rejects.toMatchObject({ code });
    expect(store.tried).toBe(tried);
    for (let second = 0; second < 60; second++) {
      clock.wind(1_000);
      await new Promise(setImmediate);
    }
    // It tries all the time, but not too often.
    expect(store.tried - tried).toBeGreaterThan(6);
    expect(store.tried - tried).toBeLessThan(30);
    store.fault = undefined;
    clock.wind(9_000);
    await settle();
    expect(journal.trouble).toBeUndefined();
    await journal.inbox.receive(request()).flushed;
    expect(troubles).toEqual([fault, undefined]);
    expect(heard).toEqual([fault, undefined]);
    stop();
  });

  test('takes changes as soon as it can, in order, with their receipts waiting', async () => {
    const { journal, store, settle, clock, restart } = openOnMemory();
    const { inbox, outbox } = journal;
    const one = inbox.receive(request({ messageId: 'one' }), offered).sequence;
    const two = inbox.receive(request({ messageId: 'two' }), offered).sequence;
    const three = inbox.receive(request({ messageId: 'three' }), offered).sequence;
    const delivered = outbox.respond(response()).sequence;
    await settle();
    store.fault = fault;
    const receipts = [inbox.accept(one), inbox.back(two, { workerDeaths: 1 })];
    let kept = 0;
    const onKept = (): void => {
      kept += 1;
    };
    await new Promise(setImmediate);
    receipts.push(inbox.finish(one), inbox.bury(three, 'failed', 'It failed.'), outbox.remove(delivered));
    for (const { flushed } of receipts) void flushed.then(onKept);
    clock.wind(5_000);
    await new Promise(setImmediate);
    receipts.push(inbox.offer(two, 'until-done'));
    // All of it can be seen already.
    expect(inbox.find('one')?.state).toBe('done');
    expect(inbox.row(two)).toMatchObject({ state: 'offered', workerDeaths: 1, attempt: 2 });
    expect(journal.dead.get(three)).toMatchObject({ report: 'reported' });
    expect(outbox.fill()).toMatchObject({ messages: 0 });
    expect(kept).toBe(0);
    store.fault = undefined;
    clock.wind(5_000);
    await Promise.all(receipts.map(({ flushed }) => flushed));
    expect(kept).toBe(5);
    await settle();
    const after = restart().journal;
    expect(after.inbox.find('one')?.state).toBe('done');
    expect(after.inbox.row(two)).toMatchObject({ state: 'offered', workerDeaths: 1, attempt: 2 });
    expect(after.dead.get(three)).toMatchObject({ report: 'reported', message: 'It failed.' });
    expect(after.outbox.reports(0, 10)).toHaveLength(1);
    expect(after.inbox.fill()).toMatchObject({ messages: 1 });
    expect(after.outbox.fill()).toMatchObject({ messages: 0 });
  });

  test('drops the changes of a request that it refused', async () => {
    const { journal, store, settle, clock, restart } = openOnMemory();
    store.fault = fault;
    const { sequence, committed } = journal.inbox.receive(request({ messageId: 'm' }), offered);
    journal.inbox.accept(sequence);
    const finished = journal.inbox.finish(sequence);
    await expect(committed).rejects.toMatchObject({ code });
    store.fault = undefined;
    clock.wind(5_000);
    await finished.flushed;
    await settle();
    expect(restart().journal.inbox.find('m')).toBeUndefined();
  });
});

describe('a slow disk', () => {
  test('is said after two seconds, refuses adds meanwhile, and keeps those under way', async () => {
    const { journal, store, settle, clock, troubles } = openOnMemory();
    store.held = true;
    const underWay = journal.inbox.receive(request());
    await waitFor(() => store.tried === 1, { what: 'transaction' });
    const behind = journal.inbox.receive(request());
    clock.wind(4_000);
    expect(journal.trouble).toBe('slow');
    await expect(journal.inbox.receive(request()).flushed).rejects.toMatchObject({ code: 'YGG_JOURNAL_IO' });
    store.release();
    await underWay.flushed;
    await behind.flushed;
    await settle();
    expect(troubles).toEqual(['slow', undefined]);
    expect(journal.inbox.waiting('echo', 10)).toHaveLength(2);
  });

  test('is also one that commits and does not flush, until it does', async () => {
    const { journal, store, settle, clock, troubles } = openOnMemory();
    store.heldFlushes = true;
    await journal.inbox.receive(request()).committed;
    clock.wind(1_000);
    await journal.inbox.receive(request()).committed;
    clock.wind(3_000);
    expect(journal.trouble).toBe('slow');
    store.release();
    await settle();
    expect(troubles).toEqual(['slow', undefined]);
  });

  test('is not one that flushes each write while the next is committed, however long that goes on', async () => {
    const { journal, store, clock, troubles } = openOnMemory();
    const flushes: Array<() => void> = [];
    const write = store.write.bind(store);
    store.write = (writes) => {
      const { committed } = write(writes);
      return { committed, flushed: committed.then(() => new Promise((resolve) => flushes.push(resolve))) };
    };
    for (let index = 0; index < 10; index += 1) {
      await journal.inbox.receive(request()).committed;
      await waitFor(() => flushes.length > 0, { what: 'flush' });
      if (flushes.length > 1) flushes.shift()?.();
      await new Promise(setImmediate);
      clock.wind(700);
    }
    expect(troubles).toEqual([]);
  });

  test('is not one that takes a second each time', async () => {
    const { journal, store, clock, troubles } = openOnMemory();
    for (let write = 0; write < 5; write++) {
      store.held = true;
      const { flushed } = journal.inbox.receive(request());
      await waitFor(() => store.tried === write + 1, { what: 'transaction' });
      clock.wind(1_000);
      store.release();
      await flushed;
    }
    expect(troubles).toEqual([]);
  });
});

describe('flush', () => {
  test('waits for everything, and not longer than its caller wants', async () => {
    const { journal, store } = openOnMemory();
    await journal.flush();
    store.held = true;
    const { flushed } = journal.inbox.receive(request());
    await expect(journal.flush(AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' });
    const all = journal.flush();
    await waitFor(() => store.tried === 1, { what: 'transaction' });
    store.release();
    await all;
    await flushed;
  });
});

describe('close', () => {
  test('flushes first and says that the end was clean', async () => {
    const { journal, closings, restart } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    await journal.close();
    await journal.close();
    expect(closings).toEqual([true]);
    expect(restart().journal.inbox.row(sequence)).toBeDefined();
    await expect(journal.inbox.receive(request()).flushed).rejects.toMatchObject({ code: 'YGG_CLOSED' });
  });

  test('does not wait for ever for a disk in trouble, and does not call that clean', async () => {
    const { journal, store, clock, closings } = openOnMemory();
    store.fault = 'failing';
    journal.done.add('m');
    const closed = journal.close();
    await waitFor(() => store.tried > 0, { what: 'transaction' });
    clock.wind(3_000);
    await closed;
    expect(closings).toEqual([false]);
  });

  test.each([undefined, 'failing'] as const)('leaves no timer behind (the disk: %s)', async (fault) => {
    const { journal, store, clock } = openOnMemory();
    await journal.inbox.receive(request()).flushed;
    store.fault = fault;
    journal.done.add('before');
    await new Promise(setImmediate);
    const closed = journal.close();
    if (fault) clock.wind(3_000);
    await closed;
    journal.done.add('after');
    await new Promise(setImmediate);
    expect(clock.waits).toEqual([]);
  });
});

describe('a damaged record', () => {
  test.each(['working', 'requests', 'bodies', 'ids', 'dead', 'responses'])(
    'of %s is set aside, once',
    async (table) => {
      const opened = openOnMemory();
      const working = opened.journal.inbox.receive(request({ messageId: 'working' }), offered).sequence;
      opened.journal.inbox.receive(request({ messageId: 'waiting' }));
      const buried = opened.journal.inbox.receive(request({ messageId: 'dead' }), offered).sequence;
      opened.journal.inbox.bury(buried, 'failed', '');
      opened.journal.outbox.respond(response());
      await opened.settle();
      const entries = opened.store.disk.get(table);
      for (const [key, entry] of entries ?? []) {
        const value = Uint8Array.from(entry.value);
        value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
        entries?.set(key, { ...entry, value });
      }
      const count = entries?.size ?? 0;
      const { journal, damaged, settle, store } = opened.restart();
      const look = (): void => {
        journal.inbox.body(working);
        journal.inbox.unsettled(0, 10);
        journal.inbox.waiting('echo', 10);
        for (const id of ['working', 'waiting', 'dead']) journal.inbox.find(id);
        journal.dead.list(Number.MAX_SAFE_INTEGER, 10);
        for (const { sequence } of journal.outbox.responses(0, 10)) journal.outbox.body(sequence);
        for (const { sequence } of journal.inbox.waiting('echo', 10)) journal.inbox.body(sequence);
        journal.dead.body(buried);
      };
      look();
      await settle();
      look();
      await settle();
      expect(new Set(damaged)).toEqual(new Set([table]));
      expect(damaged.length).toBeLessThanOrEqual(count);
      expect(store.disk.get('damaged')?.size).toBe(damaged.length);
      // Everything else goes on.
      await journal.inbox.receive(request({ messageId: 'new' })).flushed;
      expect(journal.inbox.find('new')?.state).toBe('waiting');
    },
  );

  test('of a waiting request takes it out of the line', async () => {
    const opened = openOnMemory();
    opened.journal.inbox.receive(request({ messageId: 'a' }));
    opened.journal.inbox.receive(request({ messageId: 'b' }));
    await opened.settle();
    const [first] = opened.store.disk.get('requests')?.values() ?? [];
    first?.value.fill(0, 5, 9);
    const { journal, settle, restart } = opened.restart();
    expect(journal.inbox.waiting('echo', 10).map((row) => row.messageId)).toEqual(['b']);
    await settle();
    expect(journal.inbox.waitingCount('echo')).toBe(1);
    expect(restart().damaged).toEqual([]);
    expect(restart().journal.inbox.waiting('echo', 10)).toHaveLength(1);
  });

  test('does not end the page that it would have been on', async () => {
    const opened = openOnMemory();
    const { inbox } = opened.journal;
    const sequences = Array.from({ length: 6 }, () => inbox.refuse(request(), 'no-worker', '').sequence);
    await opened.settle();
    for (const sequence of sequences.slice(-2))
      opened.store.disk.get('dead')?.get(`${sequence}`)?.value.fill(0);
    const { journal, damaged } = opened.restart();
    const page = journal.dead.list(Number.MAX_SAFE_INTEGER, 2).map(({ sequence }) => sequence);
    expect(page).toEqual(sequences.slice(2, 4).toReversed());
    expect(damaged).toEqual(['dead', 'dead']);
  });
});
