/** What a reload changes in a daemon that runs. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { reply, startContentServer } from '../helpers/http-content.ts';
import { ledger } from '../helpers/ledger.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { askJson } from '../helpers/yggctl.ts';

test('SIGHUP applies what can be applied, says so, and names what needs a restart', async () => {
  const scope = testScope();
  const file = path.join(tempDir(scope), 'config.toml');
  const configure = (lines: readonly string[]): void => writeFileSync(file, lines.join('\n'));
  configure(['worker-grace = "1h"']);
  const content = await startContentServer(scope);
  content.on('/x', reply(200, 'x'));
  const book = ledger(scope);
  const { server, yggd, home } = await startHost(scope, {
    workers: [echoWorker(), nodeWorker({ handler: 'detached', detached: true, ledger: book.file })],
    handlers: ['detached', 'echo'],
    flags: ['--config', file],
  });
  const fetch = { directive: 'detached', content: `${content.origin}/x` };
  const reason = async (id: string): Promise<unknown> => (await server.answer(id, 20_000)).json['metadata'];
  expect(await reason(await server.send(fetch))).toMatchObject({ reason: 'content-failed' });
  const waiting = await server.send({ directive: 'nobody' });
  await waitFor(() => home.processes().length === 2, { what: 'two workers' });

  const before = server.statuses.length;
  configure([
    'worker-grace = "1s"',
    'log-level = "debug"',
    'mqtt-keep-alive = "25s"',
    'topic-prefix = "elsewhere"',
    `content-hosts = ["${content.host}"]`,
    `exclude-worker = ["${echoWorker().name}"]`,
  ]);
  yggd.kill('SIGHUP');
  expect((await yggd.says(/^options of the configuration hold now$/))['options']).toEqual([
    'mqtt-keep-alive',
    'content-hosts',
    'exclude-worker',
    'worker-grace',
  ]);
  expect((await yggd.says(/^changed options need a restart$/))['options']).toEqual(['topic-prefix']);
  expect(await reason(waiting)).toMatchObject({ reason: 'no-worker' });
  await server.answer(await server.send(fetch));
  await book.reaches('message', 1);
  // The connection was made anew, and the echo worker is no worker any longer.
  await server.online(['detached'], { after: before, deadline: 20_000 });
  expect(yggd.logged(/^connected to the broker$/)).toHaveLength(2);

  configure(['worker-grace = "forever"']);
  yggd.kill('SIGHUP');
  expect(String((await yggd.says(/^not reloaded$/))['error'])).toContain('worker-grace');
  await yggd.stopCleanly();
});

test('contents, limits and ways of leaving are as they are configured from a reload on', async () => {
  const scope = testScope();
  const file = path.join(tempDir(scope), 'config.toml');
  const configure = (lines: readonly string[]): void => writeFileSync(file, lines.join('\n'));
  const [content, other] = [await startContentServer(scope), await startContentServer(scope)];
  const always = [`content-hosts = ["${content.host}"]`, 'worker-grace = "1s"'];
  configure([...always, 'http-retries = 0']);
  const failing = reply(500);
  for (const where of ['/before', '/after']) content.on(where, failing);
  other.on('/x', reply(200, 'x'));
  const { server, yggd, home } = await startHost(scope, {
    workers: [
      echoWorker(),
      nodeWorker({ handler: 'detached', detached: true }),
      nodeWorker({ handler: 'deaf', behaviours: ['deaf'] }),
    ],
    handlers: ['deaf', 'detached', 'echo'],
    flags: ['--config', file],
  });
  const apply = async (lines: readonly string[], options: readonly string[]): Promise<void> => {
    configure(lines);
    const before = yggd.logged(/^options of the configuration hold now$/).length;
    yggd.kill('SIGHUP');
    const said = await waitFor(() => yggd.logged(/^options of the configuration hold now$/)[before], {
      what: 'options that hold now',
      detail: () => yggd.output,
    });
    expect(said['options']).toEqual(options);
  };
  const fetch = async (address: string): Promise<unknown> => {
    const id = await server.send({ directive: 'detached', content: address });
    const { json } = await server.answer(id, 20_000);
    return json['metadata'];
  };
  const failed = { status: 'failed', reason: 'content-failed' };
  const answersAfter = async (id: string): Promise<number> => {
    await server.send({ directive: 'echo', messageId: id });
    // Those of one directive are answered in their order.
    await server.answer(await server.send({ directive: 'echo' }));
    return server.answersTo(id).length;
  };

  // As it was started.
  expect(await fetch(`${content.origin}/before`)).toMatchObject(failed);
  expect(content.callsTo('/before')).toHaveLength(1);
  expect(await fetch('http://files.example.com/x')).toMatchObject(failed);
  expect(await answersAfter('first')).toBe(1);
  expect(await answersAfter('first')).toBe(1);
  const deadLetters = async (): Promise<number> =>
    (await askJson(scope, home, 'dead-letters', 'list')).json.length;
  expect(await deadLetters()).toBe(2);

  await apply(
    [
      ...always,
      ...['http-retries = 1', 'done-limit = "1 / 7d"', 'dead-limit = "1 / 30d"', 'disconnect-hold = "1s"'],
    ],
    ['disconnect-hold', 'http-retries', 'done-limit', 'dead-limit'],
  );
  expect(await fetch(`${content.origin}/after`)).toMatchObject(failed);
  expect(content.callsTo('/after')).toHaveLength(2);
  expect(await answersAfter('second')).toBe(1);
  expect(await answersAfter('first')).toBe(2);
  expect(await deadLetters()).toBe(1);
  const before = server.statuses.length;
  await server.command('disconnect');
  await server.offline({ after: before });
  await server.online(['deaf', 'detached', 'echo'], { after: before });

  await apply(
    [...always, `data-host = "${other.host}"`, 'http-timeout = "1s"', 'stop-timeout = "1s"'],
    [
      'disconnect-hold',
      'data-host',
      'http-retries',
      'http-timeout',
      'done-limit',
      'dead-limit',
      'stop-timeout',
    ],
  );
  await server.answer(await server.send({ directive: 'detached', content: 'http://files.example.com/x' }));
  expect(other.callsTo('/x')).toHaveLength(1);
  other.on('/silent', () => {});
  await server.send({ directive: 'detached', content: `${content.origin}/silent` });
  // Tried again: the first try was given up after a second in place of ten minutes.
  await waitFor(() => other.callsTo('/silent').length > 1, { what: 'another try', deadline: 20_000 });

  // A worker that is deaf to SIGTERM has ten seconds, a stop has less.
  const { exit } = await yggd.stop();
  expect(exit).toMatchObject({ code: 1 });
  expect(yggd.logged(/^the stop is forced$/)).toMatchObject([{ reason: 'it takes longer than 1000 ms' }]);
});
