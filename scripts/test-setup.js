// Called first by `npm test`: makes sure that what the integration tests need is on this machine.
//
// As root in a container or with CI=true it installs what is missing with apt, and says so first.
// Anywhere else a missing program fails the run by name, with the command that installs it; nothing is skipped.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';

/** What the tests run, the Debian package it comes in, and how to see whether it is there. */
const needs = [
  { what: 'mosquitto', apt: 'mosquitto', present: () => onPath('mosquitto') },
  { what: 'mosquitto_pub', apt: 'mosquitto-clients', present: () => onPath('mosquitto_pub') },
  { what: 'mosquitto_sub', apt: 'mosquitto-clients', present: () => onPath('mosquitto_sub') },
  { what: 'openssl', apt: 'openssl', present: () => onPath('openssl') },
  { what: 'groff', apt: 'groff-base', present: () => onPath('groff') },
  { what: 'rpmbuild', apt: 'rpm', present: () => onPath('rpmbuild') },
  { what: 'systemd-notify', apt: 'systemd', present: () => onPath('systemd-notify') },
  { what: 'systemd-analyze', apt: 'systemd', present: () => onPath('systemd-analyze') },
  {
    what: '/usr/bin/python3 with grpc',
    apt: 'python3-grpcio',
    present: () => runs('/usr/bin/python3', ['-c', 'import grpc, google.protobuf']),
  },
  { what: 'dbus-daemon', apt: 'dbus-daemon', present: () => onPath('dbus-daemon') },
  {
    what: '/usr/bin/python3 with dbus',
    apt: 'python3-dbus',
    present: () => runs('/usr/bin/python3', ['-c', 'import dbus.server, dbus.service']),
  },
  {
    what: '/usr/bin/python3 with gi',
    apt: 'python3-gi',
    present: () => runs('/usr/bin/python3', ['-c', 'from gi.repository import GLib']),
  },
  {
    what: '/usr/bin/python3 with dbusmock',
    apt: 'python3-dbusmock',
    present: () => runs('/usr/bin/python3', ['-c', 'import dbusmock.templates.systemd']),
  },
  { what: 'systemd-stdio-bridge', apt: 'systemd', present: () => onPath('systemd-stdio-bridge') },
  {
    what: '/usr/bin/ruby with grpc',
    apt: 'ruby-grpc',
    present: () => runs('/usr/bin/ruby', ['-e', 'require "grpc"']),
  },
];

function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && executable(path.join(folder, program)));
}

function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function runs(program, words) {
  return executable(program) && spawnSync(program, words, { stdio: 'ignore' }).status === 0;
}

function inContainer() {
  return (
    existsSync('/.dockerenv') || existsSync('/run/.containerenv') || (process.env.container ?? '') !== ''
  );
}

function mayInstall() {
  return process.getuid?.() === 0 && (process.env.CI === 'true' || inContainer());
}

function apt(...words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', words, { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0;
}

const missing = needs.filter((need) => !need.present());
if (missing.length > 0) {
  const packages = [...new Set(missing.map((need) => need.apt))];
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  console.log(`Missing for the integration tests: ${missing.map((need) => need.what).join(', ')}.`);
  if (mayInstall()) {
    console.log(`Installing (root, in a container or CI=true): ${command}`);
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...packages);
  }
  const still = missing.filter((need) => !need.present());
  if (still.length > 0) {
    console.error(`Not there: ${still.map((need) => need.what).join(', ')}.`);
    console.error(`Install with: sudo ${command}`);
    console.error('`npm run test:unit` needs nothing but Node.');
    process.exit(1);
  }
}

const peer = process.env.PEER ?? '';
if (peer === '') {
  console.log('Skipped: the Go worker. PEER=DIR tests the one at DIR/libexec/yggdrasil/echoworker.');
} else if (!executable(path.join(peer, 'libexec/yggdrasil/echoworker'))) {
  console.error(`PEER is ${peer}, but ${path.join(peer, 'libexec/yggdrasil/echoworker')} is no program.`);
  process.exit(1);
}
