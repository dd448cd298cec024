import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { runService, type Service } from '../../../cmd/service.ts';
import { YggError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

/** A service whose steps end when the test says so. */
class FakeService implements Service {
  readonly calls: string[] = [];
  readonly #ends = new Map<string, { resolve: () => void; reject: (error: unknown) => void }>();

  start(): Promise<void> {
    return this.#step('start');
  }
  stop(): Promise<void> {
    return this.#step('stop');
  }
  force(): Promise<void> {
    return this.#step('force');
  }
  reload(): void {
    this.calls.push('reload');
  }

  done(step: string): void {
    this.#ends.get(step)?.resolve();
  }
  failed(step: string, error: unknown): void {
    this.#ends.get(step)?.reject(error);
  }

  #step(step: string): Promise<void> {
    this.calls.push(step);
    return new Promise((resolve, reject) => this.#ends.set(step, { resolve, reject }));
  }
}

interface Running {
  readonly service: FakeService;
  readonly signals: EventEmitter;
  readonly clock: HandClock;
  readonly told: string[];
  readonly status: Promise<number>;
}

function running(): Running {
  const service = new FakeService();
  const signals = new EventEmitter();
  const clock = new HandClock();
  const told: string[] = [];
  const notifier = {
    ready: async (): Promise<void> => void told.push('ready'),
    reloading: async (): Promise<void> => void told.push('reloading'),
    stopping: async (): Promise<void> => void told.push('stopping'),
  };
  const status = runService({ service, signals, notifier, clock, log: silentLogger, stopTimeout: 20_000 });
  return { service, signals, clock, told, status };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a start', () => {
  test('that succeeds is told to the service manager', async () => {
    const { service, signals, told, status } = running();
    service.done('start');
    await settle();
    expect(told).toEqual(['ready']);
    signals.emit('SIGTERM');
    service.done('stop');
    expect(await status).toBe(0);
    expect(told).toEqual(['ready', 'stopping']);
  });

  test.each([
    [new YggError('YGG_UNSAFE_PATH', 'not ours'), 78],
    [new YggError('YGG_ALREADY_RUNNING', 'there is one'), 75],
    [new Error('unforeseen'), 70],
  ])('that fails ends with the status of its error: %s', async (error, expected) => {
    const { service, told, status } = running();
    service.failed('start', error);
    expect(await status).toBe(expected);
    expect(told).toEqual([]);
  });

  test('that is stopped ends with the stop, whatever became of the start', async () => {
    const { service, signals, told, status } = running();
    signals.emit('SIGTERM');
    service.failed('start', new YggError('YGG_CLOSED', 'stopped'));
    service.done('stop');
    expect(await status).toBe(0);
    expect(told).toEqual(['stopping']);
  });
});

describe('a stop', () => {
  test('asked for twice within a second is one stop', async () => {
    const { service, signals, clock, status } = running();
    signals.emit('SIGINT');
    clock.wind(999);
    signals.emit('SIGINT');
    expect(service.calls).toEqual(['start', 'stop']);
    service.done('stop');
    expect(await status).toBe(0);
  });

  test('asked for again after a second is forced', async () => {
    const { service, signals, clock, status } = running();
    signals.emit('SIGINT');
    clock.wind(1_000);
    signals.emit('SIGTERM');
    expect(service.calls).toEqual(['start', 'stop', 'force']);
    service.done('force');
    expect(await status).toBe(1);
  });

  test('that takes too long is forced, and left if that does not end either', async () => {
    const { service, signals, clock, status } = running();
    signals.emit('SIGTERM');
    clock.wind(20_000);
    expect(service.calls).toEqual(['start', 'stop', 'force']);
    clock.wind(2_000);
    expect(await status).toBe(1);
  });

  test('that fails ends with the status of its error', async () => {
    const { service, signals, status } = running();
    signals.emit('SIGTERM');
    service.failed('stop', new YggError('YGG_STOP', 'router did not'));
    expect(await status).toBe(1);
  });
});

test('SIGHUP reloads, and the service manager hears of it', async () => {
  const { service, signals, told, status } = running();
  service.done('start');
  signals.emit('SIGHUP');
  await settle();
  expect(service.calls).toEqual(['start', 'reload']);
  expect(told).toEqual(['ready', 'reloading', 'ready']);
  signals.emit('SIGTERM');
  service.done('stop');
  await status;
});

test('SIGHUP during the start reloads when it is over', async () => {
  const { service, signals, status } = running();
  signals.emit('SIGHUP');
  await settle();
  expect(service.calls).toEqual(['start']);
  service.done('start');
  await settle();
  expect(service.calls).toEqual(['start', 'reload']);
  signals.emit('SIGTERM');
  service.done('stop');
  await status;
});

test('nothing listens and no timer runs afterwards', async () => {
  const { service, signals, clock, status } = running();
  service.done('start');
  await settle();
  signals.emit('SIGTERM');
  service.done('stop');
  await status;
  expect(signals.eventNames()).toEqual([]);
  expect(clock.waits).toEqual([]);
});
