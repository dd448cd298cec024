import { describe, expect, test } from 'vitest';
import { waitFor } from '../../helpers/wait-for.ts';
import { openOnMemory, request, response } from './journal-on-memory.ts';

describe('a response', () => {
  test('waits in order until it is delivered, also over a crash', async () => {
    const { journal, settle, restart } = openOnMemory();
    const first = journal.outbox.respond(
      response({ messageId: 'a', responseTo: 'm', metadata: { k: 'v' } }),
    ).sequence;
    const second = journal.outbox.respond(response({ messageId: 'b' })).sequence;
    await settle();
    const { outbox } = restart().journal;
    expect(outbox.responses(0, 10).map((row) => row.messageId)).toEqual(['a', 'b']);
    expect(outbox.responses(first, 10).map((row) => row.messageId)).toEqual(['b']);
    expect(outbox.row(first)).toMatchObject({ responseTo: 'm', handler: 'echo', kind: 'response', size: 5 });
    expect(outbox.body(first)).toEqual({ metadata: { k: 'v' }, content: Buffer.from('"bye"') });
    outbox.remove(first);
    expect(outbox.row(first)).toBeUndefined();
    expect(outbox.body(first)).toBeUndefined();
    expect(outbox.responses(0, 10).map((row) => row.sequence)).toEqual([second]);
  });

  test('is listed when it is on the disk and not before, because what is listed goes out', async () => {
    const { journal, store, settle } = openOnMemory();
    const { outbox, inbox } = journal;
    const { sequence } = inbox.receive(request());
    await settle();
    let listed = 0;
    const stop = journal.onReport(() => {
      listed = outbox.reports(0, 10).length;
    });
    store.held = true;
    const answer = outbox.respond(response());
    inbox.bury(sequence, 'failed', '');
    expect(outbox.row(answer.sequence)).toBeDefined();
    expect([outbox.responses(0, 10), outbox.reports(0, 10)]).toEqual([[], []]);
    await waitFor(() => store.tried === 2, { what: 'transaction' });
    expect([outbox.responses(0, 10), outbox.reports(0, 10)]).toEqual([[], []]);
    store.release();
    await answer.flushed;
    expect(listed).toBe(1);
    expect(outbox.responses(0, 10)).toHaveLength(1);
    stop();
    outbox.charge(answer.sequence, { failures: 1 });
    expect(outbox.responses(0, 10)).toMatchObject([{ failures: 1 }]);
    outbox.remove(answer.sequence);
    expect(outbox.responses(0, 10)).toEqual([]);
  });

  test('is listed in full pages, whatever is being removed', async () => {
    const { journal, store, settle } = openOnMemory();
    const { outbox } = journal;
    const sequences = Array.from({ length: 6 }, () => outbox.respond(response()).sequence);
    await settle();
    store.held = true;
    for (const sequence of sequences.slice(0, 3)) outbox.remove(sequence);
    expect(outbox.responses(0, 3).map(({ sequence }) => sequence)).toEqual(sequences.slice(3));
    store.release();
    await settle();
  });

  test('finishes its request in the same transaction', async () => {
    const { journal, store, settle } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ messageId: 'm' }), { redelivery: 'until-done' });
    await settle();
    const before = store.committed;
    await journal.outbox.respond(response({ responseTo: 'm' }), sequence).flushed;
    expect(store.committed).toBe(before + 1);
    expect(journal.inbox.find('m')?.state).toBe('done');
  });

  test('remembers what was charged', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { sequence } = journal.outbox.respond(response());
    journal.outbox.charge(sequence, { failures: 1 });
    journal.outbox.charge(sequence, { failures: 1, closes: 2 });
    await settle();
    expect(restart().journal.outbox.row(sequence)).toMatchObject({ failures: 2, closes: 2 });
  });

  test('that is gone is left alone by what comes late', async () => {
    const { journal, settle } = openOnMemory();
    const { sequence } = journal.outbox.respond(response());
    journal.outbox.remove(sequence);
    journal.outbox.charge(sequence, { failures: 1 });
    journal.outbox.remove(sequence);
    journal.outbox.bury(sequence, 'delivery-failed', '');
    await settle();
    expect(journal.outbox.row(sequence)).toBeUndefined();
    expect(journal.outbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
    expect(journal.dead.count).toBe(0);
  });
});

describe('the limit', () => {
  test('of messages refuses what is over it, at half of it for one handler', async () => {
    const { outbox } = openOnMemory({ limits: { outbox: { messages: 4, bytes: 1_000_000 } } }).journal;
    const full = expect.objectContaining({ code: 'YGG_OUTBOX_FULL' });
    outbox.respond(response());
    const { sequence } = outbox.respond(response());
    expect(() => outbox.respond(response())).toThrow(full);
    outbox.respond(response({ handler: 'other' }));
    outbox.respond(response({ handler: 'third' }));
    expect(() => outbox.respond(response({ handler: 'fourth' }))).toThrow(full);
    outbox.remove(sequence);
    outbox.respond(response({ handler: 'fourth' }));
    expect(outbox.fill()).toMatchObject({ messages: 4, limit: { messages: 4 } });
    expect(outbox.fill('echo')).toMatchObject({ messages: 1, limit: { messages: 2 } });
  });

  test('of bytes refuses what would not fit', () => {
    const { outbox } = openOnMemory({ limits: { outbox: { messages: 100, bytes: 2_000 } } }).journal;
    outbox.respond(response({ content: Buffer.alloc(700) }));
    expect(() => outbox.respond(response({ content: Buffer.alloc(700) }))).toThrow(
      expect.objectContaining({ code: 'YGG_OUTBOX_FULL' }),
    );
    outbox.respond(response({ content: Buffer.alloc(100) }));
    expect(outbox.fill().messages).toBe(2);
  });
});
