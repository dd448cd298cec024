import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDeadLetterDesk } from '../../../src/control/dead-letters.ts';
import { createMessageDesk } from '../../../src/control/messages.ts';
import { request, response } from '../journal/journal-on-memory.ts';
import { byId, byNumber, collect, createRig, everything, never } from './rig.ts';

describe('a list of messages', () => {
  test('has the latest first, and those that were asked for', async () => {
    const { journal, clock } = createRig();
    const desk = createMessageDesk(journal);
    const list = async (query: Partial<typeof everything>) =>
      (await collect(desk.listMessages({ ...everything, ...query }, never))).map(
        ({ messageId }) => messageId,
      );
    const began = clock.now();
    for (const messageId of ['a', 'b', 'c', 'd']) {
      const directive = messageId === 'b' ? 'other' : 'echo';
      const { sequence } = journal.inbox.receive(request({ messageId, directive }));
      if (messageId === 'c') journal.inbox.finish(sequence);
      clock.wind(1_000);
    }
    expect(await list({})).toEqual(['d', 'c', 'b', 'a']);
    expect(await list({ directive: 'echo' })).toEqual(['d', 'c', 'a']);
    expect(await list({ states: ['done', 'dead'] })).toEqual(['c']);
    expect(await list({ since: began + 1_000, until: began + 3_000 })).toEqual(['c', 'b']);
    expect(await list({ limit: 2 })).toEqual(['d', 'c']);
  });

  test('has a thousand at most, and finds the rare one behind many', async () => {
    const { journal } = createRig({ limits: { inbox: { messages: 5_000, bytes: 1e9 } } });
    const desk = createMessageDesk(journal);
    journal.inbox.receive(request({ messageId: 'rare', directive: 'rare' }));
    for (let count = 0; count < 1_500; count++) journal.inbox.receive(request());
    expect(await collect(desk.listMessages({ ...everything, limit: 9_999 }, never))).toHaveLength(1_000);
    const found = await collect(desk.listMessages({ ...everything, directive: 'rare' }, never));
    expect(found.map(({ messageId }) => messageId)).toEqual(['rare']);
  });

  test('ends when nobody wants it any longer', async () => {
    const { journal } = createRig();
    for (let count = 0; count < 600; count++) journal.inbox.receive(request());
    const abort = new AbortController();
    const query = { ...everything, directive: 'nobody' };
    abort.abort();
    expect(await collect(createMessageDesk(journal).listMessages(query, abort.signal))).toEqual([]);
  });
});

describe('one message', () => {
  test('is found by its number and by its id, whatever became of it', async () => {
    const { journal } = createRig();
    const desk = createMessageDesk(journal);
    const done = journal.inbox.receive(request({ messageId: 'done' })).sequence;
    journal.inbox.finish(done);
    const returned = journal.outbox.respond(response({ messageId: 'returned' })).sequence;
    expect(await desk.showMessage(byNumber(done))).toMatchObject({ messageId: 'done', state: 'done' });
    expect(await desk.showMessage(byId('done'))).toMatchObject({ sequence: done });
    expect(await desk.showMessage(byId('returned'))).toMatchObject({ sequence: returned, state: 'returned' });
  });

  test('that is not there is not found', async () => {
    const desk = createMessageDesk(createRig().journal);
    await expect(desk.showMessage(byId('nobody'))).rejects.toMatchObject({ code: 'YGG_NOT_FOUND' });
    await expect(desk.showMessage(byNumber(7))).rejects.toMatchObject({
      code: 'YGG_NOT_FOUND',
      message: 'There is no message number 7, or it was forgotten.',
    });
  });
});

describe('the content of a message', () => {
  const whole = async (parts: ReturnType<ReturnType<typeof createMessageDesk>['content']>) => {
    const all = await collect(parts);
    return {
      metadata: all[0]?.metadata,
      content: Buffer.concat(all.map(({ content }) => content)).toString(),
    };
  };

  test('comes with its metadata, also of a dead letter, in pieces when it is large', async () => {
    const { journal } = createRig();
    const desk = createMessageDesk(journal);
    const large = `"${'x'.repeat(200_000)}"`;
    const { sequence } = journal.inbox.receive(
      request({ metadata: { a: 'b' }, content: Buffer.from(large) }),
    );
    expect(await collect(desk.content(byNumber(sequence), never))).toHaveLength(4);
    expect(await whole(desk.content(byNumber(sequence), never))).toEqual({
      metadata: { a: 'b' },
      content: large,
    });
    journal.inbox.bury(sequence, 'failed', 'It failed.');
    expect((await whole(desk.content(byNumber(sequence), never))).content).toBe(large);
  });

  test('is what was fetched for it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'content-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { journal } = createRig();
    const desk = createMessageDesk({ ...journal, contentDirectory: folder });
    writeFileSync(path.join(folder, 'file-1'), 'fetched');
    const { sequence } = journal.inbox.receive(request({ metadata: { a: 'b' } }));
    journal.inbox.fetched(sequence, 'file-1', 7);
    expect(await whole(desk.content(byNumber(sequence), never))).toEqual({
      metadata: { a: 'b' },
      content: 'fetched',
    });
  });

  test('is gone when it is done', async () => {
    const { journal } = createRig();
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.finish(sequence);
    await expect(
      collect(createMessageDesk(journal).content(byNumber(sequence), never)),
    ).rejects.toMatchObject({
      code: 'YGG_NOT_FOUND',
      message: expect.stringContaining('it is done'),
    });
  });
});

describe('dead letters', () => {
  const deskOf = (journal: ReturnType<typeof createRig>['journal']) => {
    const settled: string[] = [];
    const desk = createDeadLetterDesk({
      journal,
      onRetried: ({ messageId, sequence }) => settled.push(`retried ${messageId} ${sequence}`),
      onDropped: ({ messageId }) => settled.push(`dropped ${messageId}`),
    });
    return { desk, settled };
  };

  test('are listed alone, by directive and time as messages are', async () => {
    const { journal, clock } = createRig();
    const { desk } = deskOf(journal);
    journal.inbox.receive(request());
    for (const messageId of ['a', 'b', 'c']) {
      clock.wind(1_000);
      journal.inbox.refuse(request({ messageId, directive: messageId }), 'too-large', 'Too large.');
    }
    const ids = async (query: Partial<typeof everything>) =>
      (await collect(desk.listDeadLetters({ ...everything, ...query }, never))).map(
        ({ messageId }) => messageId,
      );
    expect(await ids({})).toEqual(['c', 'b', 'a']);
    expect(await ids({ directive: 'b' })).toEqual(['b']);
    expect(await ids({ since: clock.now() })).toEqual(['c']);
  });

  test('are put back as new, and told', async () => {
    const { journal } = createRig();
    const { desk, settled } = deskOf(journal);
    const { sequence } = journal.inbox.refuse(request({ messageId: 'm' }), 'no-worker', 'None came.');
    const retried = await desk.retryDeadLetter(byId('m'));
    expect(retried).toMatchObject({ messageId: 'm', state: 'received', attempts: 0 });
    expect(retried.sequence).toBeGreaterThan(sequence);
    expect(settled).toEqual([`retried m ${retried.sequence}`]);
    await expect(desk.retryDeadLetter(byNumber(sequence))).rejects.toMatchObject({ code: 'YGG_NOT_FOUND' });
  });

  test('stay when there is no room for them', async () => {
    const { journal } = createRig({ limits: { inbox: { messages: 1, bytes: 1e6 } } });
    const { desk, settled } = deskOf(journal);
    const { sequence } = journal.inbox.refuse(request(), 'no-worker', 'None came.');
    journal.inbox.receive(request());
    await expect(desk.retryDeadLetter(byNumber(sequence))).rejects.toMatchObject({ code: 'YGG_INBOX_FULL' });
    expect(journal.dead.count).toBe(1);
    expect(settled).toEqual([]);
  });

  test('are forgotten when they are dropped, and only they', async () => {
    const { journal } = createRig();
    const { desk, settled } = deskOf(journal);
    const waiting = journal.inbox.receive(request({ messageId: 'waiting' }));
    journal.inbox.refuse(request({ messageId: 'm' }), 'no-worker', 'None came.');
    expect(await desk.dropDeadLetter(byId('m'))).toMatchObject({ messageId: 'm', reason: 'no-worker' });
    expect(settled).toEqual(['dropped m']);
    expect(journal.dead.count).toBe(0);
    for (const key of [byId('waiting'), byNumber(waiting.sequence), byId('m')]) {
      await expect(desk.dropDeadLetter(key)).rejects.toMatchObject({ code: 'YGG_NOT_FOUND' });
    }
  });

  test('are found by an id that a later message has', async () => {
    const { journal } = createRig();
    const { desk } = deskOf(journal);
    const { sequence } = journal.inbox.refuse(request({ messageId: 'm' }), 'no-worker', 'None came.');
    journal.inbox.receive(request({ messageId: 'm' }));
    expect(await desk.showDeadLetter(byId('m'))).toMatchObject({ sequence, state: 'dead' });
  });
});
