/** Workers that run as another user than the daemon: only root can start those, and only as root is this tested. */
import { chmodSync, chownSync, cpSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, type MqttServer } from '../helpers/mqtt-server.ts';
import { alive, environmentOf, processesWith } from '../helpers/processes.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import type { WorkerFile } from '../helpers/worker-files.ts';
import { createHome, type Home, startYggd, type Yggd } from '../helpers/yggd.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('Skipped: workers that run as another user; only root can start them.');

/** A copy, because another user may not get to where the examples lie. */
const folder = tempDir(fileScope(), 'lowly-');
chmodSync(folder, 0o755);
cpSync(path.resolve(import.meta.dirname, '../../workers/examples/python'), folder, { recursive: true });
const nobody = 65_534;

function workerOf(config: readonly string[], handler = 'lowly'): WorkerFile {
  return {
    name: `${handler}-worker`,
    text: `#!/bin/sh\nexec /usr/bin/python3 -B '${folder}/worker.py' ${handler}\n`,
    config: ['env = ["LOWLY=yes"]', ...config],
  };
}

/** Where other users get to. */
function openHome(scope: Scope, workers: readonly WorkerFile[]): Home {
  const home = createHome(scope, workers);
  chmodSync(path.dirname(home.workerDir), 0o755);
  return home;
}

interface Bench {
  readonly server: MqttServer;
  readonly home: Home;
  start(): Yggd;
}

async function bench(scope: Scope, workers: readonly WorkerFile[]): Promise<Bench> {
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = openHome(scope, workers);
  return { server, home, start: () => startYggd(scope, { home, brokers: [broker.url] }) };
}

/** Of the worker that runs now. */
function workerPid(home: Home): Promise<number> {
  const socket = `${home.runtimeDir}-workers/nobody/`;
  return waitFor(() => processesWith(socket).find((pid) => environmentOf(pid).has('LOWLY')), {
    what: 'the process of the worker',
  });
}

function statusOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/, 2)));
}

/** What becomes of a connection by another user; without a word of Node, which that user may not get to. */
async function connectAs(scope: Scope, uid: number, socket: string): Promise<string> {
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1]); print("connected")
except OSError as error:
    print(type(error).__name__)`;
  const ids = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const child = new Child(scope, 'setpriv', [...ids, '/usr/bin/python3', '-c', script, socket]);
  await child.ended();
  return child.output.trim();
}

describe.runIf(isRoot)('a worker with user = "nobody"', () => {
  test('works, as nobody and with nothing of root, and nobody else reaches its sockets', async () => {
    const scope = testScope();
    const { server, home, start } = await bench(scope, [workerOf(['user = "nobody"'])]);
    const yggd = start();
    await server.online(['lowly']);
    await server.answer(await server.send({ directive: 'lowly', content: 'hello' }));

    const pid = await workerPid(home);
    const status = statusOf(pid);
    expect(status['Uid']?.split('\t')).toEqual(Array(4).fill(String(nobody)));
    expect(status['Gid']?.split('\t')).toEqual(Array(4).fill(String(nobody)));
    expect(status['Groups']?.trim().split(' ').filter(Boolean)).not.toContain('0');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(status[set]).toMatch(/^0+$/);
    const environment = environmentOf(pid);
    expect(environment.has('HOME')).toBe(false);

    const socket = (environment.get('YGG_SOCKET_ADDR') ?? '').replace(/^unix:/, '');
    expect(await connectAs(scope, nobody, socket)).toBe('connected');
    expect(await connectAs(scope, 12_345, socket)).toBe('PermissionError');
    expect(await connectAs(scope, nobody, path.join(home.runtimeDir, 'dispatcher.sock'))).toBe(
      'PermissionError',
    );
    await yggd.stopCleanly();
    expect(alive(pid)).toBe(false);
  });

  test('is ended with what it started when its daemon was killed, and started anew', async () => {
    const scope = testScope();
    const { server, home, start } = await bench(scope, [workerOf(['user = "nobody"', 'group = "nogroup"'])]);
    const first = start();
    await server.online(['lowly']);
    const orphan = await workerPid(home);
    await first.crash();
    const after = server.statuses.length;
    const second = start();
    await server.online(['lowly'], { after });
    expect(alive(orphan)).toBe(false);
    await server.answer(await server.send({ directive: 'lowly' }));
    await second.stopCleanly();
  });

  test('is started only from a file of root, and only when there is such a user; both are said', async () => {
    const scope = testScope();
    const { home, start } = await bench(scope, [
      workerOf(['user = "nobody"']),
      workerOf(['user = "no-such-user"'], 'unknown'),
    ]);
    chownSync(path.join(home.workerDir, 'lowly-worker'), nobody, nobody);
    const yggd = start();
    await yggd.says({ worker: 'lowly-worker', code: 'YGG_UNSAFE_PATH' });
    const { error } = await yggd.says({ worker: 'unknown-worker', code: 'YGG_WORKER_FILE' });
    expect(error).toContain(`${home.configDir}/workers/unknown-worker.toml: there is no user no-such-user`);
    await yggd.stopCleanly();
  });
});
