/**
 * The units under the eyes of systemd's own tools, and what can be tried of them without systemd: a program that puts
 * the same filters and limits on the real daemon, and on what its workers do.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';

const folder = path.resolve(import.meta.dirname, '../../systemd');
const unit = path.join(folder, 'yggd.service');
const strict = `${unit},${path.join(folder, 'yggd.service.d/strict.conf')}`;
const restrictor = path.resolve(import.meta.dirname, '../fixtures/under_unit.py');
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('Skipped: what a worker of root can do under its unit; only root can try.');

/** The units as they are installed, with a program in the place of yggd. */
function installed(dropIns: boolean): string {
  const root = tempDir(testScope());
  const place = path.join(root, 'usr/lib/systemd/system');
  mkdirSync(place, { recursive: true });
  for (const name of ['yggd.service', 'yggdrasil@.service'])
    cpSync(path.join(folder, name), path.join(place, name));
  if (dropIns) cpSync(`${unit}.d`, path.join(place, 'yggd.service.d'), { recursive: true });
  return place;
}

function analyze(...words: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

test.each([
  ['yggd.service', false],
  ['yggdrasil@.service', false],
  ['yggd.service', true],
])('systemd-analyze verify has nothing to say about %s (strict: %s)', (name, dropIns) => {
  const file = path.join(installed(dropIns), name);
  // Where the program is here; nothing else differs.
  const text = readFileSync(file, 'utf8').replace('ExecStart=/usr/bin/yggd', 'ExecStart=/bin/true');
  writeFileSync(file, text);
  expect(analyze('verify', '--man=no', file)).toEqual({ status: 0, output: '' });
});

test.each([
  ['as root', false, 7.2],
  ['strict', true, 3],
])('systemd-analyze security, %s: at most %3$s', (_what, dropIns, most) => {
  const file = path.join(installed(dropIns), 'yggd.service');
  const words = ['--offline=true', '--no-pager', `--threshold=${most * 10}`];
  const { status, output } = analyze('security', ...words, file);
  expect(output).toContain('Overall exposure level for yggd.service');
  expect(output.split('\n').slice(-3).join('\n') + status).toMatch(/0$/);
});

test('tmpfiles and sysusers are taken by their tools, and make what the units need', () => {
  const root = tempDir(testScope());
  mkdirSync(path.join(root, 'etc/yggdrasil'), { recursive: true });
  mkdirSync(path.join(root, 'run'));
  writeFileSync(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(path.join(root, 'etc/group'), 'root:x:0:\n');
  execFileSync('systemd-sysusers', [`--root=${root}`, path.join(folder, 'sysusers.d/yggdrasil.conf')], {
    stdio: 'pipe',
  });
  expect(readFileSync(path.join(root, 'etc/passwd'), 'utf8')).toMatch(
    /^yggdrasil:x:\d+:\d+:.*:\/usr\/sbin\/nologin$/m,
  );
  if (!isRoot) return;
  const rules = path.join(folder, 'tmpfiles.d/yggdrasil.conf');
  execFileSync('systemd-tmpfiles', ['--create', `--root=${root}`, rules], { stdio: 'pipe' });
  expect(lstatSync(path.join(root, 'run/yggdrasil-workers')).mode & 0o7777).toBe(0o711);
  expect(lstatSync(path.join(root, 'etc/yggdrasil/workers')).mode & 0o7777).toBe(0o755);
});

function under(
  files: string,
  ...words: string[]
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [restrictor, files, ...words], {
    encoding: 'utf8',
    cwd: '/',
  });
  return { status, output: `${stdout}${stderr}` };
}

describe.runIf(isRoot)('under yggd.service', () => {
  test('yggd works, with workers of both kinds', async () => {
    const workers = [echoWorker(), nodeWorker()];
    const command = ['/usr/bin/python3', restrictor, unit];
    const { server, yggd } = await startHost(testScope(), {
      workers,
      handlers: ['echo', 'node'],
      under: command,
    });
    for (const directive of ['echo', 'node']) await server.answer(await server.send({ directive }));
    expect(readFileSync(`/proc/${yggd.pid}/status`, 'utf8')).toMatch(/^Seccomp:\t2$/m);
    await yggd.stopCleanly();
  });

  test('a worker can install a package, with a setuid program and its own commands', () => {
    const scope = testScope();
    const [source, root] = [tempDir(scope), tempDir(scope)];
    mkdirSync(path.join(source, 'DEBIAN'));
    mkdirSync(path.join(source, 'usr/bin'), { recursive: true });
    chmodSync(source, 0o755);
    const control =
      'Package: tried\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b>\nDescription: tried\n';
    writeFileSync(path.join(source, 'DEBIAN/control'), control);
    const postinst = `#!/bin/sh\nchown 7:7 ${root}/usr/bin/tried && chmod 4755 ${root}/usr/bin/tried\n`;
    writeFileSync(path.join(source, 'DEBIAN/postinst'), postinst, { mode: 0o755 });
    writeFileSync(path.join(source, 'usr/bin/tried'), '#!/bin/sh\n', { mode: 0o755 });
    const file = path.join(source, 'tried.deb');
    execFileSync('dpkg-deb', ['-Znone', '--build', source, file], { stdio: 'pipe' });
    for (const made of ['info', 'updates', 'triggers']) {
      mkdirSync(path.join(root, 'var/lib/dpkg', made), { recursive: true });
    }
    writeFileSync(path.join(root, 'var/lib/dpkg/status'), '');
    const words = [`--root=${root}`, '--force-script-chrootless', '--force-not-root', '--install', file];
    expect(under(unit, 'dpkg', ...words)).toMatchObject({ status: 0 });
    const { uid, mode } = lstatSync(path.join(root, 'usr/bin/tried'));
    expect([uid, mode & 0o7777]).toEqual([7, 0o4755]);
  });

  test('a worker can become a user, who can become root again where the host lets him', () => {
    const shell = ['-s', '/bin/sh', '-c', 'id -u; grep NoNewPrivs /proc/self/status'];
    expect(under(unit, 'su', 'nobody', ...shell).output).toMatch(/^65534\nNoNewPrivs:\t0$/m);
  });

  test('what a worker mounts is mounted on the host', () => {
    const scope = testScope();
    const place = tempDir(scope);
    expect(under(unit, 'mount', '-t', 'tmpfs', 'tried', place)).toMatchObject({ status: 0 });
    expect(readFileSync('/proc/self/mounts', 'utf8')).toContain(`tried ${place} tmpfs`);
    expect(under(unit, 'umount', place)).toMatchObject({ status: 0 });
  });

  test('a worker can make the namespaces of a container', () => {
    const kinds = ['--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup', '--fork'];
    expect(under(unit, 'unshare', ...kinds, 'true')).toMatchObject({ status: 0 });
  });

  test.each([
    ['set the clock', ['python3', '-c', 'import time; time.clock_settime(time.CLOCK_REALTIME, -1)']],
    ['make a user namespace', ['unshare', '--user', 'true']],
    ['take the processor for itself', ['chrt', '--fifo', '1', 'true']],
    ['be looked into by a debugger', ['python3', '-c', called('libc.ptrace(0, 0, 0, 0)')]],
    [
      'load a module',
      [
        'python3',
        '-c',
        called('libc.syscall({"x86_64": 175, "aarch64": 105}[os.uname().machine], None, 0, None)'),
      ],
    ],
    [
      'listen to the network',
      ['python3', '-c', 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'],
    ],
    [
      'talk to the ciphers of the kernel',
      ['python3', '-c', 'import socket; socket.socket(38, socket.SOCK_SEQPACKET)'],
    ],
  ])('a worker cannot %s', (_what, words) => {
    const { status, output } = under(unit, ...words);
    expect(status).not.toBe(0);
    expect(output).toMatch(/not permitted|not supported/);
  });
});

describe.runIf(isRoot)('under strict.conf', () => {
  test('yggd and its workers work without a single right', async () => {
    const command = ['/usr/bin/python3', restrictor, strict];
    const workers = [echoWorker(), nodeWorker()];
    const { server, yggd } = await startHost(testScope(), {
      workers,
      handlers: ['echo', 'node'],
      under: command,
    });
    for (const directive of ['echo', 'node']) await server.answer(await server.send({ directive }));
    expect(readFileSync(`/proc/${yggd.pid}/status`, 'utf8')).toMatch(
      /^CapBnd:\t0{16}\nCapAmb:\t0{16}\nNoNewPrivs:\t1$/m,
    );
    // The guard that ends workers with their daemon works too.
    expect(yggd.logged(/no setpriv/)).toEqual([]);
    await yggd.stopCleanly();
  });

  test.each([
    ['become a user', ['su', 'nobody', '-s', '/bin/sh', '-c', 'true']],
    ['mount', ['mount', '-t', 'tmpfs', 'tried', '/mnt']],
    ['make a namespace', ['unshare', '--mount', 'true']],
    ['give a file away', ['chown', '7', restrictor]],
  ])('a worker cannot %s', (_what, words) => {
    expect(under(strict, ...words).status).not.toBe(0);
  });
});

/** A call of libc that has to succeed. */
function called(call: string): string {
  return `import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if ${call} == -1: sys.exit(os.strerror(ctypes.get_errno()))`;
}
