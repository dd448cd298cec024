/** The workers of this project, set up as their READMEs say. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { reply, startContentServer } from '../helpers/http-content.ts';
import { rawContent } from '../helpers/mqtt-server.ts';
import { alive } from '../helpers/processes.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { builtWorker } from '../helpers/worker-files.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** The TOML that a worker comes with. */
function shipped(name: string): string {
  return readFileSync(path.join(root, 'workers', name, `${name}.toml`), 'utf8');
}

test('facts, command and webhook do their work, and nothing that their TOML does not list', async () => {
  const scope = testScope();
  const sink = await startContentServer(scope);
  sink.on('/hooks/deploys', reply(204));
  const urls = shipped('webhook').replace('https://hooks.example.com', `${sink.origin}/hooks`);
  const slow = '[settings.commands.slow]\nprogram = "/bin/sleep"\narguments = ["[0-9]+"]\n';
  const { server, home, yggd } = await startHost(scope, {
    workers: [
      builtWorker('facts', shipped('facts')),
      builtWorker('command', `${shipped('command')}\n${slow}`),
      builtWorker('webhook', urls),
    ],
    handlers: ['command', 'facts', 'webhook'],
  });
  const ask = async (directive: string, content: unknown, metadata = {}): Promise<unknown> => {
    const answer = await server.answer(await server.send({ directive, content, metadata }));
    return JSON.parse(rawContent(answer));
  };
  expect(await ask('facts', ['host'])).toMatchObject({ host: { architecture: expect.any(String) } });
  expect(await ask('command', { command: 'disk-usage', arguments: ['/'] })).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Filesystem'),
  });
  expect(await ask('command', { command: 'sh', arguments: ['-c', 'true'] })).toMatchObject({
    error: { message: expect.stringContaining('There is no such command') },
  });
  expect(await ask('webhook', { n: 1 }, { to: 'deploys' })).toEqual({ status: 204 });
  expect(sink.calls.map(({ url, body }) => [url, body.toString()])).toEqual([['/hooks/deploys', '{"n":1}']]);

  const id = await server.send({ directive: 'command', content: { command: 'slow', arguments: ['600'] } });
  // Three workers, and the program.
  await waitFor(() => home.processes().length > 3, { what: 'the program' });
  await server.command('cancel', { directive: 'command', messageID: id });
  expect((await server.answer(id)).json['metadata']).toMatchObject({ reason: 'cancelled' });
  await yggd.stopCleanly();
});

test('what the command worker runs ends when its worker is killed, and when the daemon stops', async () => {
  const slow = '[settings.commands.slow]\nprogram = "/bin/sleep"\narguments = ["[0-9]+"]\n';
  const { server, home, yggd } = await startHost(testScope(), {
    workers: [builtWorker('command', slow)],
    handlers: ['command'],
  });
  const worker = home.processes();
  const program = async (): Promise<{ readonly id: string; readonly pid: number }> => {
    const before = new Set(home.processes());
    const id = await server.send({ directive: 'command', content: { command: 'slow', arguments: ['600'] } });
    return {
      id,
      pid: await waitFor(() => home.processes().find((pid) => !before.has(pid)), { what: 'sleep' }),
    };
  };
  const { id, pid } = await program();
  for (const one of worker) process.kill(one, 'SIGKILL');
  await waitFor(() => !alive(pid), { what: 'the end of the program', detail: () => yggd.output });
  await yggd.says({ pid, msg: 'the worker has ended and left a process behind; ending it' });
  expect((await server.answer(id)).json['metadata']).toMatchObject({ reason: 'outcome-unknown' });
  await waitFor(() => home.processes().length === worker.length, { what: 'the next run of the worker' });

  await program();
  // Says itself that nothing is left.
  await yggd.stopCleanly();
});

test('a worker in Python or Ruby whose work fails says so', async () => {
  const scope = testScope();
  const broken = (['python', 'ruby'] as const).map((language) => {
    const [file, extension] = language === 'python' ? ['/usr/bin/python3', 'py'] : ['/usr/bin/ruby', 'rb'];
    const folder = path.join(tempDir(scope), language);
    mkdirSync(folder);
    const example = path.join(root, 'workers', 'examples', language);
    const library = readFileSync(path.join(example, `yggdrasil.${extension}`));
    const worker = readFileSync(path.join(example, `worker.${extension}`), 'utf8');
    writeFileSync(path.join(folder, `yggdrasil.${extension}`), library);
    const program = path.join(folder, `worker.${extension}`);
    writeFileSync(
      program,
      worker.replace(/^ {2,4}(return )?content$/m, (line) =>
        line.replace(/(return )?content/, 'no_such_thing()'),
      ),
    );
    return { name: `${language}-worker`, text: `#!/bin/sh\nexec ${file} ${program}\n`, config: [] };
  });
  const { server, yggd } = await startHost(scope, { workers: broken, handlers: ['python', 'ruby'] });
  for (const [directive, reason] of [
    ['python', 'NameError'],
    ['ruby', 'NoMethodError'],
  ]) {
    const answer = await server.answer(await server.send({ directive: directive ?? '', content: 1 }));
    expect(answer.json['metadata']).toEqual({ status: 'failed', reason });
    expect(rawContent(answer)).toContain('no_such_thing');
  }
  await yggd.stopCleanly();
});
