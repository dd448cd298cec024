import { describe, expect, test } from 'vitest';
import { watch } from '../../../src/control/events.ts';
import type { DaemonEvent } from '../../../src/control-api.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { request, response } from '../journal/journal-on-memory.ts';
import { createRig, type Rig } from './rig.ts';

interface Watching {
  readonly seen: DaemonEvent[];
  /** Ends it. */
  end(): Promise<void>;
}

async function watching(rig: Rig): Promise<Watching> {
  const abort = new AbortController();
  const seen: DaemonEvent[] = [];
  const over = (async () => {
    for await (const event of watch(rig, abort.signal)) seen.push(event);
  })();
  await waitFor(() => seen.length === 1, { what: 'listening' });
  return {
    seen,
    async end() {
      abort.abort();
      await over;
    },
  };
}

test('the first event says that nothing is missed from now on', async () => {
  const { seen, end } = await watching(createRig());
  expect(seen.map(({ name }) => name)).toEqual(['listening']);
  await end();
});

describe('of messages', () => {
  test('each step is told with the id of its message', async () => {
    const rig = createRig();
    const { journal, signals } = rig;
    const { seen, end } = await watching(rig);
    const { sequence } = journal.inbox.receive(request({ messageId: 'm' }));
    const about = { sequence, directive: 'echo' };
    void signals.emit('inbox-add', about);
    void signals.emit('data-recv', { ...about, cancel: false });
    rig.offer(sequence);
    void signals.emit('data-dispatch', { ...about, messageId: 'm', pid: 71, attempt: 1 });
    signals.nudge('message-progress', { ...about, messageId: 'm', data: Buffer.from('x'.repeat(4_096)) });
    const answer = response({ messageId: 'answer', responseTo: 'm' });
    const returned = journal.outbox.respond(answer, sequence).sequence;
    rig.datastore.messages.remove(sequence);
    void signals.emit('message-settle', { ...about, outcome: 'done' });
    signals.nudge('data-return', { sequence: returned });
    signals.nudge('message-send', { sequence: returned, messageId: 'answer' });
    await waitFor(() => seen.length === 8, { what: 'seven events' });
    expect(
      seen.slice(1).map(({ name, messageId, directive, outcome }) => [name, messageId, directive, outcome]),
    ).toEqual([
      ['inbox-add', 'm', 'echo', ''],
      ['data-recv', 'm', 'echo', ''],
      ['data-dispatch', 'm', 'echo', ''],
      ['message-progress', 'm', 'echo', ''],
      ['message-settle', 'm', 'echo', 'done'],
      ['data-return', 'answer', 'echo', ''],
      ['message-send', 'answer', '', ''],
    ]);
    expect(seen[3]).toMatchObject({ pid: 71, attempts: 1 });
    expect(seen[4]?.explanation).toBe(`${'x'.repeat(200)}… (4096 characters)`);
    expect(seen[6]).toMatchObject({ responseTo: 'm' });
    await end();
  });

  test('a death is told with its reason, also of one that never had a worker', async () => {
    const rig = createRig();
    const { seen, end } = await watching(rig);
    rig.journal.inbox.refuse(request({ messageId: 'm' }), 'too-large', 'The packet has 9 bytes.');
    await waitFor(() => seen.length === 2, { what: 'its death' });
    expect(seen[1]).toMatchObject({
      name: 'message-dead',
      messageId: 'm',
      outcome: 'too-large',
      explanation: 'The packet has 9 bytes.',
    });
    await end();
  });
});

test('workers, the broker and the disk are told', async () => {
  const rig = createRig();
  const { signals, store } = rig;
  const { seen, end } = await watching(rig);
  const file = '/workers/echo-worker';
  void signals.emit('process-spawn', { file, pid: 71 });
  void signals.emit('worker-register', { handler: 'echo', pid: 71, features: {}, file });
  void signals.emit('process-die', { file, pid: 71, exitCode: null, signal: 'SIGKILL', asked: false });
  void signals.emit('client-connect', { broker: 'mqtt://broker', restored: true });
  void signals.emit('client-disconnect', { asked: false });
  store.fault = 'full';
  rig.journal.inbox.receive(request());
  await waitFor(() => seen.length === 7, { what: 'six events' });
  expect(seen.slice(1).map(({ name, directive, pid, outcome }) => [name, directive, pid, outcome])).toEqual([
    ['process-spawn', '', 71, ''],
    ['worker-register', 'echo', 71, ''],
    ['process-die', '', 71, 'SIGKILL'],
    ['client-connect', '', 0, 'restored'],
    ['client-disconnect', '', 0, 'lost'],
    ['disk-trouble', '', 0, 'full'],
  ]);
  await end();
});

describe('who watches', () => {
  test('and does not read loses the oldest, is told how many, and they are counted', async () => {
    const rig = createRig();
    const abort = new AbortController();
    const events = watch({ ...rig, capacity: 4 }, abort.signal)[Symbol.asyncIterator]();
    await events.next();
    for (let pid = 1; pid <= 10; pid++) void rig.signals.emit('process-spawn', { file: '', pid });
    await waitFor(() => rig.counters.get('events_dropped') === 6, { what: 'six dropped' });
    const seen: string[] = [];
    for (let count = 0; count < 5; count++) {
      const { value } = await events.next();
      seen.push(`${value?.name} ${value?.pid || value?.dropped}`);
    }
    expect(seen).toEqual([
      'events-dropped 6',
      'process-spawn 7',
      'process-spawn 8',
      'process-spawn 9',
      'process-spawn 10',
    ]);
    abort.abort();
    expect((await events.next()).done).toBe(true);
  });

  test('and goes leaves nothing behind', async () => {
    const rig = createRig();
    let observers = 0;
    const signals: Rig['signals'] = {
      ...rig.signals,
      observe(name, handler) {
        const stop = rig.signals.observe(name, handler);
        observers += 1;
        return () => {
          observers -= 1;
          stop();
        };
      },
    };
    const { end } = await watching({ ...rig, signals });
    expect(observers).toBeGreaterThan(10);
    await end();
    expect(observers).toBe(0);
  });
});
