import { describe, expect, test } from 'vitest';
import { requestHash } from '../../../src/journal/request-hash.ts';
import { openOnMemory, request } from './journal-on-memory.ts';

const donePolicy = { redelivery: 'until-done' } as const;

describe('a request', () => {
  test('waits after it was received, oldest first, one directive at a time', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { inbox } = journal;
    const first = inbox.receive(request({ messageId: 'a' })).sequence;
    inbox.receive(request({ messageId: 'b', directive: 'other' }));
    const ids = (): string[] => inbox.waiting('echo', 10).map((row) => row.messageId);
    expect(ids()).toEqual(['a']);
    await settle();
    inbox.receive(request({ messageId: 'c' }));
    expect(ids()).toEqual(['a', 'c']);
    expect(inbox.waiting('echo', 1)).toHaveLength(1);
    expect(inbox.waiting('echo', 10, first).map((row) => row.messageId)).toEqual(['c']);
    expect([...inbox.directives()].sort()).toEqual(['echo', 'other']);
    await settle();
    const again = restart().journal.inbox;
    expect(again.waiting('echo', 10).map((row) => row.messageId)).toEqual(['a', 'c']);
    expect(again.waitingCount('echo')).toBe(2);
  });

  test('goes through its states, each seen at once and kept over a crash', async () => {
    const { journal, settle, restart, clock } = openOnMemory();
    const { inbox } = journal;
    const { sequence } = inbox.receive(request({ messageId: 'm', responseTo: 'r' }));
    expect(inbox.row(sequence)).toMatchObject({
      state: 'received',
      attempt: 0,
      size: 7,
      receivedAt: clock.now(),
    });
    clock.wind(5);
    inbox.fetched(sequence, 'file-1', 1_000);
    expect(inbox.row(sequence)).toMatchObject({ state: 'fetched', size: 1_000, contentFile: 'file-1' });
    await settle();
    clock.wind(5);
    inbox.offer(sequence, 'until-done');
    expect(inbox.row(sequence)).toMatchObject({ state: 'offered', attempt: 1, redelivery: 'until-done' });
    expect(inbox.row(sequence)?.startedAt).toBe(clock.now());
    expect(inbox.waiting('echo', 10)).toEqual([]);
    inbox.accept(sequence);
    await settle();
    const { inbox: after } = restart().journal;
    expect(after.row(sequence)).toEqual(inbox.row(sequence));
    expect(after.row(sequence)).toMatchObject({ state: 'in-hand', attempt: 1 });
    expect(after.body(sequence)).toEqual({
      responseTo: 'r',
      metadata: { key: 'value' },
      content: Buffer.from('"hello"'),
    });
    expect(after.unsettled(0, 10)).toHaveLength(1);
    expect(after.unsettled(sequence, 10)).toEqual([]);
  });

  test('is received and offered in one transaction when there is a free slot', async () => {
    const { journal, store, settle } = openOnMemory();
    const { sequence } = journal.inbox.receive(request(), donePolicy);
    await settle();
    expect(store.committed).toBe(1);
    expect(journal.inbox.row(sequence)).toMatchObject({
      state: 'offered',
      attempt: 1,
      redelivery: 'until-done',
    });
    expect(journal.inbox.waiting('echo', 10)).toEqual([]);
    expect(journal.inbox.waitingCount('echo')).toBe(0);
  });

  test('goes back to its old place, with what is charged and what was fetched', async () => {
    const { journal, settle } = openOnMemory();
    const { inbox } = journal;
    const { sequence } = inbox.receive(request({ messageId: 'first' }));
    inbox.receive(request({ messageId: 'second' }));
    inbox.fetched(sequence, 'file-1', 9);
    inbox.offer(sequence, 'until-done');
    inbox.accept(sequence);
    await settle();
    inbox.back(sequence, { workerDeaths: 1, suspect: true });
    inbox.offer(sequence, 'until-done');
    inbox.back(sequence, { daemonDeaths: 2, workerErrors: 1, internalErrors: 1 });
    expect(inbox.waiting('echo', 10).map((row) => row.messageId)).toEqual(['first', 'second']);
    expect(inbox.row(sequence)).toMatchObject({
      state: 'fetched',
      attempt: 2,
      workerDeaths: 1,
      daemonDeaths: 2,
      workerErrors: 1,
      internalErrors: 1,
      suspect: true,
    });
    expect(inbox.unsettled(0, 10)).toEqual([]);
  });

  test('that was called off is so after a restart too', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { sequence } = journal.inbox.receive(request(), donePolicy);
    expect(journal.inbox.row(sequence)?.calledOff).toBe(false);
    journal.inbox.callOff(sequence);
    await settle();
    expect(restart().journal.inbox.unsettled(0, 10)).toMatchObject([{ sequence, calledOff: true }]);
  });

  test('that waits is not accepted', () => {
    const { inbox } = openOnMemory().journal;
    const { sequence } = inbox.receive(request());
    inbox.accept(sequence);
    expect(inbox.row(sequence)?.state).toBe('received');
  });

  test('that is finished is gone but for its id', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { sequence } = journal.inbox.receive(request({ messageId: 'm' }), donePolicy);
    await journal.inbox.finish(sequence).flushed;
    for (const { inbox } of [journal, restart().journal]) {
      expect(inbox.row(sequence)).toBeUndefined();
      expect(inbox.body(sequence)).toBeUndefined();
      expect(inbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
      expect(inbox.find('m')).toMatchObject({ state: 'done', directive: 'echo', sequence });
    }
    await settle();
  });

  test('that is gone is left alone by what comes late', async () => {
    const { journal, settle } = openOnMemory();
    const { inbox } = journal;
    const { sequence } = inbox.receive(request(), donePolicy);
    inbox.finish(sequence);
    inbox.accept(sequence);
    inbox.back(sequence);
    inbox.finish(sequence);
    inbox.bury(sequence, 'internal', '');
    await settle();
    expect(inbox.row(sequence)).toBeUndefined();
    expect(journal.dead.count).toBe(0);
    expect(inbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
  });
});

describe('cancels', () => {
  test('wait apart, and take no place in the line', () => {
    const { inbox } = openOnMemory().journal;
    const { sequence } = inbox.receive(request({ messageId: 'c', cancel: true }));
    expect(inbox.waiting('echo', 10)).toEqual([]);
    expect(inbox.waitingCount('echo')).toBe(0);
    expect(inbox.cancels('echo', 10).map((row) => row.messageId)).toEqual(['c']);
    expect([...inbox.directives()]).toEqual(['echo']);
    inbox.offer(sequence, 'until-accepted');
    expect(inbox.cancels('echo', 10)).toEqual([]);
    expect([...inbox.directives()]).toEqual([]);
  });
});

describe('fetched content', () => {
  test('stays until its request is gone for a power cut too', async () => {
    const { journal, store, removedFiles, settle } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.fetched(sequence, 'file', 4);
    await settle();
    store.heldFlushes = true;
    await journal.inbox.finish(sequence).committed;
    expect(removedFiles).toEqual([]);
    store.release();
    await settle();
    expect(removedFiles).toEqual(['file']);
  });

  test('is removed with its request, once that is on the disk', async () => {
    const { journal, store, settle, removedFiles, isReferred } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.fetched(sequence, 'file-1', 9);
    await settle();
    expect(isReferred('file-1')).toBe(true);
    store.held = true;
    journal.inbox.finish(sequence);
    await new Promise(setImmediate);
    expect(removedFiles).toEqual([]);
    store.release();
    await settle();
    expect(removedFiles).toEqual(['file-1']);
    expect(isReferred('file-1')).toBe(false);
  });

  test('is kept with a dead letter until that is dropped', async () => {
    const { journal, settle, removedFiles, isReferred } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.fetched(sequence, 'file-1', 9);
    journal.inbox.bury(sequence, 'failed', 'It failed.');
    await settle();
    expect(isReferred('file-1')).toBe(true);
    journal.dead.drop(sequence);
    await settle();
    expect(removedFiles).toEqual(['file-1']);
  });

  test('that is fetched anew replaces the old', async () => {
    const { journal, settle, removedFiles } = openOnMemory();
    const { sequence } = journal.inbox.receive(request());
    const before = journal.inbox.fill().bytes;
    journal.inbox.fetched(sequence, 'file-1', 100);
    journal.inbox.fetched(sequence, 'file-2', 30);
    await settle();
    expect(removedFiles).toEqual(['file-1']);
    expect(journal.inbox.fill().bytes).toBe(before + 30);
  });
});

describe('what is known of an id', () => {
  test.each([
    ['waiting', 'waiting', () => {}],
    ['offered', 'offered', (inbox, sequence) => inbox.offer(sequence, 'until-done')],
    [
      'offered once and waiting again',
      'offered',
      (inbox, sequence) => {
        inbox.offer(sequence, 'until-done');
        inbox.back(sequence);
      },
    ],
    ['finished', 'done', (inbox, sequence) => inbox.finish(sequence)],
    [
      'dead before it was offered',
      'dead-unoffered',
      (inbox, sequence) => inbox.bury(sequence, 'no-worker', ''),
    ],
    [
      'dead after it was offered',
      'dead-offered',
      (inbox, sequence) => {
        inbox.offer(sequence, 'until-done');
        inbox.bury(sequence, 'worker-died', '');
      },
    ],
    ['cancelled', 'cancelled', (inbox, sequence) => inbox.bury(sequence, 'cancelled', '')],
  ] satisfies Array<
    [
      string,
      string,
      (inbox: ReturnType<typeof openOnMemory>['journal']['inbox'], sequence: number) => unknown,
    ]
  >)('%s', async (_, state, act) => {
    const { journal, settle, restart } = openOnMemory();
    const sent = request({ messageId: 'm' });
    const { sequence } = journal.inbox.receive(sent);
    act(journal.inbox, sequence);
    const known = {
      state,
      directive: 'echo',
      sequence,
      hash: requestHash('echo', sent.metadata, sent.content),
    };
    expect(journal.inbox.find('m')).toEqual(known);
    await settle();
    expect(restart().journal.inbox.find('m')).toEqual(known);
  });

  test('nothing, when it never came', () => {
    expect(openOnMemory().journal.inbox.find('m')).toBeUndefined();
  });

  test('is that of the last request with this id', async () => {
    const { journal, settle } = openOnMemory();
    const { inbox } = journal;
    const first = inbox.receive(request({ messageId: 'm' }), donePolicy).sequence;
    const second = inbox.receive(request({ messageId: 'm', content: Buffer.from('2') })).sequence;
    inbox.finish(first);
    await settle();
    expect(inbox.find('m')).toMatchObject({ state: 'waiting', sequence: second });
  });

  test('whatever the length of the id', async () => {
    const { journal, settle, restart } = openOnMemory();
    const [one, two] = ['x'.repeat(5_000), `${'x'.repeat(4_999)}y`];
    const { sequence } = journal.inbox.receive(request({ messageId: one }));
    await settle();
    const { inbox } = restart().journal;
    expect(inbox.find(one)).toMatchObject({ sequence });
    expect(inbox.find(two)).toBeUndefined();
  });
});

describe('how full the inbox is', () => {
  test('is counted by directive and in all, fetched content included', async () => {
    const { journal, settle, restart } = openOnMemory({ limits: { inbox: { messages: 10, bytes: 2_000 } } });
    const { inbox } = journal;
    const a = inbox.receive(request({ content: Buffer.alloc(100) })).sequence;
    const b = inbox.receive(request({ directive: 'other', content: Buffer.alloc(50) })).sequence;
    const { bytes } = inbox.fill('echo');
    expect(bytes).toBeGreaterThan(100);
    expect(inbox.fill()).toEqual({
      messages: 2,
      bytes: bytes + inbox.fill('other').bytes,
      limit: { messages: 10, bytes: 2_000 },
    });
    expect(inbox.fill('echo').limit).toEqual({ messages: 5, bytes: 1_000 });
    inbox.fetched(a, 'file-1', 400);
    expect(inbox.fill('echo')).toMatchObject({ messages: 1, bytes: bytes + 400 });
    inbox.offer(a, 'until-done');
    inbox.accept(a);
    expect(inbox.fill('echo')).toMatchObject({ messages: 1, bytes: bytes + 400 });
    await settle();
    expect(restart().journal.inbox.fill('echo')).toEqual(inbox.fill('echo'));
    inbox.finish(a);
    inbox.bury(b, 'no-worker', '');
    await settle();
    expect(restart().journal.inbox.fill()).toMatchObject({ messages: 0, bytes: 0 });
  });

  test('counts everything right after a thousand random steps and a crash', async () => {
    const { journal, settle, restart } = openOnMemory();
    const { inbox } = journal;
    const alive: number[] = [];
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let step = 0; step < 1_000; step++) {
      const sequence = alive[random(Math.max(1, alive.length))] ?? 0;
      const act = random(7);
      if (act < 2) {
        const offered = random(2) ? donePolicy : undefined;
        const sent = request({
          directive: `d${random(3)}`,
          cancel: random(10) === 0,
          content: Buffer.alloc(random(99)),
        });
        alive.push(inbox.receive(sent, offered).sequence);
      } else if (act === 2) inbox.offer(sequence, 'until-done');
      else if (act === 3) inbox.accept(sequence);
      else if (act === 4) inbox.back(sequence);
      else if (act === 5) inbox.fetched(sequence, `file-${step}`, random(1_000));
      else inbox.finish(sequence);
      if (random(20) === 0) await settle();
    }
    await settle();
    const after = restart().journal.inbox;
    const rows = alive.flatMap((sequence) => after.row(sequence) ?? []);
    expect(rows.length).toBeGreaterThan(50);
    for (const directive of ['d0', 'd1', 'd2']) {
      const own = rows.filter((row) => row.directive === directive);
      const waiting = own.filter((row) => ['received', 'fetched'].includes(row.state));
      expect(after.fill(directive).messages).toBe(own.length);
      expect(after.waitingCount(directive)).toBe(waiting.filter((row) => !row.cancel).length);
      expect(after.waiting(directive, 1_000)).toEqual(waiting.filter((row) => !row.cancel));
      expect(after.cancels(directive, 1_000)).toEqual(waiting.filter((row) => row.cancel));
    }
    expect(after.unsettled(0, 10_000)).toEqual(
      rows.filter((row) => ['offered', 'in-hand'].includes(row.state)),
    );
    for (const { sequence } of rows) after.finish(sequence);
    expect(after.fill()).toMatchObject({ messages: 0, bytes: 0 });
  });
});

test('sequences never come twice, also when what had them is gone', async () => {
  const { journal, settle, restart } = openOnMemory();
  const { sequence } = journal.inbox.receive(request(), donePolicy);
  journal.inbox.finish(sequence);
  await settle();
  expect(restart().journal.inbox.receive(request()).sequence).toBeGreaterThan(sequence);
});
