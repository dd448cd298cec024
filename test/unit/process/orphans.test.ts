import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { SocketPlaces } from '../../../src/process/marked-processes.ts';
import { endOrphans, findOrphans } from '../../../src/process/orphans.ts';
import { listProcesses, readProcess, realUser, signalProcess } from '../../../src/process/process-table.ts';
import { Child } from '../../helpers/child.ts';
import { alive, processesWith } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

let scope: Scope;
let folder: string;
let places: SocketPlaces;

beforeEach(() => {
  scope = testScope();
  folder = tempDir(scope);
  places = { runtimeDir: folder, userSocketsDir: `${folder}-workers` };
});

/** A daemon that starts one worker as we do, without the guard, and says both pids. */
async function killedDaemon(worker: string): Promise<void> {
  const file = path.join(folder, 'worker');
  writeFileSync(file, worker, { mode: 0o755 });
  const daemon = new Child(scope, process.execPath, [
    '--eval',
    `require('node:child_process').spawn(${JSON.stringify(file)}, {
      detached: true, stdio: 'ignore',
      env: { PATH: process.env.PATH, FOLDER: ${JSON.stringify(folder)}, YGG_SOCKET_ADDR: 'unix:${folder}/abcdefgh.s' },
    });
    setInterval(() => {}, 1000);`,
  ]);
  scope.defer(() => {
    for (const pid of processesWith(folder)) process.kill(pid, 'SIGKILL');
  });
  await appears('ready');
  daemon.kill('SIGKILL');
  await daemon.ended();
}

function appears(name: string): Promise<string> {
  return waitFor(
    () => existsSync(path.join(folder, name)) && readFileSync(path.join(folder, name), 'utf8').trim(),
    {
      what: name,
    },
  );
}

test('the worker of a killed daemon is ended, with a child that does not carry its mark', async () => {
  await killedDaemon(
    '#!/bin/sh\nenv -i /bin/sleep 1000 &\necho $! >$FOLDER/child\necho $$ >$FOLDER/pid\necho 1 >$FOLDER/ready\nwait\n',
  );
  const pids = [Number(await appears('pid')), Number(await appears('child'))];
  expect(pids.every(alive)).toBe(true);
  expect(
    findOrphans(places)
      .map(({ pid }) => pid)
      .sort(),
  ).toEqual([...pids].sort());
  await endOrphans({ ...places, log: silentLogger });
  expect(pids.some(alive)).toBe(false);
});

test('an orphan that is deaf to SIGTERM is killed', async () => {
  await killedDaemon(
    "#!/bin/sh\ntrap '' TERM\necho $$ >$FOLDER/pid\necho 1 >$FOLDER/ready\nwhile :; do sleep 0.1; done\n",
  );
  const pid = Number(await appears('pid'));
  await endOrphans({ ...places, log: silentLogger, patience: 100 });
  expect(alive(pid)).toBe(false);
});

test.each([
  'unix:FOLDER/dispatcher.sock',
  'unix:FOLDER/sub/abcdefgh.s',
  'unix:FOLDER-other/abcdefgh.s',
  'unix:FOLDER-workers/abcdefgh.s',
  'unix:FOLDER-workers/nobody/dispatcher.sock',
  'unix:FOLDER-workers/nobody/sub/abcdefgh.s',
  '@yggdrasil',
])('a process with the address %s is not ours', async (address) => {
  const child = spawn('sleep', ['1000'], {
    env: { YGG_SOCKET_ADDR: address.replace('FOLDER', folder) },
    stdio: 'ignore',
  });
  scope.defer(() => {
    child.kill('SIGKILL');
  });
  await waitFor(() => alive(child.pid ?? 0), { what: 'process' });
  expect(findOrphans(places)).toEqual([]);
});

test("a worker that ran as another user is found by the socket in that user's directory", async () => {
  places = { ...places, userSocketsDir: path.join(folder, 'workers') };
  mkdirSync(path.join(folder, 'workers', 'nobody'), { recursive: true });
  const child = spawn('sleep', ['1000'], {
    env: { YGG_SOCKET_ADDR: `unix:${folder}/workers/nobody/abcdefgh.s` },
    stdio: 'ignore',
  });
  scope.defer(() => {
    child.kill('SIGKILL');
  });
  const [found] = await waitFor(() => findOrphans(places).length > 0 && findOrphans(places), {
    what: 'orphan',
  });
  expect(found?.pid).toBe(child.pid);
});

test.skipIf(process.getuid?.() !== 0)(
  'what another user has marked as ours is left alone, with its children',
  async () => {
    // Another user starts a program that runs as root: sudo, su, passwd.
    const code = `import os, signal
os.setreuid(65534, 0)
child = os.fork()
while True: os.wait() if child else signal.pause()`;
    const child = spawn('/usr/bin/python3', ['-c', code], {
      env: { YGG_SOCKET_ADDR: `unix:${folder}/abcdefgh.s` },
      stdio: 'ignore',
    });
    scope.defer(() => {
      for (const pid of processesWith(folder)) process.kill(pid, 'SIGKILL');
    });
    await waitFor(() => realUser(child.pid ?? 0) === 65_534 && processesWith(folder).length === 2, {
      what: 'both processes',
    });
    expect(findOrphans(places)).toEqual([]);
  },
);

test('a daemon that was itself started by a worker does not end itself or that worker', async () => {
  const child = spawn('sleep', ['1000'], {
    env: { YGG_SOCKET_ADDR: `unix:${folder}/abcdefgh.s` },
    stdio: 'ignore',
  });
  scope.defer(() => {
    child.kill('SIGKILL');
  });
  await waitFor(() => findOrphans(places).length === 1, { what: 'marked process' });
  expect(findOrphans(places, child.pid)).toEqual([]);
});

test('a signal goes only to the process that was found', async () => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  scope.defer(() => {
    child.kill('SIGKILL');
  });
  const entry = await waitFor(() => readProcess(child.pid ?? 0), { what: 'process' });
  signalProcess({ ...entry, startTime: `${Number(entry.startTime) - 1}` }, 'SIGKILL');
  expect(alive(entry.pid)).toBe(true);
  signalProcess(entry, 'SIGKILL');
  await waitFor(() => !alive(entry.pid), { what: 'end of the process' });
});

test('the process table knows this process and its parent, and no zombies', async () => {
  const own = listProcesses().find(({ pid }) => pid === process.pid);
  expect(own?.parent).toBe(process.ppid);
  expect(readProcess(process.pid)).toEqual(own);
  expect(readProcess(2 ** 30)).toBeUndefined();
});
