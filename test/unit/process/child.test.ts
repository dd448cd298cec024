import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { type Child, type Exit, startChild } from '../../../src/process/child.ts';
import { isBusyError, isBusyExit, reasonOfStart } from '../../../src/process/failure-reason.ts';
import { createLauncher } from '../../../src/process/launcher.ts';
import { workerPath } from '../../../src/process/worker-environment.ts';
import { alive, childrenOf } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const launcher = await createLauncher();

let scope: Scope;
let folder: string;
let dropped: number;

beforeEach(() => {
  scope = testScope();
  folder = tempDir(scope);
  dropped = 0;
});

function script(text: string): string {
  const file = path.join(folder, 'some-worker');
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

async function start(text: string, { guard = launcher.guard } = {}): Promise<Child> {
  const child = await startChild(
    { clock: systemClock, launcher: { ...launcher, guard }, onDropped: (lines) => (dropped += lines) },
    { file: script(text), env: { PATH: workerPath, FOLDER: folder }, log: silentLogger },
  );
  scope.defer(async () => {
    child.stop(0);
    await child.ended;
  });
  return child;
}

function appears(name: string): Promise<string> {
  return waitFor(
    () => existsSync(path.join(folder, name)) && readFileSync(path.join(folder, name), 'utf8').trim(),
    {
      what: name,
    },
  );
}

async function timed(ended: Promise<Exit>): Promise<Exit & { readonly ms: number }> {
  const begun = performance.now();
  const exit = await ended;
  return { ...exit, ms: performance.now() - begun };
}

describe.each([
  ['with the guard', launcher.guard],
  ['without it', []],
])('a run %s', (_how, guard) => {
  test('ends with its exit status and its last words', async () => {
    const child = await start('#!/bin/sh\necho fine\necho "no module grpc" >&2\nexit 3\n', { guard });
    expect(await child.ended).toEqual({
      exitCode: 3,
      signal: null,
      asked: false,
      lastError: 'no module grpc',
    });
  });

  test('ends by SIGTERM when it is stopped', async () => {
    const child = await start('#!/bin/sh\necho $$ >$FOLDER/pid\nexec sleep 1000\n', { guard });
    expect(Number(await appears('pid'))).toBe(child.pid);
    child.stop(5_000);
    expect(await child.ended).toMatchObject({ exitCode: null, signal: 'SIGTERM', asked: true });
  });

  test('is known to be busy when somebody still writes to its file', async () => {
    const text = '#!/bin/sh\nexit 0\n';
    const handle = openSync(script(text), 'r+');
    try {
      const started = startChild(
        { clock: systemClock, launcher: { ...launcher, guard }, onDropped: () => {} },
        { file: path.join(folder, 'some-worker'), env: { PATH: workerPath }, log: silentLogger },
      );
      const busy = await started.then(
        async (child) => isBusyExit(await child.ended),
        (error: unknown) => isBusyError(error),
      );
      expect(busy).toBe(true);
    } finally {
      closeSync(handle);
    }
  });
});

test('a program that cannot be executed is an error with the reason', async () => {
  const starting = start('#!/opt/no-such/python3\n', { guard: [] });
  await expect(starting).rejects.toMatchObject({
    code: 'YGG_WORKER_START',
    message: expect.stringContaining('ENOENT'),
  });
  const error = await starting.catch((thrown: unknown) => thrown);
  expect(reasonOfStart(path.join(folder, 'some-worker'), error)).toContain(
    '/opt/no-such/python3, which is not there',
  );
});

describe('stopping', () => {
  test('SIGKILL comes when the grace is over', async () => {
    const child = await start(
      "#!/bin/sh\ntrap '' TERM\necho 1 >$FOLDER/ready\nwhile :; do sleep 0.1; done\n",
    );
    await appears('ready');
    child.stop(200);
    const { ms, ...exit } = await timed(child.ended);
    expect(exit).toMatchObject({ signal: 'SIGKILL', asked: true });
    expect(ms).toBeGreaterThan(150);
  });

  test('of two graces the earlier end counts', async () => {
    const child = await start(
      "#!/bin/sh\ntrap '' TERM\necho 1 >$FOLDER/ready\nwhile :; do sleep 0.1; done\n",
    );
    await appears('ready');
    child.stop(100);
    child.stop(60_000);
    expect((await child.ended).signal).toBe('SIGKILL');
  });

  test('a worker that was halted with SIGSTOP ends as well', async () => {
    const child = await start('#!/bin/sh\necho 1 >$FOLDER/ready\nexec sleep 1000\n');
    await appears('ready');
    process.kill(child.pid, 'SIGSTOP');
    child.stop(10_000);
    expect((await child.ended).signal).toBe('SIGTERM');
  });

  test('the worker behind a wrapper gets the whole grace to finish', async () => {
    const worker = path.join(folder, 'real');
    writeFileSync(
      worker,
      "#!/bin/sh\ntrap 'sleep 0.4; echo >$FOLDER/finished; exit 0' TERM\necho 1 >$FOLDER/ready\nwhile :; do sleep 0.05; done\n",
      { mode: 0o755 },
    );
    const child = await start(`#!/bin/sh\n${worker}\nexit $?\n`);
    await appears('ready');
    child.stop(5_000);
    await child.ended;
    expect(existsSync(path.join(folder, 'finished'))).toBe(true);
  });
});

describe('what a worker leaves behind', () => {
  test('in its group is ended with it', async () => {
    const child = await start('#!/bin/sh\nsleep 1000 &\necho $! >$FOLDER/grandchild\nexit 1\n');
    const grandchild = Number(await appears('grandchild'));
    expect((await child.ended).exitCode).toBe(1);
    expect(alive(grandchild)).toBe(false);
  });

  test('and is deaf to SIGTERM is killed', async () => {
    const child = await start(
      '#!/bin/sh\nsh -c \'trap "" TERM; echo $$ >$FOLDER/grandchild; while :; do sleep 0.1; done\' &\nwhile [ ! -e $FOLDER/grandchild ]; do sleep 0.01; done\nexit 1\n',
    );
    const { ms } = await timed(child.ended);
    expect(alive(Number(await appears('grandchild')))).toBe(false);
    expect(ms).toBeLessThan(3_000);
  });

  test('outside of its group cannot delay its end by holding its output', async () => {
    const child = await start('#!/bin/sh\nsetsid sleep 1000 &\necho $! >$FOLDER/daemon\nsleep 0.1\nexit 0\n');
    scope.defer(async () => {
      const pid = Number(await appears('daemon'));
      for (const one of [pid, ...childrenOf(pid)]) process.kill(one, 'SIGKILL');
    });
    const { ms } = await timed(child.ended);
    expect(ms).toBeLessThan(1_000);
  });
});

test('a worker that floods its output is read, dropped and counted, and leaves time for others', async () => {
  const child = await start('#!/bin/sh\nexec yes a line of a worker that talks too much\n');
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 5);
  await waitFor(() => dropped > 20_000, { what: 'dropped lines' });
  const begun = performance.now();
  await waitFor(() => performance.now() - begun > 300, { what: 'a while' });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(10);
  child.stop(5_000);
  expect((await child.ended).signal).toBe('SIGTERM');
});
