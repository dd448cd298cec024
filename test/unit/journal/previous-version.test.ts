/**
 * A release reads what the journal version before wrote (docs/versioning.md). The fixture has the tables as they were
 * written by the last release of that version: by table, the keys and the records.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { journalVersion } from '../../../src/journal/journal-directory.ts';
import type { Disk } from '../../../src/journal/memory-store.ts';
import { requestHash } from '../../../src/journal/request-hash.ts';
import type { Key } from '../../../src/journal/store.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { type Opened, openOnMemory, pass } from './journal-on-memory.ts';

const fixture = path.join(
  import.meta.dirname,
  '../../fixtures',
  `journal-version-${journalVersion - 1}.json`,
);
const minute = 60_000;
const long = `long ${'x'.repeat(300)}`;

/** Its id, what its content says if that is something else, and what became of it. */
const requests = [
  ['done', 'done', 'done'],
  ['waiting', 'waiting', 'waiting'],
  ['offered', 'offered', 'offered'],
  ['in hand', 'in hand', 'offered'],
  ['given back', 'given back', 'offered'],
  ['done after it had waited', 'done after it had waited', 'done'],
  ['dead', 'dead', 'dead-offered'],
  ['refused', 'refused', 'dead-unoffered'],
  ['dropped', 'dropped', 'done'],
  ['used twice', 'second', 'offered'],
  [long, long, 'done'],
] as const;

let opened: Opened;

beforeEach(() => {
  const tables: Record<string, Array<[Key, string]>> = JSON.parse(readFileSync(fixture, 'utf8'));
  const disk: Disk = new Map();
  for (const [table, entries] of Object.entries(tables)) {
    const rows = entries.map(([key, record]) => {
      return [JSON.stringify(key), { key, value: Uint8Array.from(Buffer.from(record, 'base64')) }] as const;
    });
    disk.set(table, new Map(rows));
  }
  opened = openOnMemory({ disk, limits: { done: { messages: 10_000, age: 70 * minute } } });
});

function contentOf(text: string): Buffer {
  return Buffer.from(JSON.stringify(text));
}

function hashOf(text: string): string {
  return requestHash('echo', { key: 'value' }, contentOf(text));
}

test('everything is there, and known by its id and its content', () => {
  const { inbox, done, dead, outbox, messages } = opened.journal;
  for (const [messageId, content, state] of requests)
    expect(inbox.find(messageId), messageId).toMatchObject({
      state,
      directive: 'echo',
      hash: hashOf(content),
    });
  expect(done.has('command')).toBe(true);
  expect(inbox.waiting('echo', 10).map(({ messageId }) => messageId)).toEqual(['waiting', 'given back']);
  const working = inbox.unsettled(0, 10);
  expect(working.map(({ messageId }) => messageId)).toEqual(['offered', 'in hand', 'used twice']);
  for (const { sequence } of working.slice(0, 2))
    expect(inbox.body(sequence)?.metadata).toEqual({ key: 'value' });
  expect(inbox.fill().messages).toBe(5);
  expect(dead.list(1_000, 10).map(({ messageId }) => messageId)).toEqual(['refused', 'dead']);
  expect(outbox.responses(0, 10).map(({ messageId }) => messageId)).toHaveLength(1);
  expect(messages.page(100).records.filter(({ state }) => state === 'done')).toHaveLength(4);
  expect(opened.damaged).toEqual([]);
});

test('what it left unfinished is finished, and nothing of it runs again', async () => {
  const { inbox, dead } = opened.journal;
  for (const { sequence } of dead.list(1_000, 10)) dead.retry(sequence);
  for (const { sequence } of inbox.waiting('echo', 10)) {
    inbox.offer(sequence, 'until-done');
    inbox.finish(sequence);
  }
  for (const { sequence } of inbox.unsettled(0, 10)) {
    inbox.back(sequence);
    inbox.offer(sequence, 'until-done');
    inbox.finish(sequence);
  }
  await pass(opened, 1_100);
  expect(opened.store.disk.get('done-blocks')?.size).toBeGreaterThan(1);
  for (const one of [opened, opened.restart()]) {
    expect(one.journal.inbox.fill().messages).toBe(0);
    for (const [messageId, content] of requests) {
      const hash = hashOf(content);
      expect(one.journal.inbox.find(messageId), messageId).toMatchObject({
        state: 'done',
        directive: 'echo',
        hash,
      });
    }
    expect(one.journal.done.has('command')).toBe(true);
  }
});

test.each([
  ['rows', 0],
  ['blocks', 1_000],
])('what it had done is forgotten without a trace, from %s', async (_, others) => {
  const { journal, store, clock, settle } = opened;
  await pass(opened, others);
  clock.wind(72 * minute);
  const tables = ['done', 'done-blocks'];
  const left = () => tables.map((table) => store.disk.get(table)?.size ?? 0);
  await waitFor(() => left().every((size) => size === 0), { what: 'end of forgetting' });
  await settle();
  for (const messageId of ['done', 'done after it had waited', 'dropped', long])
    expect(journal.inbox.find(messageId)).toBeUndefined();
  expect(journal.done.has('command')).toBe(false);
  // What is unfinished or dead.
  expect([...(store.disk.get('ids')?.values() ?? [])].map(({ key }) => key).sort()).toEqual([
    'r/dead',
    'r/given back',
    'r/in hand',
    'r/offered',
    'r/refused',
    'r/used twice',
    'r/waiting',
  ]);
});
