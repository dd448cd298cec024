/** Workers written on the SDK, started by the daemon as their authors write them. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { rawContent } from '../helpers/mqtt-server.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import type { WorkerFile } from '../helpers/worker-files.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** A project that depends on this package, with one program. */
function sdkWorker(scope: Scope, name: string, code: string): WorkerFile {
  const folder = tempDir(scope);
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(root, path.join(folder, 'node_modules', 'yggd'));
  const program = path.join(folder, 'worker.mjs');
  writeFileSync(program, code);
  return { name, text: `#!/bin/sh\nexec '${process.execPath}' '${program}'\n`, config: [] };
}

const echo = `import { createWorker } from 'yggd/worker';

await createWorker({
  handler: 'echo',
  async onMessage(message) {
    return message.content;
  },
}).run();
`;

test('the worker of ten lines, from the first message to a clean stop', async () => {
  const scope = testScope();
  const host = await startHost(scope, {
    workers: [sdkWorker(scope, 'echo-worker', echo)],
    handlers: ['echo'],
  });
  const ids = await Promise.all(
    Array.from({ length: 50 }, (_, n) => host.server.send({ directive: 'echo', raw: `{ "n": ${n} }` })),
  );
  for (const [n, id] of ids.entries()) expect(rawContent(await host.server.answer(id))).toBe(`{ "n": ${n} }`);
  await host.yggd.stopCleanly();
});

test('what a handler throws reaches the server, once', async () => {
  const scope = testScope();
  const code = `import { createWorker } from 'yggd/worker';
await createWorker({
  handlers: {
    broken: () => { throw Object.assign(new Error('the database is locked'), { code: 'EBUSY' }); },
    fine: () => 'fine',
  },
}).run();
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
});
