import { describe, expect, test } from 'vitest';
import { Alarms } from '../../../src/control/alarms.ts';
import { daemonStatus, type StatusDeps } from '../../../src/control/status.ts';
import { workerStatuses } from '../../../src/control/workers.ts';
import type { DaemonStatus } from '../../../src/control-api.ts';
import { request, response } from '../journal/journal-on-memory.ts';
import { createRig, type Rig } from './rig.ts';

function statusOf(rig: Rig, given: Partial<StatusDeps> = {}): DaemonStatus {
  return daemonStatus({
    ...rig,
    identity: { version: '1.2.3', clientId: 'host-1', pid: 17, startedAt: 500 },
    link: () => ({ kind: 'connected', since: 600, broker: 'mqtt://broker', resumed: true }),
    disk: () => ({ trouble: '', since: 0 }),
    alarms: () => [],
    logLevel: () => 'info',
    restartAt: () => 0,
    ...given,
  });
}

describe('status', () => {
  test('counts what waits, what is being handed over, what is in hand, and what is dead', () => {
    const rig = createRig();
    const { journal } = rig;
    rig.worker();
    const sequences = [1, 2, 3, 4, 5, 6].map(() => journal.inbox.receive(request()).sequence);
    rig.offer(sequences[0] ?? 0);
    rig.offer(sequences[1] ?? 0, 'in-hand');
    rig.offer(sequences[2] ?? 0, 'in-hand');
    journal.inbox.bury(sequences[3] ?? 0, 'failed', 'It failed.');
    journal.outbox.respond(response());
    expect(statusOf(rig)).toMatchObject({
      version: '1.2.3',
      clientId: 'host-1',
      waiting: 2,
      offered: 1,
      inHand: 2,
      dead: 1,
      inbox: { messages: 5, messageLimit: 1_000, byteLimit: 1_000_000 },
      outbox: { messages: 1 },
      broker: { state: 'connected', since: 600, url: 'mqtt://broker', reason: '', nextAttempt: 0 },
      logLevel: 'info',
    });
  });

  test('says why there is no connection, and when the next one is tried', () => {
    const link = () => ({ kind: 'waiting', since: 600, until: 900, reason: 'refused' }) as const;
    expect(statusOf(createRig(), { link }).broker).toEqual({
      state: 'waiting',
      since: 600,
      url: '',
      reason: 'refused',
      nextAttempt: 900,
    });
    expect(statusOf(createRig(), { link: () => undefined }).broker.state).toBe('');
  });

  test('names directives that wait for a worker that is not there', () => {
    const rig = createRig();
    rig.worker();
    for (const directive of ['echo', 'lost', 'lost']) rig.journal.inbox.receive(request({ directive }));
    rig.journal.inbox.receive(request({ directive: 'cancelled', cancel: true }));
    expect(statusOf(rig).unattended).toEqual([
      { directive: 'lost', waiting: 2 },
      { directive: 'cancelled', waiting: 1 },
    ]);
  });

  test('names no more directives than fit', () => {
    const rig = createRig();
    for (let count = 0; count < 150; count++) rig.journal.inbox.receive(request({ directive: `d${count}` }));
    expect(statusOf(rig).unattended).toHaveLength(100);
  });

  test('has every counter', () => {
    const rig = createRig();
    rig.counters.count('messages_refused', 3);
    expect(statusOf(rig).counters).toEqual({ ...rig.counters.all(), messages_refused: 3 });
  });
});

test('the latest alarms are kept', () => {
  let now = 0;
  const alarms = new Alarms(() => now);
  for (now = 1; now <= 20; now++) alarms.raise(`alarm ${now}`);
  expect(alarms.all).toHaveLength(16);
  expect(alarms.all.at(-1)).toEqual({ at: 20, sentence: 'alarm 20' });
});

describe('workers', () => {
  test('say what they have to do, and since when', () => {
    const rig = createRig();
    const { journal, clock } = rig;
    rig.process({ restarts: 2 });
    rig.worker();
    const [first = 0, second = 0] = [1, 2, 3].map(() => journal.inbox.receive(request()).sequence);
    rig.offer(first, 'in-hand');
    const oldestAt = clock.now();
    clock.wind(5_000);
    rig.offer(second);
    expect(workerStatuses(rig)).toEqual([
      {
        handler: 'echo',
        file: '/workers/echo-worker',
        pid: 71,
        state: 'registered',
        since: 1_000,
        restarts: 2,
        reason: '',
        health: [],
        features: { version: '1' },
        detached: false,
        redelivery: 'until-accepted',
        slots: 64,
        waiting: 1,
        offered: 1,
        inHand: 1,
        oldestAt,
      },
    ]);
  });

  test('that have not registered are listed with the reason', () => {
    const rig = createRig();
    rig.process({ file: '/workers/broken-worker', pid: 0, state: 'failing', reason: 'exit status 3' });
    rig.process({ state: 'stopping' });
    rig.worker();
    rig.worker({ handler: 'foreign', file: '', pid: 72 });
    expect(
      workerStatuses(rig).map(({ handler, file, state, reason }) => [handler, file, state, reason]),
    ).toEqual([
      ['', '/workers/broken-worker', 'failing', 'exit status 3'],
      ['echo', '/workers/echo-worker', 'stopping', ''],
      ['foreign', '', 'registered', ''],
    ]);
  });
});
