/** Every message in one list, the latest first, whatever became of it. */
import { describe, expect, test } from 'vitest';
import type { Journal } from '../../../src/journal/journal.ts';
import type { MessageRecord } from '../../../src/journal/message-record.ts';
import { day, openOnMemory, pass, request, response } from './journal-on-memory.ts';

const offered = { redelivery: 'until-done' } as const;

function all({ messages }: Journal, limit = 1_000): MessageRecord[] {
  const records: MessageRecord[] = [];
  let next: number | undefined;
  do {
    const page = messages.page(limit, next);
    records.push(...page.records);
    next = page.next;
  } while (next !== undefined);
  return records;
}

/** One message of each state, and what is no message. */
function fillWithEach({ inbox, outbox, done, dead }: Journal): void {
  inbox.receive(request({ messageId: 'waiting' }));
  const fetched = inbox.receive(request({ messageId: 'fetched' }));
  inbox.fetched(fetched.sequence, 'file-1', 77);
  inbox.receive(request({ messageId: 'offered' }), offered);
  inbox.accept(inbox.receive(request({ messageId: 'in-hand', origin: 'local' }), offered).sequence);
  inbox.finish(inbox.receive(request({ messageId: 'done', directive: 'other' }), offered).sequence);
  inbox.refuse(request({ messageId: 'dead' }), 'too-large', 'The packet has 9 bytes.');
  outbox.respond(response({ messageId: 'returned', responseTo: 'offered' }));
  const lost = outbox.respond(response({ messageId: 'undeliverable' }));
  outbox.charge(lost.sequence, { failures: 2 });
  outbox.bury(lost.sequence, 'delivery-failed', 'Nobody there.');
  done.add('command');
  dead.drop(inbox.refuse(request({ messageId: 'dropped' }), 'no-worker', 'None came.').sequence);
}

describe('every message is listed', () => {
  const states = [
    ['response', 'undeliverable', 'dead', 'delivery-failed'],
    ['response', 'returned', 'returned', ''],
    ['request', 'dead', 'dead', 'too-large'],
    ['request', 'done', 'done', ''],
    ['request', 'in-hand', 'in-hand', ''],
    ['request', 'offered', 'offered', ''],
    ['request', 'fetched', 'fetched', ''],
    ['request', 'waiting', 'received', ''],
  ];
  const shown = (records: readonly MessageRecord[]) =>
    records
      .filter(({ kind }) => kind !== 'report')
      .map(({ kind, messageId, state, reason }) => [kind, messageId, state, reason]);

  test('before it is on the disk, and after a restart', async () => {
    const opened = openOnMemory();
    fillWithEach(opened.journal);
    expect(shown(all(opened.journal))).toEqual(states);
    await opened.settle();
    expect(shown(all(opened.journal))).toEqual(states);
    expect(shown(all(opened.restart().journal))).toEqual(states);
  });

  test('the same in pages of any length', () => {
    const { journal } = openOnMemory();
    fillWithEach(journal);
    const whole = all(journal);
    for (const limit of [1, 2, 5]) expect(all(journal, limit)).toEqual(whole);
  });

  test('in order also when it is more than is read ahead', async () => {
    const { journal, settle } = openOnMemory();
    for (let number = 0; number < 200; number++) {
      const { sequence } = journal.inbox.receive(request(), offered);
      if (number % 3 === 0) journal.inbox.finish(sequence);
      if (number % 3 === 1) journal.inbox.bury(sequence, 'failed', 'It failed.');
      if (number === 100) await settle();
    }
    const sequences = all(journal, 50)
      .filter(({ kind }) => kind === 'request')
      .map(({ sequence }) => sequence);
    expect(sequences).toHaveLength(200);
    expect(sequences).toEqual([...sequences].sort((a, b) => b - a));
  });
});

describe('what is done is listed wherever it is kept', () => {
  const limits = { done: { messages: 10_000, age: day } };

  test('in pages that begin and end anywhere, between what is not done', async () => {
    const opened = openOnMemory({ limits });
    const { inbox, done } = opened.journal;
    const unfinished: number[] = [];
    for (let round = 0; round < 5; round++) {
      unfinished.push(inbox.receive(request(), offered).sequence);
      done.add(`command-${round}`);
      await pass(opened, 240);
    }
    // Two end so late that they lie within blocks.
    for (const sequence of unfinished.slice(0, 2)) inbox.finish(sequence);
    inbox.bury(unfinished[2] ?? 0, 'failed', '');
    await opened.settle();
    const { journal } = opened.restart();
    const whole = all(journal).filter(({ kind }) => kind === 'request');
    expect(whole).toHaveLength(1_205);
    expect(whole.map(({ sequence }) => sequence)).toEqual(
      whole.map(({ sequence }) => sequence).sort((a, b) => b - a),
    );
    expect(unfinished.map((one) => whole.find(({ sequence }) => sequence === one)?.state)).toEqual([
      'done',
      'done',
      'dead',
      'offered',
      'offered',
    ]);
    expect(all(journal, 97).filter(({ kind }) => kind === 'request')).toEqual(whole);
    for (const at of [0, 1, 500, 700, 701, 960, 1_203]) {
      const record = whole[at];
      expect(journal.messages.get(record?.sequence ?? 0)).toEqual(record);
      const [next] = journal.messages.page(1, record?.sequence).records;
      expect(next?.sequence ?? 0).toBeLessThan(record?.sequence ?? 0);
    }
  });

  test('with everything that is remembered of it', async () => {
    const opened = openOnMemory({ limits });
    const { inbox, messages } = opened.journal;
    const { sequence } = inbox.receive(request({ messageId: 'm', cancel: true, origin: 'local' }), offered);
    opened.clock.wind(1_000);
    inbox.finish(sequence);
    const before = messages.get(sequence);
    expect(before).toMatchObject({ state: 'done', cancel: true, origin: 'local', attempts: 1 });
    await pass(opened, 800);
    expect(opened.store.disk.get('done')?.has(`${sequence}`)).toBe(false);
    expect(messages.get(sequence)).toEqual(before);
    expect(opened.restart().journal.messages.get(sequence)).toEqual(before);
  });
});

describe('a message', () => {
  test('is the same by its number', () => {
    const { journal } = openOnMemory();
    fillWithEach(journal);
    for (const record of all(journal)) expect(journal.messages.get(record.sequence)).toEqual(record);
    expect(journal.messages.get(1_000)).toBeUndefined();
  });

  test('that is done says when it came, was handed over, and ended', async () => {
    const { journal, clock, restart, settle } = openOnMemory();
    const queuedAt = clock.now();
    const { sequence } = journal.inbox.receive(request({ messageId: 'm', content: Buffer.from('"four"') }));
    clock.wind(1_000);
    journal.inbox.offer(sequence, 'until-done');
    journal.inbox.back(sequence);
    clock.wind(1_000);
    journal.inbox.offer(sequence, 'until-done');
    clock.wind(500);
    journal.inbox.finish(sequence);
    await settle();
    expect(restart().journal.messages.get(sequence)).toEqual({
      sequence,
      kind: 'request',
      messageId: 'm',
      responseTo: '',
      directive: 'echo',
      state: 'done',
      reason: '',
      explanation: '',
      report: 'none',
      size: 6,
      queuedAt,
      startedAt: queuedAt + 2_000,
      updatedAt: queuedAt + 2_500,
      attempts: 2,
      cancel: false,
      origin: 'broker',
      redelivery: 'until-done',
      contentFile: '',
    });
  });

  test('that died says why and when', () => {
    const { journal, clock } = openOnMemory();
    const { sequence } = journal.inbox.receive(request(), offered);
    clock.wind(3_000);
    journal.inbox.bury(sequence, 'worker-error', 'It threw.');
    expect(journal.messages.get(sequence)).toMatchObject({
      state: 'dead',
      reason: 'worker-error',
      explanation: 'It threw.',
      report: 'reported',
      updatedAt: clock.now(),
      attempts: 1,
    });
  });
});

test('whoever wants to know hears of each dead letter once it is on the disk', async () => {
  const { journal, settle } = openOnMemory();
  const heard: string[] = [];
  const stop = journal.dead.onDead(({ messageId, reason }) => heard.push(`${messageId} ${reason}`));
  journal.inbox.refuse(request({ messageId: 'a' }), 'too-large', 'Too large.');
  journal.inbox.bury(journal.inbox.receive(request({ messageId: 'b' })).sequence, 'no-worker', 'None.');
  expect(heard).toEqual([]);
  await settle();
  expect(heard).toEqual(['a too-large', 'b no-worker']);
  stop();
  journal.inbox.refuse(request({ messageId: 'c' }), 'too-large', 'Too large.');
  await settle();
  expect(heard).toHaveLength(2);
});
