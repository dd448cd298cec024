/** Workers written on the SDK, started by the daemon as their authors write them. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { startHost } from '../helpers/host.ts';
import { reply, startContentServer } from '../helpers/http-content.ts';
import { rawContent } from '../helpers/mqtt-server.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import type { WorkerFile } from '../helpers/worker-files.ts';
import { startYggd, type Yggd } from '../helpers/yggd.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** A project that depends on this package, with one program. */
function sdkProgram(scope: Scope, code: string): string {
  const folder = tempDir(scope);
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(root, path.join(folder, 'node_modules', 'yggd'));
  const program = path.join(folder, 'worker.mjs');
  writeFileSync(program, code);
  return program;
}

function sdkWorker(scope: Scope, name: string, code: string): WorkerFile {
  const program = sdkProgram(scope, code);
  return { name, text: `#!/bin/sh\nexec '${process.execPath}' '${program}'\n`, config: [] };
}

/** The ten lines of the page on writing workers. */
function echo(run = ''): string {
  return `import { createWorker } from 'yggd/worker';

await createWorker({
  handler: 'echo',
  async onMessage(message) {
    return message.content;
  },
}).run(${run});
`;
}

test.each([
  ['attached', '', /attached to the daemon/],
  ['on the plain protocol', '{ attach: false }', /registered with the daemon/],
])('the worker of ten lines, %s, from the first message to a clean stop', async (_, run, said) => {
  const scope = testScope();
  const host = await startHost(scope, {
    workers: [sdkWorker(scope, 'echo-worker', echo(run))],
    handlers: ['echo'],
  });
  await host.yggd.says(said);
  const ids = await Promise.all(
    Array.from({ length: 50 }, (_, n) => host.server.send({ directive: 'echo', raw: `{ "n": ${n} }` })),
  );
  for (const [n, id] of ids.entries()) expect(rawContent(await host.server.answer(id))).toBe(`{ "n": ${n} }`);
  await host.yggd.stopCleanly();
});

test.each(['', '{ attach: false }'])(
  'what a handler throws reaches the server, once: run(%s)',
  async (run) => {
    const scope = testScope();
    const code = `import { createWorker } from 'yggd/worker';
await createWorker({
  handlers: {
    broken: () => { throw Object.assign(new Error('the database is locked'), { code: 'EBUSY' }); },
    fine: () => 'fine',
  },
}).run(${run});
`;
    const host = await startHost(scope, {
      workers: [sdkWorker(scope, 'two-worker', code)],
      handlers: ['broken', 'fine'],
    });
    const broken = await host.server.send({ directive: 'broken' });
    const answer = await host.server.answer(broken);
    expect(answer.json['metadata']).toMatchObject({ status: 'failed' });
    expect(rawContent(answer)).toContain('the database is locked');
    const fine = await host.server.send({ directive: 'fine' });
    expect(rawContent(await host.server.answer(fine))).toBe('"fine"');
    expect(host.server.answersTo(broken)).toHaveLength(1);
  },
);

/** Waits for the signal, dies of its first run, and says which run it is. */
const job = `import { createWorker } from 'yggd/worker';
await createWorker({
  handlers: {
    wait: (message, { signal }) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    }),
    deadly: {
      redelivery: 'until-done',
      onMessage(message, { attempt }) {
        if (attempt === 1) process.kill(process.pid, 'SIGKILL');
        return { attempt };
      },
    },
    once: () => process.kill(process.pid, 'SIGKILL'),
    again: { retries: 1, onMessage(message, { attempt }) { if (attempt === 1) throw new Error('no'); return attempt; } },
  },
}).run();
`;

test('a message that kills its worker runs again under until-done, and is reported under until-accepted', async () => {
  const scope = testScope();
  const handlers = ['wait', 'deadly', 'once', 'again'];
  const host = await startHost(scope, { workers: [sdkWorker(scope, 'job-worker', job)], handlers });
  const deadly = await host.server.send({ directive: 'deadly' });
  expect(rawContent(await host.server.answer(deadly, 30_000))).toBe('{"attempt":2}');
  const once = await host.server.send({ directive: 'once' });
  const report = await host.server.answer(once, 30_000);
  expect(report.json['metadata']).toMatchObject({ status: 'failed', reason: 'outcome-unknown' });
});

test('a handler that kills worker and daemon runs once under until-accepted, and again under until-done', async () => {
  const scope = testScope();
  const runs = path.join(tempDir(scope), 'runs');
  const code = `import { appendFileSync } from 'node:fs';
import { createWorker } from 'yggd/worker';
const run = (message, { attempt }) => {
  appendFileSync('${runs}', message.directive + ' ' + attempt + '\\n');
  if (message.directive === 'repeatable' && attempt > 1) return { attempt };
  process.kill(process.ppid, 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
};
await createWorker({
  handlers: { repeatable: { redelivery: 'until-done', onMessage: run }, unrepeatable: run },
}).run();
`;
  const workers = [sdkWorker(scope, 'deadly-worker', code)];
  const host = await startHost(scope, { workers, handlers: ['repeatable', 'unrepeatable'] });

  const repeatable = await host.server.send({ directive: 'repeatable' });
  await host.yggd.ended();
  const second = await host.restart();
  expect(rawContent(await host.server.answer(repeatable, 30_000))).toBe('{"attempt":2}');

  const unrepeatable = await host.server.send({ directive: 'unrepeatable' });
  await second.ended();
  const third = await host.restart();
  const report = await host.server.answer(unrepeatable, 30_000);
  expect(report.json['metadata']).toMatchObject({ status: 'failed', reason: 'outcome-unknown' });
  // Whatever comes after it finds a worker that works.
  const last = await host.server.send({ directive: 'repeatable' });
  await third.ended();
  await host.restart();
  await host.server.answer(last, 30_000);
  expect(readFileSync(runs, 'utf8').split('\n')).toEqual([
    'repeatable 1',
    'repeatable 2',
    'unrepeatable 1',
    'repeatable 1',
    'repeatable 2',
    '',
  ]);
});

test('the worker of ten lines is killed, replaced and stopped with its daemon without losing a message', async () => {
  const scope = testScope();
  const worker = { ...sdkWorker(scope, 'echo-worker', echo()), config: ['redelivery = "until-done"'] };
  const host = await startHost(scope, { workers: [worker], handlers: ['echo'] });
  const ids: string[] = [];
  const sendSome = async (): Promise<void> => {
    ids.push(
      ...(await Promise.all(Array.from({ length: 100 }, () => host.server.send({ directive: 'echo' })))),
    );
  };
  const registrations = (): number => host.yggd.logged(/attached to the daemon/).length;
  const again = async (act: () => void): Promise<void> => {
    const before = registrations();
    await sendSome();
    act();
    await waitFor(() => registrations() > before, { what: 'the next worker', deadline: 30_000 });
    await sendSome();
  };
  await again(() => {
    for (const pid of host.home.processes()) process.kill(pid, 'SIGKILL');
  });
  await again(() => host.home.install({ ...worker, text: `${worker.text}# another version\n` }));
  await sendSome();
  await host.yggd.stopCleanly();
  const next = await host.restart();
  for (const id of ids) await host.server.answer(id, 30_000);
  await next.stopCleanly();
});

test.each(['', '{ attach: false }'])(
  'a worker hears what a server said to its post: run(%s)',
  async (run) => {
    const scope = testScope();
    const content = await startContentServer(scope);
    content.on('/jobs/7', reply(201, '{"id":1}', { 'x-job': '7' }));
    const code = `import { createWorker } from 'yggd/worker';
const worker = createWorker({
  handler: 'poster',
  async onMessage(message, job) {
    const { status, headers, body } = await job.post('${content.origin}/jobs/7', message.json());
    const { clientId } = await worker.config();
    return { status, job: headers['x-job'], body: JSON.parse(Buffer.from(body)), clientId };
  },
});
await worker.run(${run});
`;
    const workers = [sdkWorker(scope, 'poster-worker', code)];
    const flags = ['--content-hosts', content.host];
    const host = await startHost(scope, { workers, handlers: ['poster'], flags });
    const id = await host.server.send({ directive: 'poster', content: { n: 1 } });
    const answer = await waitFor(
      () => host.server.answersTo(id).find(({ json }) => json['directive'] === 'poster'),
      { what: 'answer', detail: () => host.yggd.output },
    );
    expect(JSON.parse(rawContent(answer))).toEqual({
      status: 201,
      job: '7',
      body: { id: 1 },
      clientId: 'test-client-0001',
    });
    expect(content.calls[0]?.body.toString()).toBe('{"n":1}');
  },
);

test('a message in hand is cancelled, and one that failed runs again', async () => {
  const scope = testScope();
  const handlers = ['wait', 'deadly', 'once', 'again'];
  const host = await startHost(scope, { workers: [sdkWorker(scope, 'job-worker', job)], handlers });
  const wait = await host.server.send({ directive: 'wait' });
  const again = await host.server.send({ directive: 'again' });
  expect(rawContent(await host.server.answer(again, 20_000))).toBe('2');
  await host.server.command('cancel', { directive: 'wait', messageID: wait });
  const report = await host.server.answer(wait);
  expect(report.json['metadata']).toMatchObject({ status: 'failed', reason: 'cancelled' });
});

test('large content goes there and back', async () => {
  const scope = testScope();
  const host = await startHost(scope, {
    workers: [sdkWorker(scope, 'echo-worker', echo())],
    handlers: ['echo'],
  });
  const content = 'x'.repeat(1_500_000);
  const id = await host.server.send({ directive: 'echo', content });
  expect((await host.server.answer(id, 20_000)).json['content']).toBe(content);
});

test('a worker that nobody restarts finds the daemon again, with what it has in hand', async () => {
  const scope = testScope();
  const code = `import { createWorker } from 'yggd/worker';
let runs = 0;
await createWorker({
  handler: 'lasting',
  redelivery: 'until-done',
  async onMessage(message) {
    runs += 1;
    console.log('run', runs);
    await new Promise((resolve) => setTimeout(resolve, message.json()));
    return runs;
  },
}).run();
`;
  const host = await startHost(scope, { handlers: [] });
  const socket = path.join(host.home.runtimeDir, 'dispatcher.sock');
  const program = sdkProgram(scope, code);
  const after = host.server.statuses.length;
  const worker = new Child(scope, process.execPath, [program], {
    env: { YGG_SOCKET_ADDR: `unix:${socket}` },
  });
  await host.server.online(['lasting'], { after });
  const id = await host.server.send({ directive: 'lasting', content: 2_000 });
  await waitFor(() => worker.lines.includes('run 1'), { what: 'run', detail: () => worker.output });
  const again = async (daemon: Yggd): Promise<Yggd> => {
    await daemon.crash();
    const known = host.server.statuses.length;
    const next = startYggd(scope, { home: host.home, brokers: [host.broker.url] });
    await host.server.online(['lasting'], { after: known });
    return next;
  };
  const second = await again(host.yggd);
  expect(rawContent(await host.server.answer(id, 30_000))).toBe('1');
  // Also with nothing in hand.
  await again(second);
  const next = await host.server.send({ directive: 'lasting', content: 1 });
  expect(rawContent(await host.server.answer(next, 20_000))).toBe('2');
  worker.kill('SIGTERM');
  expect(await worker.ended()).toEqual({ code: 0, signal: null });
});

test('importing the SDK loads nothing of gRPC', async () => {
  const code = `import { createRequire } from 'node:module';
await import('yggd/worker');
const loaded = Object.keys(createRequire(import.meta.url).cache);
console.log(loaded.filter((file) => file.includes('node_modules')).length);
`;
  const child = new Child(testScope(), process.execPath, [sdkProgram(testScope(), code)]);
  await child.ended();
  expect(child.lines).toEqual(['0']);
});
