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
