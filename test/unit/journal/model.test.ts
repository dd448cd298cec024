/**
 * Random work on a disk that fills up, fails and comes back, with crashes in between, beside a model of what the
 * receipts promised: what resolved is there after any crash, what was refused is not, and the counts are right.
 */
import { expect, test } from 'vitest';
import type { Receipt } from '../../../src/journal/journal.ts';
import { requestHash } from '../../../src/journal/request-hash.ts';
import { type Opened, openOnMemory, request, response } from './journal-on-memory.ts';

type Step = 'receive' | 'offer' | 'accept' | 'back' | 'answer' | 'bury' | 'deliver';

interface Known {
  readonly sequence: number;
  /** Whether each of these was promised, refused, or is still open. */
  readonly received: Promised;
  ended?: { readonly how: 'done' | 'dead'; readonly promised: Promised };
}

interface Promised {
  state: 'open' | 'kept' | 'refused';
}

function watch({ flushed }: Receipt): Promised {
  const promised: Promised = { state: 'open' };
  flushed.then(
    () => {
      promised.state = 'kept';
    },
    () => {
      promised.state = 'refused';
    },
  );
  return promised;
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const steps: readonly Step[] = [
  'receive',
  'receive',
  'receive',
  'offer',
  'accept',
  'back',
  'answer',
  'bury',
  'deliver',
];
const directives = ['echo', 'reboot'];

function work(
  opened: Opened,
  known: Map<string, Known>,
  step: Step,
  random: (below: number) => number,
): void {
  const { inbox, outbox } = opened.journal;
  if (step === 'receive') {
    const sent = request({ directive: directives[random(2)] ?? '' });
    const receipt = inbox.receive(sent, random(2) ? { redelivery: 'until-done' } : undefined);
    known.set(sent.messageId, { sequence: receipt.sequence, received: watch(receipt) });
    return;
  }
  if (step === 'deliver') {
    const [row] = [...outbox.responses(0, 1), ...outbox.reports(0, 1)];
    if (row) outbox.remove(row.sequence);
    return;
  }
  const alive = [...known.values()].filter(({ ended }) => !ended || ended.promised.state === 'refused');
  const one = alive[random(alive.length)];
  if (!one || !inbox.row(one.sequence)) return;
  if (step === 'offer') inbox.offer(one.sequence, 'until-done');
  else if (step === 'accept') inbox.accept(one.sequence);
  else if (step === 'back') inbox.back(one.sequence);
  else if (step === 'bury')
    one.ended = { how: 'dead', promised: watch(inbox.bury(one.sequence, 'failed', '')) };
  else one.ended = { how: 'done', promised: watch(outbox.respond(response(), one.sequence)) };
}

/** What the receipts promised holds. */
function checkPromises({ journal }: Opened, known: Map<string, Known>): void {
  for (const [messageId, { received, ended }] of known) {
    const state = journal.inbox.find(messageId)?.state;
    const kinds = {
      waiting: 'alive',
      offered: 'alive',
      done: 'done',
      'dead-offered': 'dead',
      'dead-unoffered': 'dead',
    };
    const found = state === undefined ? 'nothing' : kinds[state as keyof typeof kinds];
    const possible = new Set<string>();
    if (received.state !== 'kept') possible.add('nothing');
    if (received.state !== 'refused' && ended?.promised.state !== 'kept') possible.add('alive');
    if (received.state !== 'refused' && ended && ended.promised.state !== 'refused') possible.add(ended.how);
    expect([...possible], messageId).toContain(found);
  }
}

/** The counts are those of what is there, and each row is in exactly the list it belongs to. */
function checkCounts({ journal }: Opened): void {
  const { inbox, outbox, dead } = journal;
  const working = inbox.unsettled(0, 1e6);
  let rows = working.length;
  for (const directive of directives) {
    const waiting = inbox.waiting(directive, 1e6);
    expect(waiting.map(({ state }) => state)).toEqual(waiting.map(() => 'received'));
    expect(inbox.waitingCount(directive)).toBe(waiting.length);
    rows += waiting.length;
    const own = waiting.length + working.filter((row) => row.directive === directive).length;
    expect(inbox.fill(directive).messages).toBe(own);
  }
  expect(inbox.fill().messages).toBe(rows);
  expect(outbox.fill().messages).toBe(outbox.responses(0, 1e6).length);
  expect(dead.count).toBe(dead.list(Number.MAX_SAFE_INTEGER, 1e6).length);
  for (const row of working) expect(inbox.body(row.sequence)).toBeDefined();
}

test.each(Array.from({ length: 20 }, (_, index) => index + 1))('seed %i', async (seed) => {
  const random = generator(seed);
  const many = { messages: 1e6, bytes: 1e9 };
  let opened = openOnMemory({ limits: { inbox: many, outbox: many, dead: { messages: 1e6, age: 1e12 } } });
  const known = new Map<string, Known>();
  for (let turn = 0; turn < 300; turn++) {
    for (let count = random(6); count > 0; count--)
      work(opened, known, steps[random(steps.length)] ?? 'offer', random);
    const { store, clock } = opened;
    if (random(15) === 0) store.fault = (['full', 'failing', undefined] as const)[random(3)];
    if (random(10) === 0) store.held = true;
    if (random(4) === 0) store.release();
    if (random(3) === 0) clock.wind(random(3_000));
    await new Promise(setImmediate);
    if (random(40) === 0) {
      // A crash: what is under way never ends, and what the disk has is all there is.
      await store.close();
      opened = opened.restart();
      checkPromises(opened, known);
      checkCounts(opened);
      known.clear();
    }
  }
  opened.store.fault = undefined;
  opened.store.release();
  opened.clock.wind(10_000);
  await opened.settle();
  await new Promise(setImmediate);
  checkPromises(opened, known);
  checkCounts(opened);
  const after = opened.restart();
  checkPromises(after, known);
  checkCounts(after);
});

interface Sent {
  readonly messageId: string;
  readonly content: string;
  readonly sequence: number;
  readonly received: Promised;
  ended?: Promised;
}

/** The last of these that is there, or may be. */
function latestOf(sent: readonly Sent[]): Sent | undefined {
  return sent.findLast(({ received }) => received.state !== 'refused');
}

/** How many are remembered at least. */
const remembered = 900;

/**
 * Each id is known by the latest request that had it, with its content and what became of it; only one that is done, with
 * so many done that came behind it, may be forgotten.
 */
function checkIds({ journal }: Opened, byId: ReadonlyMap<string, readonly Sent[]>, some = () => true): void {
  const done = [...byId.values()]
    .flat()
    .filter(({ ended, received }) => ended && received.state !== 'refused');
  const oldest = done.map(({ sequence }) => sequence).sort((a, b) => b - a)[remembered - 1] ?? 0;
  for (const [messageId, sent] of byId) {
    if (!some()) continue;
    const latest = latestOf(sent);
    const found = journal.inbox.find(messageId);
    if (latest?.ended && latest.sequence < oldest && !found) continue;
    expect(found?.sequence, messageId).toBe(latest?.sequence);
    if (!latest || !found) continue;
    expect(found.hash, messageId).toBe(requestHash('echo', null, Buffer.from(latest.content)));
    expect(found.state === 'done', messageId).toBe(latest.ended !== undefined);
  }
}

/** After a crash: what was promised is there; of the rest, what the disk has is what was. */
function afterCrash({ journal }: Opened, byId: Map<string, Sent[]>): void {
  const { records } = journal.messages.page(1e6);
  const states = new Map(records.map(({ sequence, state }) => [sequence, state]));
  for (const [messageId, sent] of byId) {
    const there = sent.filter((one) => {
      const state = states.get(one.sequence);
      if (one.received.state === 'kept' && !one.ended) expect(state, messageId).toBeDefined();
      if (state === undefined) return one.ended?.state === 'kept' && one.received.state === 'kept';
      if (one.ended?.state === 'kept') expect(state, messageId).toBe('done');
      if (state !== 'done') delete one.ended;
      one.received.state = 'kept';
      return true;
    });
    if (there.length > 0) byId.set(messageId, there);
    else byId.delete(messageId);
  }
}

/** Their ids come again and again, each time with another content, and they end in any order. */
test.each([1, 2])('more are done than a block needs, seed %i', async (seed) => {
  const random = generator(seed);
  const many = { messages: 1e6, bytes: 1e9 };
  let opened = openOnMemory({
    limits: { inbox: many, outbox: many, done: { messages: remembered, age: 1e12 } },
  });
  const byId = new Map<string, Sent[]>();
  for (let turn = 0; turn < 170; turn++) {
    const { inbox } = opened.journal;
    for (let count = random(40); count > 0; count--) {
      const messageId = `id ${random(2_500)}`;
      const content = `${turn}/${count}`;
      const sent = request({ messageId, metadata: null, content: Buffer.from(content) });
      const receipt = inbox.receive(sent, random(5) ? { redelivery: 'until-done' } : undefined);
      const one = { messageId, content, sequence: receipt.sequence, received: watch(receipt) };
      byId.set(messageId, [...(byId.get(messageId) ?? []), one]);
    }
    for (const one of [...byId.values()].flat()) {
      if (one.ended || !inbox.row(one.sequence)) continue;
      const step = random(10);
      if (step < 2) inbox.back(one.sequence);
      if (step < 3) inbox.offer(one.sequence, 'until-done');
      if (step > 6) one.ended = watch(inbox.finish(one.sequence));
    }
    const { store, clock } = opened;
    if (random(12) === 0) store.fault = (['full', 'failing'] as const)[random(2)];
    else if (random(2) === 0) store.fault = undefined;
    if (random(10) === 0) store.held = true;
    if (random(4) === 0) store.release();
    clock.wind(random(5_000));
    await new Promise(setImmediate);
    if (turn % 10 === 0) checkIds(opened, byId, () => random(10) === 0);
    if (random(40) > 0) continue;
    await store.close();
    opened = opened.restart();
    afterCrash(opened, byId);
    checkIds(opened, byId, () => random(5) === 0);
  }
  opened.store.release();
  await new Promise(setImmediate);
  opened.store.fault = undefined;
  opened.clock.wind(10_000);
  await opened.settle();
  await new Promise(setImmediate);
  checkIds(opened, byId, () => random(5) === 0);
  expect(opened.store.disk.get('done-blocks')?.size).toBeGreaterThan(0);
  const after = opened.restart();
  afterCrash(after, byId);
  checkIds(after, byId);
});
