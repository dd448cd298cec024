import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { dispatch } from '../../../src/control/dispatch.ts';
import type { DispatchProgress } from '../../../src/control-api.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { request, response } from '../journal/journal-on-memory.ts';
import { collect, createRig, never, type Rig } from './rig.ts';

const given = { directive: 'echo', metadata: {}, content: Buffer.from('hello') };

function dispatchOn(rig: Rig, what: Partial<typeof given> = {}, abort: AbortSignal = never) {
  const deps = { ...rig, log: silentLogger, newId: () => 'local-1', maxMessageSize: 100 };
  return dispatch(deps, { ...given, ...what }, abort);
}

/** Collects as it goes, and takes care that a failure is not forgotten. */
function follow(progress: AsyncIterable<DispatchProgress>): {
  seen: DispatchProgress[];
  over: Promise<void>;
} {
  const seen: DispatchProgress[] = [];
  const over = (async () => {
    for await (const one of progress) seen.push(one);
  })();
  return { seen, over };
}

async function added(rig: Rig): Promise<number> {
  return await waitFor(() => rig.of('inbox-add')[0]?.sequence, { what: 'inbox-add' });
}

describe('a message that is dispatched here', () => {
  test('is told from the inbox to its answer and its end', async () => {
    const rig = createRig();
    rig.worker();
    const { seen, over } = follow(dispatchOn(rig, { metadata: { a: 'b' } }));
    const sequence = await added(rig);
    expect(rig.journal.inbox.row(sequence)).toMatchObject({ messageId: 'local-1', origin: 'local' });
    expect(rig.journal.inbox.body(sequence)).toMatchObject({ metadata: { a: 'b' } });
    expect(Buffer.from(rig.journal.inbox.body(sequence)?.content ?? '').toString()).toBe('"hello"');
    const accepted = { sequence, directive: 'echo', messageId: 'local-1', pid: 71, attempt: 1 };
    void rig.signals.emit('data-dispatch', accepted);
    const working = { sequence, directive: 'echo', messageId: 'local-1', data: Buffer.from('half') };
    rig.signals.nudge('message-progress', working);
    rig.signals.nudge('message-progress', { ...working, sequence: sequence + 1 });
    // As the dispatcher does: the end of the request and the response in one turn, the end first.
    const answer = response({ messageId: 'answer-1', responseTo: 'local-1', content: Buffer.from('"hi"') });
    const returned = rig.journal.outbox.respond(answer, sequence);
    await returned.flushed;
    void rig.signals.emit('message-settle', { sequence, directive: 'echo', outcome: 'done' });
    rig.signals.nudge('data-return', { sequence: returned.sequence });
    await over;
    expect(seen.map(({ state, messageId }) => [state, messageId])).toEqual([
      ['queued', 'local-1'],
      ['accepted', 'local-1'],
      ['working', 'local-1'],
      ['answered', 'answer-1'],
      ['done', 'local-1'],
    ]);
    expect(seen[0]).toMatchObject({ attended: true, sequence });
    expect(seen[1]).toMatchObject({ pid: 71, attempts: 1 });
    expect(seen.slice(2, 4).map(({ content }) => String(Buffer.from(content)))).toEqual(['half', '"hi"']);
    expect(rig.counters.get('messages_received')).toBe(1);
  });

  test('is told its end however much its worker says', async () => {
    const rig = createRig();
    const progress = dispatchOn(rig)[Symbol.asyncIterator]();
    expect((await progress.next()).value).toMatchObject({ state: 'queued' });
    const sequence = await added(rig);
    for (let n = 0; n < 1_000; n += 1) {
      const said = { sequence, directive: 'echo', messageId: 'local-1', data: Buffer.from(String(n)) };
      rig.signals.nudge('message-progress', said);
    }
    rig.journal.inbox.bury(sequence, 'failed', 'It broke.');
    const states: string[] = [];
    for (let next = await progress.next(); !next.done; next = await progress.next())
      states.push(next.value.state);
    expect(states.at(-1)).toBe('dead');
    expect(states.length).toBeGreaterThan(100);
  });

  test('is told when it waits again, and when it dies', async () => {
    const rig = createRig();
    const { seen, over } = follow(dispatchOn(rig));
    const sequence = await added(rig);
    void rig.signals.emit('message-settle', { sequence, directive: 'echo', outcome: 'back' });
    await waitFor(() => seen.length === 2, { what: 'back' });
    rig.journal.inbox.bury(sequence, 'no-worker', 'None came.');
    await over;
    expect(seen.map(({ state }) => state)).toEqual(['queued', 'back', 'dead']);
    expect(seen[0]).toMatchObject({ attended: false });
    expect(seen[2]).toMatchObject({ reason: 'no-worker', explanation: 'None came.' });
    expect(rig.journal.outbox.reports(0, 10)).toEqual([]);
  });

  test('is not mixed up with others', async () => {
    const rig = createRig();
    const abort = new AbortController();
    const { seen, over } = follow(dispatchOn(rig, {}, abort.signal));
    await added(rig);
    void rig.signals.emit('message-settle', { sequence: 99, directive: 'echo', outcome: 'done' });
    rig.signals.nudge('data-return', rig.journal.outbox.respond(response({ responseTo: 'other' })));
    rig.journal.inbox.refuse(request(), 'too-large', 'Too large.');
    await rig.settle();
    abort.abort();
    await over;
    expect(seen.map(({ state }) => state)).toEqual(['queued']);
  });

  test('goes on when nobody listens any longer', async () => {
    const rig = createRig();
    const abort = new AbortController();
    const { over } = follow(dispatchOn(rig, {}, abort.signal));
    abort.abort();
    await over;
    expect(rig.journal.inbox.row(await added(rig))).toMatchObject({ state: 'received' });
  });

  test.each([
    ['', 'null'],
    ['{"n": 12345678901234567890}', '{"n": 12345678901234567890}'],
    ['two words', '"two words"'],
  ])('with content %j goes to the worker as %s', async (content, expected) => {
    const rig = createRig();
    const abort = new AbortController();
    const { over } = follow(dispatchOn(rig, { content: Buffer.from(content) }, abort.signal));
    const sequence = await added(rig);
    expect(Buffer.from(rig.journal.inbox.body(sequence)?.content ?? '').toString()).toBe(expected);
    abort.abort();
    await over;
  });
});

describe('is refused, and nothing is kept', () => {
  test.each([
    ['a directive that can be none', { directive: '../x' }, 'YGG_MESSAGE_INVALID'],
    ['a content that is too large', { content: Buffer.alloc(101, 0x31) }, 'YGG_MESSAGE_TOO_LARGE'],
  ])('%s', async (_what, what, code) => {
    const rig = createRig();
    await expect(collect(dispatchOn(rig, what))).rejects.toMatchObject({ code });
    expect(rig.journal.inbox.fill().messages).toBe(0);
  });

  test('one beyond the share of its directive', async () => {
    const rig = createRig({ limits: { inbox: { messages: 4, bytes: 1e6 } } });
    for (let count = 0; count < 2; count++) rig.journal.inbox.receive(request());
    await expect(collect(dispatchOn(rig))).rejects.toMatchObject({ code: 'YGG_INBOX_FULL' });
    const abort = new AbortController();
    const { over } = follow(dispatchOn(rig, { directive: 'other' }, abort.signal));
    await added(rig);
    abort.abort();
    await over;
  });

  test('one that the disk does not take', async () => {
    const rig = createRig();
    rig.store.fault = 'full';
    await expect(collect(dispatchOn(rig))).rejects.toMatchObject({ code: 'YGG_JOURNAL_FULL' });
    expect(rig.of('inbox-add')).toEqual([]);
  });
});
