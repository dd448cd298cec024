/** What becomes of messages on their way to a worker, one worker doing one thing at a time. */
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { stays, waitFor } from '../../helpers/wait-for.ts';
import { MemoryJournal } from './memory-journal.ts';
import { contentFile, type Rig, rig, startWorker, type TestWorker, type TestWorkerOptions } from './rig.ts';

const file = '/workers/echo-worker';

/** A spawned worker that has registered for echo. */
async function spawned(
  bench: Rig,
  { redelivery, concurrency, timeout, ...options }: TestWorkerOptions & SpawnOptions = {},
): Promise<TestWorker> {
  if (!bench.datastore.processes.get(file)) {
    bench.process(file, { redelivery, concurrency, ...(timeout && { timeout }) });
  }
  return startWorker(await bench.prepare(file), options);
}

interface SpawnOptions {
  readonly redelivery?: 'until-accepted' | 'until-done';
  readonly concurrency?: number;
  readonly timeout?: number;
}

test('a message is offered, accepted, answered and done, each on disk first', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  const sequence = bench.hand({ metadata: { k: 'v' }, responseTo: 'earlier' });
  await bench.hears(`dispatch ${sequence} attempt 1`);
  expect(worker.taken).toEqual([
    {
      messageId: 'id-1',
      metadata: { k: 'v' },
      content: Buffer.from('"hello"'),
      responseTo: 'earlier',
      directive: 'echo',
    },
  ]);
  await worker.answer();
  await bench.hears(`settle ${sequence} done`);
  expect(bench.journal.log).toEqual(['offer 1', 'accept 1', 'respond 2 finishes 1']);
  expect(bench.datastore.messages.size).toBe(0);
  expect(bench.heard).toContain('return 2');
});

test('a message that was offered on arrival is not offered a second time', async () => {
  const bench = await rig();
  await spawned(bench);
  const sequence = bench.hand({}, { state: 'offered', attempt: 1 });
  await bench.hears(`dispatch ${sequence} attempt 1`);
  expect(bench.journal.log).toEqual(['accept 1']);
});

test('what was fetched is handed over in place of the content', async () => {
  const bench = await rig();
  contentFile(bench, 'fetched-1', 'a playbook');
  const worker = await spawned(bench, { detachedContent: true });
  bench.hand({}, { state: 'fetched', contentFile: 'fetched-1' });
  await waitFor(() => worker.taken.length === 1, { what: 'hand-over' });
  expect(Buffer.from(worker.taken[0]?.content ?? []).toString()).toBe('a playbook');
});

test('messages wait for a worker that has registered and does not listen yet', async () => {
  const bench = await rig();
  bench.process(file);
  const socket = await bench.prepare(file);
  const mute = await startWorker(socket, { mute: true });
  bench.hand();
  await stays(() => bench.heard.some((line) => line.startsWith('settle')), { what: 'settling', span: 200 });
  expect(bench.journal.log).toEqual([]);
  expect(mute.registration.registered).toBe(true);
});

test('without a worker a message goes back to the inbox', async () => {
  const bench = await rig();
  const fresh = bench.hand();
  const offered = bench.hand({}, { state: 'offered' });
  await bench.hears(`settle ${fresh} back`);
  await bench.hears(`settle ${offered} back`);
  // What never left `received` needs no write.
  expect(bench.journal.log).toEqual(['back 2 {}']);
  expect(bench.datastore.messages.size).toBe(0);
});

test('messages are handed over oldest first, whatever the order their content came in', async () => {
  const bench = await rig();
  bench.process(file);
  const socket = await bench.prepare(file);
  const mute = await startWorker(socket, { mute: true });
  const [a, b, c] = [bench.journal.add(), bench.journal.add(), bench.journal.add()];
  for (const sequence of [c, a, b]) {
    const row = bench.journal.row(sequence);
    if (row) bench.datastore.messages.add({ ...row, state: 'received', slot: true });
    void bench.signals.emit('data-process', { sequence, directive: 'echo', cancel: false });
  }
  expect(mute.registration.registered).toBe(true);
  const listening = await startWorker(socket);
  await waitFor(() => listening.taken.length === 3, { what: 'hand-over' });
  expect(listening.taken.map(({ messageId }) => messageId)).toEqual(['id-1', 'id-2', 'id-3']);
});

describe.each(['until-accepted', 'until-done'] as const)('%s', (redelivery) => {
  const keeps = redelivery === 'until-done';

  test.each([
    ['RESOURCE_EXHAUSTED', status.RESOURCE_EXHAUSTED],
    ['INVALID_ARGUMENT', status.INVALID_ARGUMENT],
    ['UNIMPLEMENTED', status.UNIMPLEMENTED],
  ])('%s from the worker: dead, refused', async (_name, code) => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    worker.reply = () => ({ code, details: 'no' });
    bench.hand();
    await bench.hears('settle 1 dead');
    expect(bench.journal.log).toEqual(['offer 1', 'bury 1 refused']);
  });

  test('more content than workers take: dead, refused, and not even loaded', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    bench.hand({}, { size: 4 * 1024 * 1024 + 1 });
    await bench.hears('settle 1 dead');
    expect(bench.journal.log).toEqual(['bury 1 refused']);
    expect(worker.taken).toEqual([]);
  });

  test('an exception in the worker: the third time at the latest it is dead', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    worker.reply = () => ({ code: status.UNKNOWN, details: 'KeyError' });
    bench.hand();
    if (keeps) {
      await waitFor(() => bench.journal.log.includes('back 1 {"workerErrors":1}'), { what: 'first charge' });
      expect(bench.datastore.messages.get(1)?.slot).toBe(true);
      bench.clock.wind(1_000);
      await waitFor(() => bench.journal.row(1)?.workerErrors === 2, { what: 'second charge' });
      bench.clock.wind(4_000);
    }
    await bench.hears('settle 1 dead');
    expect(bench.journal.log.at(-1)).toBe('bury 1 worker-error');
    expect(worker.taken).toHaveLength(keeps ? 3 : 1);
  });

  test('a call that ends without a clear answer, the worker living on', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    worker.reply = () => ({ code: status.UNAVAILABLE, details: 'shutting down' });
    bench.hand();
    await waitFor(() => worker.taken.length === 1, { what: 'hand-over' });
    await stays(() => bench.journal.log.length > 1, { what: 'a verdict', span: 100 });
    worker.reply = () => 'ok';
    bench.clock.wind(3_500);
    if (keeps) await bench.hears('dispatch 1 attempt 2');
    else await bench.hears('settle 1 dead');
    expect(bench.journal.log).toContain(keeps ? 'back 1 {}' : 'bury 1 outcome-unknown');
  });

  test('the worker dies with one message in hand', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    worker.vanish();
    bench.die(file);
    await bench.hears(keeps ? 'settle 1 back' : 'settle 1 dead');
    const verdict = keeps ? 'back 1 {"workerDeaths":1,"suspect":true}' : 'bury 1 outcome-unknown';
    expect(bench.journal.log.at(-1)).toBe(verdict);
    expect(bench.heard).toContain('unregister echo');
  });

  test('the worker dies with a call under way', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    worker.reply = () => 'never';
    bench.hand();
    await waitFor(() => worker.taken.length === 1, { what: 'hand-over' });
    worker.vanish();
    bench.die(file);
    await bench.hears(keeps ? 'settle 1 back' : 'settle 1 dead');
  });

  test('the worker dies with several in hand: suspects, nobody is charged', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    bench.hand();
    bench.hand();
    await bench.hears('dispatch 2 attempt 1');
    worker.vanish();
    bench.die(file);
    await bench.hears(keeps ? 'settle 2 back' : 'settle 2 dead');
    const verdicts = keeps
      ? ['back 1 {"suspect":true}', 'back 2 {"suspect":true}']
      : ['bury 1 outcome-unknown', 'bury 2 outcome-unknown'];
    expect(bench.journal.log.slice(-2)).toEqual(verdicts);
  });

  test('stopped by us with it in hand: nobody is charged', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    worker.vanish();
    bench.die(file, { asked: true });
    await bench.hears(keeps ? 'settle 1 back' : 'settle 1 dead');
    expect(bench.journal.log.at(-1)).toBe(keeps ? 'back 1 {}' : 'bury 1 outcome-unknown');
  });

  test('accepted and not answered within the timeout', async () => {
    const bench = await rig();
    await spawned(bench, { redelivery, timeout: 30_000 });
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.clock.wind(29_000);
    await bench.hears('settle 1 released');
    bench.clock.wind(1_500);
    await bench.hears(keeps ? 'settle 1 dead' : 'settle 1 done');
    expect(bench.journal.log.at(-1)).toBe(keeps ? 'bury 1 timed-out' : 'finish 1');
    expect(bench.counters.get('messages_unanswered')).toBe(keeps ? 0 : 1);
  });

  test('more accepted and unanswered than one directive may have: the oldest ends', async () => {
    const bench = await rig();
    await spawned(bench, { redelivery });
    for (let sequence = 1; sequence <= 1025; sequence += 1) bench.hand();
    await bench.hears(keeps ? 'settle 1 dead' : 'settle 1 done');
    await bench.hears('dispatch 1025 attempt 1');
    expect(bench.datastore.messages.size).toBe(1024);
  });

  test.each([true, false])('what the last run left in hand, ended cleanly: %s', async (cleanStart) => {
    const journal = new MemoryJournal();
    journal.cleanStart = cleanStart;
    journal.add({}, { state: 'offered', redelivery, daemonDeaths: 1 });
    journal.add({}, { state: 'in-hand', redelivery });
    journal.add({}, { state: 'received', redelivery });
    await rig({ journal });
    const charges = cleanStart
      ? ['{}', '{}']
      : ['{"daemonDeaths":1,"suspect":true}', '{"daemonDeaths":1,"suspect":true}'];
    const verdicts = keeps
      ? [`back 1 ${charges[0]}`, `back 2 ${charges[1]}`]
      : ['bury 1 outcome-unknown', 'bury 2 outcome-unknown'];
    expect(journal.log).toEqual(verdicts);
  });

  test('our own error', async () => {
    const bench = await rig();
    await spawned(bench, { redelivery });
    bench.hand({}, { state: 'fetched', contentFile: 'not-there' });
    if (keeps) {
      await waitFor(() => bench.journal.log.includes('back 1 {"internalErrors":1}'), { what: 'the charge' });
      bench.clock.wind(100);
    }
    await bench.hears('settle 1 dead');
    expect(bench.journal.log.at(-1)).toBe('bury 1 internal');
  });
});

describe('pace', () => {
  test('a slot is freed one second after acceptance, once', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    bench.clock.wind(750);
    await stays(() => bench.heard.includes('settle 1 released'), { what: 'a release', span: 50 });
    bench.clock.wind(500);
    await bench.hears('settle 1 released');
    expect(bench.datastore.messages.get(1)?.slot).toBe(false);
    bench.clock.wind(2_000);
    await worker.answer();
    await bench.hears('settle 1 done');
    expect(bench.heard.filter((line) => line === 'settle 1 released')).toHaveLength(1);
  });

  test('a worker that lets a whole window pass frees its slots at acceptance, until it answers again', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { concurrency: 2 });
    bench.hand();
    bench.hand();
    await bench.hears('dispatch 2 attempt 1');
    bench.clock.wind(1_250);
    await bench.hears('settle 2 released');
    bench.hand();
    await bench.hears('settle 3 released');
    await worker.answer(0);
    await bench.hears('settle 1 done');
    const next = bench.hand();
    await bench.hears(`dispatch ${next} attempt 1`);
    await stays(() => bench.heard.includes(`settle ${next} released`), { what: 'a release', span: 50 });
  });

  test('hand-over pauses while the outbox is nearly full', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.journal.outboxFill = 800;
    bench.hand();
    await stays(() => worker.taken.length > 0, { what: 'a hand-over', span: 100 });
    bench.journal.outboxFill = 799;
    bench.clock.wind(250);
    await bench.hears('dispatch 1 attempt 1');
  });
});

describe('suspects', () => {
  test('are handed over one at a time, until each is cleared', async () => {
    const bench = await rig();
    const worker = await spawned(bench, { redelivery: 'until-done' });
    const suspect = { suspect: true, workerDeaths: 1 };
    bench.hand({}, suspect);
    bench.hand({}, suspect);
    bench.hand();
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    await stays(() => worker.taken.length > 1, { what: 'company', span: 100 });
    await worker.answer(0);
    await bench.hears('dispatch 2 attempt 1');
    expect(worker.taken).toHaveLength(2);
    await worker.answer(1);
    await bench.hears('dispatch 4 attempt 1');
  });

  test('one that kills its worker alone three times is dead, the others live', async () => {
    const bench = await rig();
    bench.process(file, { redelivery: 'until-done' });
    const poison = bench.hand({}, { suspect: true, workerDeaths: 2 });
    await bench.hears(`settle ${poison} back`);
    const worker = await spawned(bench);
    const row = bench.journal.row(poison);
    if (row) bench.datastore.messages.add({ ...row, state: 'received', slot: true });
    void bench.signals.emit('data-process', { sequence: poison, directive: 'echo', cancel: false });
    const other = bench.hand();
    await bench.hears(`dispatch ${poison} attempt 1`);
    worker.vanish();
    bench.die(file);
    await bench.hears(`settle ${poison} dead`);
    await bench.hears(`settle ${other} back`);
    expect(bench.journal.log).toContain(`bury ${poison} worker-died`);
  });
});

describe('cancel', () => {
  test('a waiting message is dead, cancelled', async () => {
    const bench = await rig();
    bench.process(file);
    await startWorker(await bench.prepare(file), { mute: true });
    bench.hand();
    await waitFor(() => bench.datastore.messages.size === 1, { what: 'the message' });
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await bench.hears('settle 1 dead');
    expect(bench.journal.log).toEqual(['bury 1 cancelled']);
  });

  test('one that is in hand goes on', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    void bench.signals.emit('message-cancel', { directive: 'echo', messageId: 'id-1' });
    await worker.answer();
    await bench.hears('settle 1 done');
  });

  test('a data message that cancels overtakes what waits', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.journal.outboxFill = 1000;
    bench.hand();
    bench.hand({ cancel: true, metadata: { event: 'cancel' } });
    await bench.hears('dispatch 2 attempt 1');
    expect(worker.taken.map(({ metadata }) => metadata)).toEqual([{ event: 'cancel' }]);
  });
});

describe('stopping', () => {
  test('quiet gives back what was not handed over, finish waits for the rest', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    const abort = new AbortController();
    await bench.dispatcher.drain?.('quiet', abort.signal);
    bench.hand({}, { state: 'offered' });
    await bench.hears('settle 2 back');
    let finished = false;
    const finish = Promise.resolve(bench.dispatcher.drain?.('finish', abort.signal)).then(() => {
      finished = true;
    });
    await stays(() => finished, { what: 'the end of the stage', span: 50 });
    await worker.answer();
    await finish;
    expect(bench.heard).toContain('settle 1 done');
  });

  test('with nothing in hand no stage takes time', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    const begun = performance.now();
    for (const stage of ['quiet', 'finish', 'workers', 'goodbye'] as const) {
      // The process manager ends the workers in this stage.
      if (stage === 'workers') {
        worker.vanish();
        bench.die(file, { asked: true });
      }
      await bench.dispatcher.drain?.(stage, new AbortController().signal);
    }
    expect(performance.now() - begun).toBeLessThan(200);
  });

  test('the stage of the workers is over when the last one was read to its end', async () => {
    const bench = await rig();
    const worker = await spawned(bench);
    bench.hand();
    await bench.hears('dispatch 1 attempt 1');
    let over = false;
    const stage = Promise.resolve(bench.dispatcher.drain?.('workers', new AbortController().signal)).then(
      () => {
        over = true;
      },
    );
    await stays(() => over, { what: 'the end of the stage', span: 50 });
    const answered = worker.answer();
    bench.die(file, { asked: true });
    await answered;
    worker.vanish();
    await stage;
    expect(bench.journal.log).toContain('respond 2 finishes 1');
  });
});

test('content that was fetched is measured as it is handed over, not as it was announced', async () => {
  const bench = await rig();
  await spawned(bench, { detachedContent: true });
  const sequence = bench.journal.add({}, { state: 'fetched', contentFile: 'large', size: 5 * 1024 * 1024 });
  const row = bench.journal.row(sequence);
  if (row) bench.datastore.messages.add({ ...row, size: 40, state: 'fetched', slot: true });
  void bench.signals.emit('data-process', { sequence, directive: 'echo', cancel: false });
  await bench.hears(`settle ${sequence} dead`);
  expect(bench.journal.log).toEqual([`bury ${sequence} refused`]);
});

test('calls under way hold at most 8 MiB of content, but one at least', async () => {
  const bench = await rig();
  const worker = await spawned(bench);
  worker.reply = () => 'never';
  const content = Buffer.alloc(3 * 1024 * 1024, '"');
  for (let count = 0; count < 4; count += 1) bench.hand({ content });
  await waitFor(() => worker.taken.length === 2, { what: 'two hand-overs' });
  await stays(() => worker.taken.length > 2, { what: 'a third one', span: 100 });
  await worker.send({ responseTo: 'id-1' });
  await waitFor(() => worker.taken.length === 3, { what: 'the third hand-over' });
});
