import { expect, test } from 'vitest';
import { waitFor } from '../../helpers/wait-for.ts';
import { day, openOnMemory, request } from './journal-on-memory.ts';

const offered = { redelivery: 'until-accepted' } as const;

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
