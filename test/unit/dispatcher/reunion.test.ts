/** Streams that break: what the next hello of the same process, or its end, makes of what was in hand. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { execPath } from 'node:process';
import { describe, expect, test } from 'vitest';
import { parseProcessStat } from '../../../src/base/process-stat.ts';
import { outcomeResults, redeliveries } from '../../../src/rpc/attach-frames.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { type Attached, type AttachedOptions, attach } from './attached.ts';
import { MemoryJournal } from './memory-journal.ts';
import { type Rig, rig } from './rig.ts';

const file = '/workers/echo-worker';
const untilDone = { redelivery: redeliveries['until-done'] };

interface Setting {
  readonly bench: Rig;
  readonly socket: string;
  readonly worker: Attached;
}

/** A spawned worker that has attached, with so many deliveries in hand. */
async function inHand(count: number, options: AttachedOptions = {}): Promise<Setting> {
  const bench = await rig();
  bench.process(file);
  const socket = await bench.prepare(file);
  const worker = await attach(socket, options);
  for (let made = 0; made < count; made += 1) bench.hand();
  await worker.hears('deliveries', count);
  return { bench, socket, worker };
}

describe('after a broken stream', () => {
  test('what the worker has stays with it, and is not delivered to it or anybody again', async () => {
    const { bench, socket, worker } = await inHand(2, { offer: untilDone });
    worker.cut();
    await stays(() => bench.heard.some((line) => line.startsWith('settle')), {
      span: 50,
      what: 'a settlement',
    });
    expect(bench.datastore.workers.get('echo')).toBeDefined();
    const again = await attach(socket, { offer: untilDone, hello: { inWork: [1, 2] } });
    again.say({ outcomes: [{ delivery: 1 }, { delivery: 2 }] });
    await again.hears('settled', 2);
    expect(again.heard.deliveries).toEqual([]);
    expect(bench.journal.log).toEqual(['offer 1', 'offer 2', 'finish 1', 'finish 2']);
    // Nothing new was to be said to the server.
    expect(bench.heard.filter((line) => line === 'register echo')).toHaveLength(1);
  });

  test('what never arrived is delivered again', async () => {
    const { bench, socket, worker } = await inHand(2);
    worker.cut();
    const again = await attach(socket, { hello: { inWork: [1] } });
    await waitFor(() => bench.journal.log.includes('back 2 {}'), { what: 'the second to wait again' });
    bench.clock.wind(100);
    expect(await again.hears('deliveries')).toMatchObject([{ number: 2, attempt: 2 }]);
  });

  test('what was accepted and is not known any longer has an unknown outcome', async () => {
    const { bench, socket, worker } = await inHand(1);
    worker.say({ accepted: [1] });
    await worker.hears('recorded');
    worker.cut();
    await attach(socket);
    await bench.hears('settle 1 dead');
    expect(bench.journal.deaths.get(1)?.reason).toBe('outcome-unknown');
  });

  test('messages wait for the next stream', async () => {
    const { bench, socket, worker } = await inHand(0);
    worker.cut();
    await waitFor(() => bench.dispatcher, { what: 'nothing' });
    bench.hand();
    const again = await attach(socket);
    bench.clock.wind(100);
    expect(await again.hears('deliveries')).toMatchObject([{ number: 1 }]);
  });

  test('answers that are on disk get their receipt, the others are asked for, and none is written twice', async () => {
    const { bench, socket, worker } = await inHand(1);
    worker.say({ answers: [{ messageId: 'kept', responseTo: 'id-1', directive: 'echo', delivery: 1 }] });
    await worker.hears('receipts');
    worker.cut();
    const again = await attach(socket, { hello: { inWork: [1], unreceipted: ['kept', 'lost'] } });
    expect(again.welcome?.repeat).toEqual(['lost']);
    expect(again.heard.receipts).toMatchObject([{ messageId: 'kept', code: '' }]);
    const answer = { responseTo: 'id-1', directive: 'echo', delivery: 1 };
    again.say({
      answers: [
        { messageId: 'kept', ...answer },
        { messageId: 'lost', ...answer },
      ],
      outcomes: [{ delivery: 1 }],
    });
    await again.hears('settled');
    expect(bench.journal.responses.map(({ messageId }) => messageId)).toEqual(['kept', 'lost']);
  });

  test('an answer that is on its way to the disk is neither asked for nor written twice', async () => {
    const { bench, socket, worker } = await inHand(1);
    let flush = (): void => {};
    bench.journal.gate = new Promise((resolve) => {
      flush = resolve;
    });
    const [delivery] = worker.heard.deliveries;
    if (delivery) worker.echo(delivery, 'a');
    await waitFor(() => bench.journal.responses.length, { what: 'the answer' });
    worker.cut();
    const again = await attach(socket, { hello: { inWork: [1], unreceipted: ['a'] } });
    expect(again.welcome?.repeat).toEqual([]);
    if (delivery) again.echo(delivery, 'a');
    flush();
    await again.hears('settled');
    expect(bench.journal.responses).toHaveLength(1);
    expect(new Set(again.heard.receipts.map(({ messageId, code }) => messageId + code))).toEqual(
      new Set(['a']),
    );
    await bench.hears('settle 1 done');
  });

  test('an outcome that is told again is settled again', async () => {
    const { socket, worker } = await inHand(1);
    worker.say({ outcomes: [{ delivery: 1 }] });
    await worker.hears('settled');
    worker.cut();
    const again = await attach(socket, { hello: { inWork: [1] } });
    expect(again.heard.settled).toEqual([1]);
    again.say({ outcomes: [{ delivery: 1 }] });
    expect(await again.hears('settled', 2)).toEqual([1, 1]);
  });

  test('a cancel is said again', async () => {
    const { bench, socket, worker } = await inHand(1);
    worker.cut();
    await waitFor(() => worker.end, { what: 'the cut' });
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await waitFor(() => bench.journal.log.includes('call-off 1'), { what: 'the record' });
    const again = await attach(socket, { hello: { inWork: [1] } });
    expect(await again.hears('cancels')).toMatchObject([{ delivery: 1 }]);
  });

  test('a newer stream takes the place of the one before', async () => {
    const { socket, worker } = await inHand(1);
    const again = await attach(socket, { hello: { inWork: [1] } });
    expect(await worker.ends()).toMatchObject({ code: 'ABORTED' });
    again.say({ outcomes: [{ delivery: 1 }] });
    await again.hears('settled');
  });

  test('a handler that is not offered any longer is free', async () => {
    const { bench, socket, worker } = await inHand(1);
    worker.cut();
    const offer = { name: 'other' };
    const again = await attach(socket, { offer, hello: { inWork: [1] } });
    await bench.hears('unregister echo');
    await bench.hears('settle 1 dead');
    expect(again.welcome?.handlers).toMatchObject([{ name: 'other' }]);
  });

  test('half-closed without a goodbye is a broken stream too', async () => {
    const { socket, worker } = await inHand(1);
    worker.halfClose();
    expect(await worker.ends()).toMatchObject({ code: 'OK' });
    const again = await attach(socket, { hello: { inWork: [1] } });
    again.say({ outcomes: [{ delivery: 1 }] });
    await again.hears('settled');
  });
});

describe('the process behind a stream', () => {
  test('that is replaced in the same worker is dead, and what it had is decided on', async () => {
    const bench = await rig();
    bench.process(file);
    const socket = await bench.prepare(file);
    const child = sleeper();
    const worker = await attach(socket, { hello: child.identity, offer: untilDone });
    bench.hand();
    await worker.hears('deliveries');
    worker.cut();
    await child.kill();
    const next = await attach(socket, { offer: untilDone });
    expect(next.welcome?.handlers).toHaveLength(1);
    // What had no slot any longer would come back from the inbox; the first death is charged.
    await waitFor(() => bench.journal.log.some((line) => line.startsWith('back 1')), { what: 'its return' });
    expect(bench.journal.log).toContain('back 1 {"workerDeaths":1,"suspect":true}');
  });

  test('that lives keeps its handler, whoever else of the same worker asks', async () => {
    const bench = await rig();
    bench.process(file);
    const socket = await bench.prepare(file);
    const child = sleeper();
    const worker = await attach(socket, { hello: child.identity });
    worker.cut();
    const other = await attach(socket);
    expect(other.welcome?.refused).toMatchObject([{ code: 'YGG_HANDLER_TAKEN' }]);
  });

  test('that was started by hand and ends is noticed, and what it had is decided on', async () => {
    const bench = await rig();
    const child = sleeper();
    const worker = await attach(`${bench.folder}/dispatcher.sock`, { hello: child.identity });
    bench.hand();
    await worker.hears('deliveries');
    worker.cut();
    await child.kill();
    bench.clock.wind(1_000);
    await bench.hears('settle 1 dead');
    expect(bench.journal.deaths.get(1)?.reason).toBe('outcome-unknown');
    await bench.hears('unregister echo');
  });

  test('that said goodbye and ends without closing its stream is noticed too', async () => {
    const bench = await rig();
    const child = sleeper();
    const worker = await attach(`${bench.folder}/dispatcher.sock`, {
      hello: child.identity,
      offer: untilDone,
    });
    bench.hand();
    await worker.hears('deliveries');
    worker.say({ goodbye: {} });
    await bench.hears('unregister echo');
    worker.cut();
    await child.kill();
    bench.clock.wind(1_000);
    await bench.hears('settle 1 back');
  });
});

describe('after a restart of the daemon', () => {
  test('what is to be done again stays with the worker that still has it', async () => {
    const journal = new MemoryJournal();
    journal.cleanStart = false;
    journal.add({}, { state: 'offered', redelivery: 'until-done', attempt: 1 });
    const bench = await rig({ journal });
    expect(journal.log).toEqual(['back 1 {"daemonDeaths":1,"suspect":true}']);
    const socket = `${bench.folder}/dispatcher.sock`;
    const worker = await attach(socket, { offer: untilDone, hello: { inWork: [1] } });
    expect(bench.datastore.messages.get(1)).toMatchObject({ slot: false });
    expect(worker.heard.drops).toEqual([]);
    worker.say({ outcomes: [{ delivery: 1 }] });
    await bench.hears('settle 1 done');
    expect(worker.heard.deliveries).toEqual([]);
  });

  test('what has an unknown outcome by now is not taken from the worker: its answer is wanted', async () => {
    const journal = new MemoryJournal();
    journal.cleanStart = false;
    journal.add({}, { state: 'in-hand', redelivery: 'until-accepted', attempt: 1 });
    const bench = await rig({ journal });
    const worker = await attach(`${bench.folder}/dispatcher.sock`, { hello: { inWork: [1] } });
    expect(worker.heard).toMatchObject({ drops: [], settled: [] });
    worker.say({
      answers: [{ messageId: 'late', responseTo: 'id-1', directive: 'echo', delivery: 1 }],
      outcomes: [{ delivery: 1 }],
    });
    expect(await worker.hears('settled')).toEqual([1]);
    expect(journal.responses).toMatchObject([{ messageId: 'late', handler: 'echo' }]);
  });

  test('what belongs to somebody else by now is dropped', async () => {
    const journal = new MemoryJournal();
    const bench = await rig({ journal });
    journal.add({ directive: 'other' });
    const worker = await attach(`${bench.folder}/dispatcher.sock`, { hello: { inWork: [1] } });
    expect(await worker.hears('drops')).toEqual([1]);
  });

  test('answers in the outbox are known by their ids', async () => {
    const journal = new MemoryJournal();
    const bench = await rig({ journal });
    const answer = {
      responseTo: '',
      directive: 'x',
      metadata: null,
      content: Buffer.alloc(0),
      handler: 'echo',
    };
    journal.journal.outbox.respond({ messageId: 'kept', ...answer });
    const worker = await attach(`${bench.folder}/dispatcher.sock`, {
      hello: { unreceipted: ['kept', 'lost'] },
    });
    expect(worker.welcome?.repeat).toEqual(['lost']);
    expect(worker.heard.receipts).toMatchObject([{ messageId: 'kept' }]);
  });

  test('a message that was called off is not delivered again', async () => {
    const journal = new MemoryJournal();
    journal.cleanStart = false;
    journal.add({}, { state: 'offered', redelivery: 'until-done', attempt: 1, calledOff: true });
    await rig({ journal });
    expect(journal.log).toEqual(['bury 1 cancelled']);
  });
});

test('an outcome of a delivery nobody knows is settled', async () => {
  const { worker } = await inHand(0);
  worker.say({ outcomes: [{ delivery: 12, result: outcomeResults.failed }] });
  expect(await worker.hears('settled')).toEqual([12]);
});

/** A process that does nothing, to be a worker's. */
function sleeper(): { identity: { pid: number; startTime: string }; kill: () => Promise<void> } {
  const child = spawn(execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  testScope().defer(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const startTime = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime ?? '';
  return {
    identity: { pid, startTime },
    kill: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}
