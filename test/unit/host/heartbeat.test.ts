import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import {
  type Heartbeat,
  type HeartbeatDeps,
  startHeartbeat,
  watchdogOf,
} from '../../../src/host/heartbeat.ts';
import type { NewRequest } from '../../../src/journal/journal.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { openOnMemory } from '../journal/journal-on-memory.ts';

const request: NewRequest = {
  ...{ messageId: 'a', responseTo: '', directive: 'echo', metadata: null },
  ...{ content: Buffer.from('1'), cancel: false, origin: 'broker' },
};

let clock: HandClock;
let said: string[];
let errors: string[];
let status: string;

beforeEach(() => {
  clock = new HandClock();
  said = [];
  errors = [];
  status = 'Starting';
});

function beat(deps: Partial<HeartbeatDeps> = {}): Heartbeat {
  return startHeartbeat({
    notifier: {
      alive: async () => void said.push('alive'),
      status: async (sentence) => void said.push(sentence),
    },
    clock,
    log: { ...silentLogger, error: (_fields, sentence) => errors.push(sentence) },
    watchdog: 30_000,
    stalledFor: () => 0,
    status: () => status,
    ...deps,
  });
}

/** Lets what was said be over. */
async function wind(milliseconds: number): Promise<void> {
  clock.wind(milliseconds);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the watchdog', () => {
  test('is fed three times in its span, until the end', async () => {
    const heartbeat = beat();
    await wind(30_000);
    expect(said.filter((word) => word === 'alive')).toHaveLength(4);
    heartbeat.stop();
    await wind(60_000);
    expect(said.filter((word) => word === 'alive')).toHaveLength(4);
  });

  test('is not fed where there is none', async () => {
    beat({ watchdog: undefined });
    await wind(600_000);
    expect(said).toEqual(['Starting']);
  });

  test('starves while the journal waits for its disk, and is fed again when it moves', async () => {
    const { journal, store } = openOnMemory({ clock });
    beat({ stalledFor: () => journal.stalledFor });
    store.held = true;
    journal.inbox.receive(request);
    await new Promise((resolve) => setImmediate(resolve));
    await wind(15_000);
    const before = said.length;
    await wind(45_000);
    expect(said.slice(before)).toEqual([]);
    expect(errors).toEqual(['the journal is stuck; the watchdog is not fed until it moves']);
    store.release();
    await journal.flush();
    await wind(10_000);
    expect(said.at(-1)).toBe('alive');
  });

  test('is fed while the disk refuses: it has answered', async () => {
    const { journal, store } = openOnMemory({ clock });
    beat({ stalledFor: () => journal.stalledFor });
    store.fault = 'full';
    await expect(journal.inbox.receive(request).committed).rejects.toThrow();
    // Step by step: each try is answered at once.
    for (let second = 0; second < 60; second += 1) await wind(1_000);
    expect(errors).toEqual([]);
    expect(said.filter((word) => word === 'alive')).toHaveLength(7);
  });
});

test('the sentence is said when it changes, and not before the last one was taken', async () => {
  let taken: () => void = () => {};
  const notifier = {
    alive: async () => {},
    status: (sentence: string) => {
      said.push(sentence);
      return new Promise<void>((resolve) => {
        taken = resolve;
      });
    },
  };
  beat({ notifier, watchdog: undefined });
  await wind(10_000);
  expect(said).toEqual(['Starting']);
  status = 'Connected';
  await wind(10_000);
  expect(said).toEqual(['Starting']);
  taken();
  await wind(0);
  await wind(2_000);
  expect(said).toEqual(['Starting', 'Connected']);
});

test.each([
  [{}, undefined],
  [{ WATCHDOG_USEC: '30000000' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
  [{ WATCHDOG_USEC: 'soon' }, undefined],
  [{ WATCHDOG_USEC: '0' }, undefined],
])('%j for process 7 is %s', (variables, expected) => {
  expect(watchdogOf(variables, 7)).toBe(expected);
});
