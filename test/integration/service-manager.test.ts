/** What the service manager hears of a daemon: everything goes through the real systemd-notify to a real socket. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, type MqttServer } from '../helpers/mqtt-server.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../helpers/yggd.ts';

const fixtures = path.resolve(import.meta.dirname, '../fixtures');

/** Milliseconds. */
const watchdog = 1_500;

class Manager {
  readonly socket: string;
  readonly #receiver: Child;

  constructor(scope: Scope) {
    this.socket = path.join(tempDir(scope), 'notify');
    const script = path.join(fixtures, 'notify_receiver.py');
    this.#receiver = new Child(scope, '/usr/bin/python3', [script, this.socket]);
  }

  /** What it was told so far. */
  get heard(): readonly string[] {
    return this.#receiver.stdout.slice(1);
  }

  count(word: string): number {
    return this.heard.filter((line) => line === word).length;
  }

  async listens(): Promise<void> {
    await waitFor(() => this.#receiver.stdout.includes('listening'), { what: 'the receiver' });
  }

  async hears(word: string, times = 1): Promise<void> {
    await waitFor(() => this.count(word) >= times, {
      what: `${times} times ${word}`,
      deadline: 20_000,
      detail: () => this.heard.join('\n'),
    });
  }

  /** No word of life comes for as long as the watchdog waits. */
  async starves(): Promise<void> {
    let [fed, since] = [-1, 0];
    const isSilent = (): boolean => {
      const now = performance.now();
      if (this.count('WATCHDOG=1') !== fed) [fed, since] = [this.count('WATCHDOG=1'), now];
      return now - since > watchdog;
    };
    await waitFor(isSilent, { what: 'silence', deadline: 20_000, detail: () => this.heard.join('\n') });
  }
}

interface Bench {
  readonly manager: Manager;
  readonly server: MqttServer;
  readonly yggd: Yggd;
}

async function bench(scope: Scope): Promise<Bench> {
  const manager = new Manager(scope);
  await manager.listens();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [
    echoWorker(),
    nodeWorker({ handler: 'never', behaviours: ['never-register'] }),
  ]);
  const env = {
    ...process.env,
    NOTIFY_SOCKET: manager.socket,
    WATCHDOG_USEC: String(watchdog * 1_000),
    NODE_OPTIONS: `--import=${path.join(fixtures, 'stuck-on-signal.mjs')}`,
  };
  const yggd = startYggd(scope, { home, brokers: [broker.url], env });
  await server.online(['echo']);
  return { manager, server, yggd };
}

test('it hears of the start when the workers were started, of a reload, and of the end', async () => {
  const { manager, yggd } = await bench(testScope());
  await manager.hears('READY=1');
  expect(yggd.logged(/worker started/)).toHaveLength(2);
  await waitFor(() => manager.heard.some((line) => /^STATUS=Connected to .*; workers for echo$/.test(line)), {
    what: 'the status with the worker',
    detail: () => manager.heard.join('\n'),
  });
  yggd.kill('SIGHUP');
  await manager.hears('READY=1', 2);
  const reload = manager.heard.filter((line) => /^(READY|RELOADING|MONOTONIC_USEC)=/.test(line));
  expect(reload.map((line) => line.replace(/\d{4,}$/, 'TIME'))).toEqual([
    ...['READY=1', 'RELOADING=1', 'MONOTONIC_USEC=TIME', 'READY=1'],
  ]);
  // On the clock of the kernel: systemd compares it with its own.
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const said = Number(reload[2]?.slice('MONOTONIC_USEC='.length)) / 1e6;
  expect(said).toBeGreaterThan(uptime - 60);
  expect(said).toBeLessThan(uptime + 60);
  await yggd.stopCleanly();
  expect(manager.count('STOPPING=1')).toBe(1);
});

test('its watchdog is fed, and misses a stopped process, a blocked event loop and a stuck journal', async () => {
  const { manager, server, yggd } = await bench(testScope());
  await manager.hears('WATCHDOG=1', 3);

  yggd.kill('SIGSTOP');
  await manager.starves();
  const stopped = manager.count('WATCHDOG=1');
  yggd.kill('SIGCONT');
  await manager.hears('WATCHDOG=1', stopped + 2);

  yggd.kill('SIGUSR2');
  await manager.starves();
  const blocked = manager.count('WATCHDOG=1');
  await manager.hears('WATCHDOG=1', blocked + 2);

  yggd.kill('SIGPWR');
  const id = await server.send({ directive: 'echo' });
  await manager.starves();
  await yggd.says(/the journal is stuck/);
  const stuck = manager.count('WATCHDOG=1');
  yggd.kill('SIGPWR');
  await manager.hears('WATCHDOG=1', stuck + 2);
  await server.answer(id);
  await yggd.stopCleanly();
});
