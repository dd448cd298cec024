/** Directories, a second daemon, configurations with mistakes: refused with a sentence and an exit status. */
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { startHost } from '../helpers/host.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

const program = path.resolve(import.meta.dirname, '../../dist/cmd/yggd.js');

test('runtime and state directory are made 0700', async () => {
  const { home } = await startHost(testScope(), { handlers: [] });
  for (const folder of [home.runtimeDir, home.stateDir]) expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a runtime directory that others may write is refused, with the path and the chmod', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const home = createHome(scope);
  mkdirSync(home.runtimeDir);
  chmodSync(home.runtimeDir, 0o777);
  const yggd = startYggd(scope, { home, brokers: [broker.url] });
  expect((await yggd.ended()).code).toBe(78);
  expect(yggd.output).toContain(home.runtimeDir);
  expect(yggd.output).toMatch(/chmod/);
});

test('a runtime directory too long for a socket is refused before anything is started', async () => {
  const scope = testScope();
  const home = createHome(scope);
  const long = path.join(home.runtimeDir, 'x'.repeat(100));
  const yggd = new Child(scope, process.execPath, [
    program,
    ...['--worker-dir', home.workerDir, '--config-dir', home.configDir],
    ...['--runtime-dir', long, '--state-dir', home.stateDir, '--protocol', 'none'],
  ]);
  expect((await yggd.ended()).code).toBe(78);
  expect(yggd.output).toMatch(/107|too long/);
});

test('a second daemon on the same state directory is refused and names the first', async () => {
  const scope = testScope();
  const { home, yggd, broker, server } = await startHost(scope, { handlers: [] });
  const second = startYggd(scope, { home, brokers: [broker.url] });
  expect((await second.ended()).code).toBe(75);
  expect(second.output).toContain(String(yggd.pid));
  await server.answer(await server.command('ping'));
});

test('also while the first is frozen, and not after it was killed', async () => {
  const scope = testScope();
  const { home, yggd, broker, restart } = await startHost(scope, { handlers: [] });
  yggd.kill('SIGSTOP');
  const second = startYggd(scope, { home, brokers: [broker.url] });
  expect((await second.ended()).code).toBe(75);
  await yggd.crash();
  await (await restart()).stopCleanly();
});

test('a typo in the configuration is refused with its place and the nearest key', async () => {
  const scope = testScope();
  const file = path.join(tempDir(scope), 'config.toml');
  writeFileSync(file, 'broker = ["mqtt://127.0.0.1:1"]\n\nlog-levl = "info"\n');
  const yggd = new Child(scope, process.execPath, [program, '--config', file]);
  expect((await yggd.ended()).code).toBe(78);
  expect(yggd.output).toMatch(/config\.toml:3:1/);
  expect(yggd.output).toMatch(/log-level/);
});

test('--check-config says ok or what is wrong, and starts nothing', async () => {
  const scope = testScope();
  const folder = tempDir(scope);
  const good = path.join(folder, 'good.toml');
  const bad = path.join(folder, 'bad.toml');
  writeFileSync(good, 'broker = ["mqtt://127.0.0.1:1"]\n');
  writeFileSync(bad, 'mqtt-keep-alive = "soon"\n');
  const checked = new Child(scope, process.execPath, [program, '--config', good, '--check-config']);
  expect((await checked.ended()).code).toBe(0);
  expect(checked.output).toMatch(/ok/i);
  const refused = new Child(scope, process.execPath, [program, '--config', bad, '--check-config']);
  expect((await refused.ended()).code).toBe(78);
  expect(refused.output).toMatch(/bad\.toml:1:\d+.*soon/s);
});

test('the config files of both upstream generations start it', async () => {
  const scope = testScope();
  const folder = tempDir(scope);
  const generations = {
    'first.toml':
      'broker = "tcp://127.0.0.1:1883"\ntopic-prefix = "redhat/insights"\ndata-host = "cert.example.com"\nlog-level = "error"\nprotocol = "mqtt"\n',
    'second.toml':
      'protocol = "mqtt"\nserver = ["tcp://127.0.0.1:1883"]\npath-prefix = "yggdrasil"\nlog-level = "debug"\nmqtt-reconnect-delay = 0\nmqtt-connect-retry = true\nmqtt-auto-reconnect = true\nhttp-retries = 0\nhttp-timeout = 0\n',
  };
  for (const [name, text] of Object.entries(generations)) {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    const checked = new Child(scope, process.execPath, [program, '--config', file, '--check-config']);
    expect(await checked.ended(), checked.output).toMatchObject({ code: 0 });
  }
});

test('--help and --version', async () => {
  const scope = testScope();
  const help = new Child(scope, process.execPath, [program, '--help']);
  expect((await help.ended()).code).toBe(0);
  expect(help.stdout.join('\n')).toMatch(/--broker[\s\S]*--worker-dir/);
  const version = new Child(scope, process.execPath, [program, '--version']);
  expect((await version.ended()).code).toBe(0);
  expect(version.stdout.join('\n')).toMatch(/\d+\.\d+\.\d+/);
});
