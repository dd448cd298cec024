/** When a daemon that is to be restarted ends. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { Restart } from '../../../src/control/restart.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { request } from '../journal/journal-on-memory.ts';
import { createRig, type Rig } from './rig.ts';

interface Wished extends Rig {
  readonly clock: HandClock;
  readonly wish: Restart;
  /** When it ended, in milliseconds from the beginning. */
  readonly ends: number[];
}

function createWish(): Wished {
  const rig = createRig();
  const clock = new HandClock();
  const begun = clock.monotonic();
  const ends: number[] = [];
  const onRestart = (): void => void ends.push(clock.monotonic() - begun);
  const restart = new Restart({ ...rig, clock, log: silentLogger, onRestart });
  onTestFinished(() => restart.close());
  return { ...rig, clock, wish: restart, ends };
}

const minute = 60_000;

test('at once is at once, whatever is in hand', () => {
  const { journal, offer, wish, clock, ends } = createWish();
  offer(journal.inbox.receive(request()).sequence, 'in-hand');
  expect(wish.want({ whenIdle: false, idleFor: 0, within: 0 })).toEqual({
    latestAt: clock.now(),
    inHand: 1,
  });
  // Whoever asked has the answer first.
  expect(ends).toEqual([]);
  clock.wind(0);
  expect(ends).toEqual([0]);
  expect(clock.waits).toEqual([]);
});

describe('when idle', () => {
  test('waits for what is in hand, and then a while longer', () => {
    const { journal, offer, finish, wish, clock, ends } = createWish();
    const { sequence } = journal.inbox.receive(request());
    offer(sequence, 'in-hand');
    wish.want({ whenIdle: true, idleFor: 5_000, within: 10 * minute });
    clock.wind(3 * minute);
    expect(ends).toEqual([]);
    finish(sequence);
    clock.wind(4_500);
    expect(ends).toEqual([]);
    clock.wind(500);
    expect(ends).toEqual([3 * minute + 5_000]);
    expect(clock.waits).toEqual([]);
  });

  test('a message that is being handed over counts, one that waits does not', () => {
    const { journal, offer, finish, wish, clock, ends } = createWish();
    journal.inbox.receive(request());
    const { sequence } = journal.inbox.receive(request());
    offer(sequence, 'offered');
    wish.want({ whenIdle: true, idleFor: 5_000, within: 10 * minute });
    clock.wind(minute);
    expect(ends).toEqual([]);
    finish(sequence);
    clock.wind(5_000);
    expect(ends).toHaveLength(1);
  });

  test('a worker that goes on sending is still at work', () => {
    const { counters, wish, clock, ends } = createWish();
    wish.want({ whenIdle: true, idleFor: 30_000, within: 10 * minute });
    for (let answer = 0; answer < 8; answer += 1) {
      clock.wind(15_000);
      counters.count('responses_returned');
    }
    expect(ends).toEqual([]);
    clock.wind(31_000);
    expect(ends).toHaveLength(1);
  });

  test('comes at the latest when it may wait no longer', () => {
    const { journal, offer, wish, clock, ends } = createWish();
    offer(journal.inbox.receive(request()).sequence, 'in-hand');
    const latest = clock.now() + 60 * minute;
    expect(wish.want({ whenIdle: true, idleFor: 0, within: 0 })).toEqual({ latestAt: latest, inHand: 1 });
    clock.wind(60 * minute - 1_000);
    expect(ends).toEqual([]);
    clock.wind(1_000);
    expect(ends).toEqual([60 * minute]);
  });

  test('a clock that is set does not move it', () => {
    const { wish, clock, ends } = createWish();
    wish.want({ whenIdle: true, idleFor: 30_000, within: 0 });
    clock.setWall(clock.now() + 48 * 60 * minute);
    clock.wind(1_000);
    expect(ends).toEqual([]);
  });
});

test('the latest wish holds', () => {
  const { journal, offer, wish, clock, ends } = createWish();
  offer(journal.inbox.receive(request()).sequence, 'in-hand');
  wish.want({ whenIdle: true, idleFor: 0, within: minute });
  wish.want({ whenIdle: true, idleFor: 0, within: 5 * minute });
  clock.wind(2 * minute);
  expect(ends).toEqual([]);
  clock.wind(3 * minute);
  expect(ends).toEqual([5 * minute]);
});

test('a wish that is taken back is gone', () => {
  const { wish, clock, ends } = createWish();
  wish.want({ whenIdle: true, idleFor: 1_000, within: 0 });
  expect(wish.latestAt).toBe(clock.now() + 60 * minute);
  wish.close();
  expect(wish.latestAt).toBe(0);
  clock.wind(2 * 60 * minute);
  expect(ends).toEqual([]);
});

test('a daemon that is part of another program says that it cannot', () => {
  const wish = new Restart({
    ...createRig(),
    clock: new HandClock(),
    log: silentLogger,
    onRestart: undefined,
  });
  expect(() => wish.want({ whenIdle: true, idleFor: 0, within: 0 })).toThrow('part of another program');
});
