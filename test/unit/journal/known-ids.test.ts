import { describe, expect, test, vi } from 'vitest';
import { IdIndex } from '../../../src/journal/id-index.ts';
import type { Journal, KnownId } from '../../../src/journal/journal.ts';
import { requestHash } from '../../../src/journal/request-hash.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { day, openOnMemory, pass, request } from './journal-on-memory.ts';

const offered = { redelivery: 'until-accepted' } as const;

function receive({ inbox }: Journal, content: string, offer: boolean, messageId = 'm'): number {
  const sent = request({ messageId, content: Buffer.from(content) });
  return inbox.receive(sent, offer ? offered : undefined).sequence;
}

/** What a request of {@link receive} is known by. */
function known(content: string, sequence: number, state: KnownId['state']): KnownId {
  const { directive, metadata } = request();
  return { state, directive, sequence, hash: requestHash(directive, metadata, Buffer.from(content)) };
}

test('carried out commands are remembered, apart from requests', async () => {
  const { journal, restart } = openOnMemory();
  expect(journal.done.has('m')).toBe(false);
  await journal.done.add('m').flushed;
  for (const { done, inbox } of [journal, restart().journal]) {
    expect(done.has('m')).toBe(true);
    expect(inbox.find('m')).toBeUndefined();
  }
});

test('beyond the limit the oldest is forgotten', async () => {
  const { journal, settle } = openOnMemory({ limits: { done: { messages: 3, age: 7 * day } } });
  for (const messageId of ['a', 'b', 'c', 'd', 'e']) {
    journal.inbox.finish(journal.inbox.receive(request({ messageId }), offered).sequence);
  }
  journal.done.add('command');
  await settle();
  // What was written in one turn is trimmed with the next transaction at the latest.
  journal.done.add('another');
  await settle();
  const known = ['a', 'b', 'c', 'd', 'e'].filter((id) => journal.inbox.find(id));
  expect(known).toEqual(['e']);
  expect(journal.done.has('command')).toBe(true);
  expect(journal.done.has('another')).toBe(true);
});

test('what is too old is forgotten, a step at a time, also after a long time off', async () => {
  const opened = openOnMemory({ limits: { done: { messages: 5_000, age: 7 * day } } });
  for (let id = 0; id < 1_000; id++) opened.journal.done.add(`old-${id}`);
  await opened.journal.close();
  opened.clock.wind(6 * day);
  const { journal, clock } = opened.restart();
  journal.done.add('young');
  await journal.close();
  clock.wind(2 * day);
  expect(journal.done.has('old-0')).toBe(true);
  const last = opened.restart();
  await waitFor(() => !last.journal.done.has('old-999'), { what: 'end of forgetting' });
  await last.settle();
  expect(last.store.committed).toBe(4);
  expect(last.journal.done.has('old-0')).toBe(false);
  expect(last.journal.done.has('young')).toBe(true);
});

test('what becomes too old is forgotten within a minute', async () => {
  const { journal, settle, clock } = openOnMemory({ limits: { done: { messages: 10, age: 90_000 } } });
  await journal.done.add('m').flushed;
  clock.wind(60_000);
  await settle();
  expect(journal.done.has('m')).toBe(true);
  clock.wind(60_000);
  await settle();
  expect(journal.done.has('m')).toBe(false);
});

test('an id that came again is not forgotten with its first request', async () => {
  const { journal, settle } = openOnMemory({ limits: { done: { messages: 1, age: 7 * day } } });
  const first = journal.inbox.receive(request({ messageId: 'm' }), offered).sequence;
  journal.inbox.finish(first);
  const second = journal.inbox.receive(
    request({ messageId: 'm', content: Buffer.from('2') }),
    offered,
  ).sequence;
  for (let id = 0; id < 5; id++) {
    journal.done.add(`command-${id}`);
    await settle();
  }
  expect(journal.inbox.find('m')).toMatchObject({ state: 'offered', sequence: second });
});

describe('an id that is used for two messages is known by the later one', () => {
  const fates = ['stays', 'finishes', 'goes back', 'dies', 'goes back and finishes'] as const;
  type Fate = (typeof fates)[number];

  function meet({ inbox }: Journal, sequence: number, fate: Fate): void {
    if (fate === 'stays') return;
    if (fate === 'finishes') inbox.finish(sequence);
    if (fate === 'dies') inbox.bury(sequence, 'failed', '');
    if (fate === 'goes back') inbox.back(sequence);
    if (fate !== 'goes back and finishes') return;
    inbox.offer(sequence, 'until-done');
    inbox.back(sequence);
    inbox.offer(sequence, 'until-done');
    inbox.finish(sequence);
  }

  const combinations = [true, false].flatMap((firstOffered) =>
    [true, false].flatMap((secondOffered) =>
      fates.flatMap((firstFate) =>
        fates.map((secondFate) => [firstOffered, secondOffered, firstFate, secondFate] as const),
      ),
    ),
  );

  test.each(['first', 'second'])('whatever becomes of them, that of the %s at first', async (earlier) => {
    for (const [firstOffered, secondOffered, firstFate, secondFate] of combinations) {
      const { journal, settle, restart } = openOnMemory();
      const first = receive(journal, '1', firstOffered);
      await settle();
      const second = receive(journal, '2', secondOffered);
      const fatesInOrder: Array<[number, Fate]> = [
        [first, firstFate],
        [second, secondFate],
      ];
      if (earlier === 'second') fatesInOrder.reverse();
      for (const [sequence, fate] of fatesInOrder) {
        meet(journal, sequence, fate);
        expect(journal.inbox.find('m')?.sequence).toBe(second);
        await settle();
      }
      const found = journal.inbox.find('m');
      const expected = known('2', second, found?.state ?? 'done');
      expect(found, `${firstFate}, ${secondFate}`).toEqual(expected);
      expect(restart().journal.inbox.find('m'), `${firstFate}, ${secondFate}`).toEqual(expected);
    }
  });

  test('when both are in blocks', async () => {
    const opened = openOnMemory({ limits: { done: { messages: 10_000, age: day } } });
    const first = receive(opened.journal, '1', false);
    const second = receive(opened.journal, '2', true);
    opened.journal.inbox.finish(second);
    opened.journal.inbox.finish(first);
    await pass(opened, 800);
    const restarted = opened.restart();
    for (const { inbox } of [opened.journal, restarted.journal])
      expect(inbox.find('m')).toEqual(known('2', second, 'done'));
  });
});

test('a dead letter that is taken back is no longer looked for under its old number', async () => {
  const remove = vi.spyOn(IdIndex.prototype, 'remove');
  const { journal, settle } = openOnMemory();
  const first = receive(journal, '1', true);
  journal.inbox.bury(first, 'failed', '');
  await settle();
  const second = journal.dead.retry(first)?.sequence ?? 0;
  expect(remove.mock.calls).toEqual([['r/m', first]]);
  journal.inbox.offer(second, 'until-done');
  journal.inbox.finish(second);
  await settle();
  expect(journal.inbox.find('m')).toEqual(known('1', second, 'done'));
});
