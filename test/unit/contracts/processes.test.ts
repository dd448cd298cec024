/** What Linux, Node, setpriv, execa and chokidar do, where src/process and the programs rely on it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { watch } from 'chokidar';
import { execa } from 'execa';
import { beforeEach, describe, expect, test } from 'vitest';
import { createLauncher } from '../../../src/process/launcher.ts';
import { Child } from '../../helpers/child.ts';
import { alive } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const { guard } = await createLauncher();

let scope: Scope;
let folder: string;

beforeEach(() => {
  scope = testScope();
  folder = tempDir(scope);
});

describe('execa', () => {
  test('its promise waits for whoever holds the output; `exit` does not', async () => {
    const child = execa('/bin/sh', ['-c', 'sleep 0.5 & exit 0'], { buffer: false, reject: false });
    child.stdout.resume();
    child.stderr.resume();
    let settled = false;
    const promise = child.then(() => {
      settled = true;
    });
    await new Promise((resolve) => child.once('exit', resolve));
    expect(settled).toBe(false);
    await promise;
  });

  test('a program that cannot be executed has no pid, and its code comes with the result', async () => {
    const child = execa('/no/such/program', [], { reject: false, buffer: false });
    expect(child.pid).toBeUndefined();
    expect((await child).code).toBe('ENOENT');
  });
});

// A host without it starts workers directly; what is left behind by a killed daemon is then found by the next one.
describe.runIf(guard.length > 0)('setpriv', () => {
  test('becomes the program under its own pid', async () => {
    const [command = '', ...words] = guard;
    const child = new Child(scope, command, [...words, '/bin/sh', '-c', 'echo $$']);
    await child.ended();
    await waitFor(() => child.stdout.length === 1, { what: 'output' });
    expect(child.stdout).toEqual([String(child.pid)]);
  });

  test('ends the program when its parent is killed', async () => {
    const pidFile = path.join(folder, 'pid');
    const parent = new Child(scope, process.execPath, [
      '--eval',
      `const [command, ...words] = ${JSON.stringify(guard)};
       const child = require('node:child_process').spawn(command, [...words, 'sleep', '1000'], { detached: true, stdio: 'ignore' });
       require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
       setInterval(() => {}, 1000);`,
    ]);
    const pid = await waitFor(() => existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')), {
      what: 'pid',
    });
    await waitFor(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep'), {
      what: 'program',
    });
    parent.kill('SIGKILL');
    await waitFor(() => !alive(pid), { what: 'end of the program' });
  });
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('Node takes back what its parent ignored: %s', async (name) => {
  const code = `process.kill(process.pid, '${name}'); setTimeout(() => {}, 5000);`;
  const script = `trap '' TERM INT HUP; exec "$0" --eval "$1"`;
  const { signal } = await execa('/bin/sh', ['-c', script, process.execPath, code], { reject: false });
  expect(signal).toBe(name);
});

test('a group that has only a zombie left still takes signals', async () => {
  // The inner shell is never waited for by the program that took its parent's place.
  const child = new Child(scope, '/usr/bin/setsid', [
    '/bin/sh',
    '-c',
    'setsid true; (exit 0) & exec sleep 1000',
  ]);
  const zombie = await waitFor(
    () => {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
        .trim()
        .split(' ');
      return children.map(Number).find((pid) => pid > 0 && !alive(pid));
    },
    { what: 'zombie' },
  );
  expect(() => process.kill(zombie, 0)).not.toThrow();
});

describe('chokidar', () => {
  test.each([
    ['a file that is renamed in', (file: string) => renameSync(write('outside'), file)],
    ['new permissions', (file: string) => chmodSync(file, 0o700)],
    ['a file that takes the place of another', (file: string) => renameSync(write('outside'), file)],
  ])('sees %s', async (_what, change) => {
    const inside = path.join(folder, 'inside');
    mkdirSync(inside);
    const file = path.join(inside, 'file');
    writeFileSync(file, '1');
    const watcher = watch(inside, { ignoreInitial: true, depth: 0 });
    scope.defer(() => watcher.close());
    const seen: string[] = [];
    watcher.on('all', (event) => seen.push(event));
    await new Promise<void>((resolve) => watcher.once('ready', resolve));
    change(file);
    await waitFor(() => seen.length > 0, { what: 'event' });
  });

  function write(name: string): string {
    const file = path.join(folder, name);
    writeFileSync(file, 'text');
    return file;
  }
});
