import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createCounters } from '../../../src/counters.ts';
import { Grace } from '../../../src/message-router/grace.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { openOnMemory, request } from '../journal/journal-on-memory.ts';
import { createRig, newId, type Rig } from './rig.ts';

const grace = 60_000;

async function create(): Promise<{
  rig: Rig;
  clock: HandClock;
  receive: (directive?: string) => Promise<string>;
}> {
  const clock = new HandClock();
  const rig = await createRig({ clock, router: { workerGrace: grace }, idle: true });
  return {
    rig,
    clock,
    async receive(directive = 'echo') {
      const messageId = newId();
      const content = Buffer.from('1');
      const { sequence, committed } = rig.journal.inbox.receive({
        ...{ messageId, responseTo: '', directive, metadata: null, content },
        ...{ cancel: false, origin: 'broker' },
      });
      await committed;
      await rig.signals.emit('inbox-add', { sequence, directive });
      await turn();
      return messageId;
    },
  };
}

/** Lets signals be handled and transactions commit. */
async function turn(): Promise<void> {
  for (let index = 0; index < 20; index += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('grace', () => {
  test('another grace holds for what waits already, shorter or longer', async () => {
    const clock = new HandClock();
    const { journal } = openOnMemory({ clock });
    const options = { grace, inbox: journal.inbox, workers: { get: () => undefined } };
    const deps = { ...options, counters: createCounters(), clock, log: silentLogger };
    const watch = new Grace(deps);
    await journal.inbox.receive(request()).committed;
    watch.watch('echo');
    expect(clock.waits).toContain(grace);
    deps.grace = 2 * grace;
    watch.reconsider();
    clock.wind(grace);
    await turn();
    expect(journal.dead.count).toBe(0);
    deps.grace = grace + 1;
    watch.reconsider();
    clock.wind(1);
    await turn();
    expect(journal.dead.count).toBe(1);
    watch.close();
  });

  test('a message waits so long for a worker, and is then given up and reported', async () => {
    const { rig, clock, receive } = await create();
    const first = await receive();
    clock.wind(grace / 2);
    const second = await receive();
    clock.wind(grace / 2 - 1);
    await turn();
    expect(rig.journal.dead.count).toBe(0);
    clock.wind(1);
    await turn();
    expect(rig.journal.inbox.find(first)?.state).toBe('dead-unoffered');
    expect(rig.journal.inbox.find(second)?.state).toBe('waiting');
    expect(rig.journal.outbox.reports(0, 10)).toMatchObject([{ responseTo: first, kind: 'report' }]);
    clock.wind(grace / 2);
    await turn();
    expect(rig.journal.inbox.find(second)?.state).toBe('dead-unoffered');
    expect(rig.counters.get('messages_dead')).toBe(2);
  });

  test('counts from the moment the worker was lost', async () => {
    const { rig, clock, receive } = await create();
    rig.register({ slots: 1 });
    await receive();
    const waiting = await receive();
    clock.wind(10 * grace);
    await turn();
    expect(rig.journal.inbox.find(waiting)?.state).toBe('waiting');
    rig.settle(rig.of('data-recv')[0]?.sequence ?? 0, 'back');
    rig.unregister('echo');
    await turn();
    clock.wind(grace - 1);
    await turn();
    expect(rig.journal.dead.count).toBe(0);
    clock.wind(1);
    await turn();
    expect(rig.journal.inbox.find(waiting)?.state).toBe('dead-unoffered');
  });

  test('ends when a worker comes', async () => {
    const { rig, clock, receive } = await create();
    await receive();
    clock.wind(grace - 1);
    rig.register();
    await turn();
    clock.wind(grace);
    await turn();
    expect(rig.journal.dead.count).toBe(0);
    expect(rig.of('data-recv')).toHaveLength(1);
  });

  test('counts anew from the start of the daemon', async () => {
    const before = await create();
    await before.receive();
    before.clock.wind(grace - 1);
    const clock = new HandClock(before.clock.now() + 10 * grace);
    const rig = await createRig({
      clock,
      router: { workerGrace: grace },
      idle: true,
      disk: before.rig.store.disk,
    });
    clock.wind(grace - 1);
    await turn();
    expect(rig.journal.dead.count).toBe(0);
    clock.wind(1);
    await turn();
    expect(rig.journal.dead.count).toBe(1);
  });

  test('no message is older than the daemon, whatever the wall clock does', async () => {
    const { rig, clock, receive } = await create();
    clock.setWall(0);
    const id = await receive();
    clock.setWall(Date.UTC(2026, 0, 1));
    clock.wind(grace - 1);
    await turn();
    expect(rig.journal.inbox.find(id)?.state).toBe('waiting');
    clock.wind(1);
    await turn();
    expect(rig.journal.inbox.find(id)?.state).toBe('dead-unoffered');
  });

  test('gives up any number, and of each directive only what is due', async () => {
    const { rig, clock, receive } = await create();
    for (let index = 0; index < 150; index += 1) await receive('many');
    clock.wind(1_000);
    await receive('late');
    clock.wind(grace - 1_000);
    await turn();
    await turn();
    expect(rig.journal.dead.count).toBe(150);
    expect(rig.journal.inbox.waitingCount('late')).toBe(1);
  });

  test('a hundred thousand directives nobody handles take no time to speak of', () => {
    const clock = new HandClock();
    const { inbox } = openOnMemory({ clock }).journal;
    const { sequence } = inbox.receive(request());
    const row = inbox.row(sequence);
    const watched = new Grace({
      inbox: {
        waiting: (directive) => (row ? [{ ...row, directive }] : []),
        cancels: () => [],
        bury: () => inbox.bury(sequence, 'no-worker', ''),
      },
      workers: { get: () => undefined },
      counters: createCounters(),
      clock,
      log: silentLogger,
      grace,
    });
    const timers = clock.waits.length;
    const begun = performance.now();
    for (let count = 0; count < 100_000; count += 1) watched.watch(`directive-${count}`);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(clock.waits).toHaveLength(timers + 1);
    watched.close();
  });
});
