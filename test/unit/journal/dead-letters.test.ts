import { describe, expect, test } from 'vitest';
import { waitFor } from '../../helpers/wait-for.ts';
import { day, openOnMemory, request, response, roomyLimits } from './journal-on-memory.ts';

describe('the report of a dead request', () => {
  test('is in the outbox with the same transaction, in the form the server expects', async () => {
    const { journal, store, clock, settle, restart } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ messageId: 'm' }));
    await settle();
    const before = store.committed;
    journal.inbox.bury(sequence, 'worker-died', 'The worker died three times.');
    await settle();
    expect(store.committed).toBe(before + 1);
    const { outbox, dead } = restart().journal;
    const [report, ...others] = outbox.reports(0, 10);
    expect(others).toEqual([]);
    expect(report).toMatchObject({
      kind: 'report',
      messageId: 'report-1',
      responseTo: 'm',
      directive: 'echo',
      handler: '',
      returnedAt: clock.now(),
    });
    const body = outbox.body(report?.sequence ?? 0);
    expect(body?.metadata).toEqual({ status: 'failed', reason: 'worker-died' });
    expect(Buffer.from(body?.content ?? []).toString()).toBe(
      '{"error":{"code":"worker-died","message":"The worker died three times."}}',
    );
    expect(outbox.responses(0, 10)).toEqual([]);
    expect(outbox.fill()).toMatchObject({ messages: 0 });
    expect(dead.get(sequence)?.report).toBe('reported');
  });

  test('is written for a request that was given up on arrival', async () => {
    const { journal, settle } = openOnMemory();
    const { sequence } = journal.inbox.refuse(
      request({ messageId: 'm' }),
      'inbox-full',
      'The share is full.',
    );
    await settle();
    expect(journal.dead.get(sequence)).toMatchObject({
      reason: 'inbox-full',
      report: 'reported',
      attempt: 0,
    });
    expect(journal.outbox.reports(0, 10)).toMatchObject([{ responseTo: 'm' }]);
    expect(journal.inbox.find('m')?.state).toBe('dead-unoffered');
    expect(journal.inbox.fill()).toMatchObject({ messages: 0 });
  });

  test.each([
    ['reports are off', { reportFailures: false }, {}],
    ['it came from this host', {}, { origin: 'local' }],
  ] as const)('is not written when %s', async (_, setting, sent) => {
    const { journal, settle } = openOnMemory(setting);
    const { sequence } = journal.inbox.receive(request(sent));
    journal.inbox.bury(sequence, 'failed', '');
    await settle();
    expect(journal.dead.get(sequence)?.report).toBe('none');
    expect(journal.outbox.reports(0, 10)).toEqual([]);
  });
});

describe('the report of a dead response', () => {
  test('answers the request that the server waits for', async () => {
    const { journal, settle } = openOnMemory();
    const { sequence } = journal.outbox.respond(response({ responseTo: 'm', directive: 'name' }));
    journal.outbox.bury(sequence, 'publish-refused', 'Not authorised.');
    await settle();
    expect(journal.outbox.reports(0, 10)).toMatchObject([
      { responseTo: 'm', directive: 'name', kind: 'report' },
    ]);
    expect(journal.dead.get(sequence)).toMatchObject({ kind: 'response', reason: 'publish-refused' });
    expect(journal.outbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
  });

  test('names the handler where the response had a URL', async () => {
    const { journal, settle } = openOnMemory();
    const url = 'https://example.com/api';
    const { sequence } = journal.outbox.respond(
      response({ messageId: 'own', responseTo: '', directive: url }),
    );
    journal.outbox.bury(sequence, 'delivery-failed', '');
    await settle();
    expect(journal.outbox.reports(0, 10)).toMatchObject([{ responseTo: 'own', directive: 'echo' }]);
    expect(journal.dead.get(sequence)).toMatchObject({ directive: url });
  });

  test('is never itself reported', async () => {
    const { journal, settle } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.bury(sequence, 'failed', '');
    await settle();
    const [report] = journal.outbox.reports(0, 10);
    journal.outbox.bury(report?.sequence ?? 0, 'publish-refused', '');
    await settle();
    expect(journal.outbox.reports(0, 10)).toEqual([]);
    expect(journal.dead.get(report?.sequence ?? 0)?.report).toBe('none');
    expect(journal.dead.count).toBe(2);
  });
});

test('reports have places of their own; what found none is reported when there is room, also after a restart', async () => {
  const { journal, settle, restart } = openOnMemory({ limits: { reports: 2 } });
  const letters = ['a', 'b', 'c', 'd'].map((messageId) => {
    const { sequence } = journal.inbox.receive(request({ messageId }));
    journal.inbox.bury(sequence, 'failed', '');
    return sequence;
  });
  await settle();
  const states = (from: typeof journal): unknown[] =>
    letters.map((sequence) => from.dead.get(sequence)?.report);
  expect(states(journal)).toEqual(['reported', 'reported', 'unreported', 'unreported']);
  const [first] = journal.outbox.reports(0, 10);
  journal.outbox.remove(first?.sequence ?? 0);
  await settle();
  expect(states(journal)).toEqual(['reported', 'reported', 'reported', 'unreported']);
  expect(journal.outbox.reports(0, 10).map((row) => row.responseTo)).toEqual(['b', 'c']);
  const after = restart({ reports: 5 });
  after.journal.inbox.receive(request());
  await after.settle();
  expect(states(after.journal)).toEqual(['reported', 'reported', 'reported', 'reported']);
  expect(after.journal.outbox.reports(0, 10).map((row) => row.responseTo)).toEqual(['b', 'c', 'd']);
});

describe('dead letters', () => {
  test('are listed newest first, in pages, with their bodies', async () => {
    const { journal, settle, restart, clock } = openOnMemory();
    const receivedAt = clock.now();
    const sequences = ['a', 'b', 'c'].map(
      (messageId) => journal.inbox.receive(request({ messageId, responseTo: 'r' })).sequence,
    );
    clock.wind(1_000);
    for (const sequence of sequences) journal.inbox.bury(sequence, 'timed-out', 'Too late.');
    await settle();
    const { dead } = restart().journal;
    const page = dead.list(Number.MAX_SAFE_INTEGER, 2);
    expect(page.map((letter) => letter.messageId)).toEqual(['c', 'b']);
    expect(dead.list(page.at(-1)?.sequence ?? 0, 2).map((letter) => letter.messageId)).toEqual(['a']);
    expect(page[0]).toEqual({
      sequence: sequences[2],
      kind: 'request',
      messageId: 'c',
      directive: 'echo',
      responseTo: 'r',
      reason: 'timed-out',
      message: 'Too late.',
      size: 7,
      receivedAt,
      diedAt: receivedAt + 1_000,
      attempt: 0,
      report: 'reported',
    });
    expect(dead.body(sequences[2] ?? 0)).toEqual({
      responseTo: 'r',
      metadata: { key: 'value' },
      content: Buffer.from('"hello"'),
    });
    expect(dead.count).toBe(3);
  });

  test('keep their body where it is: burying writes only small things', async () => {
    const { journal, store, settle } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ content: Buffer.alloc(100_000) }));
    await settle();
    const write = store.write.bind(store);
    const sizes: number[] = [];
    store.write = (writes) => {
      for (const { value } of writes) sizes.push(value?.length ?? 0);
      return write(writes);
    };
    journal.inbox.bury(sequence, 'failed', '');
    await settle();
    expect(Math.max(...sizes)).toBeLessThan(1_000);
    expect(journal.dead.body(sequence)?.content).toHaveLength(100_000);
  });

  test('beyond the limit drop the oldest, and say so', async () => {
    const limits = { dead: { messages: 3, age: day } };
    const { journal, settle, overflowed, isReferred, removedFiles } = openOnMemory({ limits });
    for (const messageId of ['a', 'b', 'c', 'd', 'e']) {
      const { sequence } = journal.inbox.receive(request({ messageId }));
      if (messageId === 'a') journal.inbox.fetched(sequence, 'file-a', 5);
      journal.inbox.bury(sequence, 'failed', '');
    }
    await settle();
    expect(journal.dead.list(Number.MAX_SAFE_INTEGER, 10).map((letter) => letter.messageId)).toEqual([
      'e',
      'd',
      'c',
    ]);
    expect(journal.dead.count).toBe(3);
    expect(overflowed.map((letter) => letter.messageId)).toEqual(['a', 'b']);
    expect(removedFiles).toEqual(['file-a']);
    expect(isReferred('file-a')).toBe(false);
    expect(journal.inbox.find('a')).toBeUndefined();
  });

  test('are said to be dropped once, however often the disk refuses it', async () => {
    const { journal, store, clock, settle, overflowed } = openOnMemory({
      limits: { dead: { messages: 1, age: day } },
    });
    for (const messageId of ['a', 'b']) journal.inbox.receive(request({ messageId }));
    await settle();
    for (const { sequence } of journal.inbox.waiting('echo', 10)) journal.inbox.bury(sequence, 'failed', '');
    store.fault = 'full';
    for (const tries of [2, 3]) {
      await waitFor(() => store.tried === tries, { what: 'try' });
      await new Promise(setImmediate);
      expect(overflowed).toEqual([]);
      if (tries === 3) store.fault = undefined;
      clock.wind(10_000);
    }
    await settle();
    expect(overflowed.map((letter) => letter.messageId)).toEqual(['a']);
  });

  test('have no more room together than the inbox', async () => {
    const limits = { inbox: { messages: 100, bytes: 10_000 } };
    const { journal, settle } = openOnMemory({ limits });
    for (let letter = 0; letter < 20; letter++) {
      journal.inbox.refuse(request({ content: Buffer.alloc(1_000) }), 'inbox-full', '');
      await settle();
    }
    expect(journal.dead.count).toBeLessThan(11);
    expect(journal.dead.count).toBeGreaterThan(8);
  });

  test('that are too old go in steps, also those of a long time off', async () => {
    const opened = openOnMemory({ limits: { dead: { messages: 1_000, age: 30 * day } } });
    for (let letter = 0; letter < 200; letter++) opened.journal.inbox.refuse(request(), 'no-worker', '');
    await opened.journal.close();
    opened.clock.wind(15 * day);
    const between = opened.restart();
    const { sequence } = between.journal.inbox.refuse(request(), 'no-worker', '');
    await between.journal.close();
    opened.clock.wind(16 * day);
    const { journal, store, overflowed } = opened.restart();
    await waitFor(() => overflowed.length >= 200, { what: 'end of dropping' });
    expect(journal.dead.count).toBe(1);
    expect(store.committed).toBeGreaterThan(2);
    expect(overflowed).toHaveLength(200);
    expect(journal.dead.get(sequence)).toBeDefined();
  });

  test('that were dropped are run again only if they had never been offered', async () => {
    const { journal, settle } = openOnMemory();
    const offered = journal.inbox.receive(request({ messageId: 'a' }), {
      redelivery: 'until-accepted',
    }).sequence;
    const waiting = journal.inbox.receive(request({ messageId: 'b' })).sequence;
    for (const sequence of [offered, waiting]) {
      journal.inbox.bury(sequence, 'failed', '');
      expect(journal.dead.drop(sequence)).toBeDefined();
    }
    await settle();
    expect(journal.inbox.find('a')?.state).toBe('done');
    expect(journal.inbox.find('b')).toBeUndefined();
    expect(journal.dead.drop(offered)).toBeUndefined();
  });
});

describe('a retry', () => {
  test('brings a request back as if it were new, with what was fetched for it', async () => {
    const { journal, settle, restart, clock, removedFiles } = openOnMemory();
    const sent = request({ messageId: 'm', responseTo: 'r' });
    const { sequence } = journal.inbox.receive(sent);
    journal.inbox.fetched(sequence, 'file-1', 9);
    journal.inbox.offer(sequence, 'until-done');
    journal.inbox.back(sequence, { workerDeaths: 3, suspect: true });
    journal.inbox.bury(sequence, 'worker-died', '');
    await settle();
    const hash = journal.inbox.find('m')?.hash;
    clock.wind(1_000);
    const receipt = journal.dead.retry(sequence);
    await receipt?.flushed;
    const { inbox, dead } = restart().journal;
    expect(dead.count).toBe(0);
    const [row] = inbox.waiting('echo', 10);
    expect(row).toMatchObject({
      sequence: receipt?.sequence,
      messageId: 'm',
      state: 'fetched',
      contentFile: 'file-1',
      receivedAt: clock.now(),
      attempt: 0,
      workerDeaths: 0,
      suspect: false,
    });
    expect(inbox.body(row?.sequence ?? 0)).toEqual({
      responseTo: 'r',
      metadata: sent.metadata,
      content: sent.content,
    });
    expect(inbox.find('m')).toEqual({
      state: 'waiting',
      directive: 'echo',
      hash,
      sequence: receipt?.sequence,
    });
    expect(removedFiles).toEqual([]);
    inbox.finish(row?.sequence ?? 0);
    expect(inbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
  });

  test('puts a response behind all that wait', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { sequence } = journal.outbox.respond(response({ messageId: 'a', metadata: { k: 'v' } }));
    journal.outbox.charge(sequence, { failures: 5 });
    journal.outbox.bury(sequence, 'delivery-failed', '');
    journal.outbox.respond(response({ messageId: 'b' }));
    await journal.dead.retry(sequence)?.flushed;
    await settle();
    const { outbox } = restart().journal;
    expect(outbox.responses(0, 10)).toMatchObject([{ messageId: 'b' }, { messageId: 'a', failures: 0 }]);
    expect(outbox.body(outbox.responses(0, 10)[1]?.sequence ?? 0)?.metadata).toEqual({ k: 'v' });
  });

  test('of what is not there is nothing', () => {
    expect(openOnMemory().journal.dead.retry(7)).toBeUndefined();
  });

  test('is refused while there is no room', async () => {
    const { journal } = openOnMemory({ limits: { ...roomyLimits, inbox: { messages: 1, bytes: 10_000 } } });
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.bury(sequence, 'failed', '');
    journal.inbox.receive(request());
    expect(() => journal.dead.retry(sequence)).toThrow(expect.objectContaining({ code: 'YGG_INBOX_FULL' }));
    expect(journal.dead.get(sequence)).toBeDefined();
  });

  test('that the disk refuses leaves the dead letter as it was', async () => {
    const { journal, store, settle, clock } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ messageId: 'm' }));
    journal.inbox.bury(sequence, 'failed', '');
    await settle();
    store.fault = 'full';
    await expect(journal.dead.retry(sequence)?.committed).rejects.toMatchObject({ code: 'YGG_JOURNAL_FULL' });
    expect(journal.dead.get(sequence)).toMatchObject({ messageId: 'm' });
    expect(journal.dead.body(sequence)?.content).toEqual(Buffer.from('"hello"'));
    expect(journal.inbox.waiting('echo', 10)).toEqual([]);
    store.fault = undefined;
    clock.wind(10_000);
    await settle();
  });
});
