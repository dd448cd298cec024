/** The units as text: every line has its reason, and what they say of the daemon is so. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { optionsWith } from '../../../src/config/load.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const units = ['yggd.service', 'yggdrasil@.service', 'yggd.service.d/strict.conf'];

interface Directive {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  /** Whether a comment is right above it. */
  readonly reasoned: boolean;
}

function read(file: string): string {
  return readFileSync(path.join(root, 'systemd', file), 'utf8');
}

function directivesOf(file: string): Directive[] {
  let section = '';
  let before = '';
  const found: Directive[] = [];
  for (const line of read(file).split('\n')) {
    if (line.startsWith('[')) section = line;
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) {
      found.push({ section, name, value, reasoned: before.startsWith('#') });
    }
    before = line;
  }
  return found;
}

function setting(file: string, wanted: string): string | undefined {
  return directivesOf(file).find(({ name }) => name === wanted)?.value;
}

/** Directives whose comment is that of the one before, or that need none. */
function explained({ name, reasoned }: Directive, before: Directive | undefined): boolean {
  if (reasoned || ['Description', 'Documentation'].includes(name)) return true;
  return before !== undefined && name.startsWith(before.name);
}

test.each(units)('every line of %s has its reason', (file) => {
  const directives = directivesOf(file);
  expect(directives.length).toBeGreaterThan(10);
  const bare = directives.filter((directive, at) => !explained(directive, directives[at - 1]));
  expect(bare.map(({ name }) => name)).toEqual([]);
});

test.each(
  readdirSync(path.join(root, 'systemd'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.\w+$/.test(file) && !file.endsWith('.d'),
  ),
)('%s begins by saying where it is installed', (file) => {
  const comment = read(file).split('\n[')[0] ?? '';
  expect(comment).toMatch(/^# (Installed as|.*\n)/);
  expect(comment).toContain(path.basename(file));
});

test('an instance is the same service, but for what is its own', () => {
  const own = new Set(['Description', 'ConditionPathExists', 'ExecStart', 'SyslogIdentifier', 'Alias']);
  for (const name of ['RuntimeDirectory', 'StateDirectory']) own.add(name);
  const shared = (file: string): string[] =>
    directivesOf(file)
      .filter(({ name }) => !own.has(name))
      .map(({ section, name, value }) => `${section} ${name}=${value}`);
  expect(shared('yggdrasil@.service')).toEqual(shared('yggd.service'));
  const words = [...own]
    .map((name) => setting('yggdrasil@.service', name))
    .filter((value) => value !== undefined);
  expect(words.filter((value) => !value.includes('%i'))).toEqual([]);
  expect(setting('yggdrasil@.service', 'ExecStart')).toContain('--config /etc/yggdrasil/yggdrasil-%i.toml');
});

test('a stop has more time than the daemon takes for it', () => {
  const environment = {
    uid: 0,
    currentDirectory: '/',
    homeDirectory: '/root',
    temporaryDirectory: '/tmp',
    variables: {},
  };
  const { stopTimeout } = optionsWith({}, environment);
  expect(Number(setting('yggd.service', 'TimeoutStopSec')) * 1_000).toBeGreaterThan(stopTimeout + 2_000);
});

test('the daemon comes back whatever ended it, but for a configuration that cannot be used', () => {
  const wanted = {
    Restart: 'always',
    StartLimitIntervalSec: '0',
    RestartPreventExitStatus: '78',
    KillMode: 'mixed',
  };
  for (const [name, value] of Object.entries(wanted)) expect(setting('yggd.service', name)).toBe(value);
  expect(setting('yggd.service', 'Alias')).toBe('yggdrasil.service yggdrasild.service rhcd.service');
});

describe("a worker of root can do a root's work:", () => {
  const names = directivesOf('yggd.service').map(({ name }) => name);

  test('what it mounts is mounted on the host', () => {
    // Each of these gives a service a mount namespace of its own (systemd.exec(5)).
    const separating =
      /^(Private(Tmp|Devices|Mounts|IPC|Users)|Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc|Clock|Hostname)|ProcSubset|MountFlags|(ReadOnly|ReadWrite|Inaccessible|NoExec|Exec|BindReadOnly|Bind)Paths|TemporaryFileSystem|Root\w+|MountImages|ExtensionImages|DynamicUser|NetworkNamespacePath)$/;
    expect(names.filter((name) => separating.test(name))).toEqual([]);
  });

  test('nothing stands between it and devices, programs of other rights, or code that is made as it runs', () => {
    const hindering = [
      'DeviceAllow',
      'DevicePolicy',
      'NoNewPrivileges',
      'RestrictSUIDSGID',
      'MemoryDenyWriteExecute',
    ];
    expect(names.filter((name) => hindering.includes(name))).toEqual([]);
  });

  test('the calls and rights that packages, su and mount need are not among those that are taken', () => {
    const taken = directivesOf('yggd.service')
      .filter(({ name }) => ['SystemCallFilter', 'CapabilityBoundingSet'].includes(name))
      .flatMap(({ value }) => value.replace('~', '').split(' '));
    const needed = [
      'CHOWN',
      'DAC_OVERRIDE',
      'FOWNER',
      'SETFCAP',
      'SETUID',
      'SETGID',
      'SYS_ADMIN',
      'SYS_CHROOT',
    ].map((name) => `CAP_${name}`);
    const others = [
      'CAP_MKNOD',
      'CAP_MAC_ADMIN',
      'CAP_AUDIT_WRITE',
      'CAP_SYS_RESOURCE',
      '@mount',
      '@privileged',
      '@setuid',
    ];
    expect(taken.filter((name) => [...needed, ...others].includes(name))).toEqual([]);
  });
});

test('docs/systemd.md argues every line that restricts', () => {
  const page = readFileSync(path.join(root, 'docs/systemd.md'), 'utf8');
  const restricting =
    /^(User|NoNewPrivileges|KeyringMode|UMask|OOMPolicy|RemoveIPC|LockPersonality|DevicePolicy|CapabilityBoundingSet|(Restrict|Protect|Private|SystemCall).*)$/;
  const names = new Set(units.flatMap(directivesOf).map(({ name }) => name));
  const restrictions = [...names].filter((name) => restricting.test(name) && !/^RestrictPrevent/.test(name));
  expect(restrictions.length).toBeGreaterThan(15);
  expect(restrictions.filter((name) => !page.includes(`\`${name}`))).toEqual([]);
});
