import { expect, test } from 'vitest';
import { DiskRoom } from '../../../src/journal/disk-space.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

const mebibyte = 1024 * 1024;

function roomOf(space: { free: number; total: number }): {
  room: DiskRoom;
  clock: HandClock;
  looks: () => number;
} {
  const clock = new HandClock();
  let looks = 0;
  const measure = (): { free: number; total: number } => {
    looks += 1;
    return { ...space };
  };
  return { room: new DiskRoom({ directory: '/nowhere', measure, clock }), clock, looks: () => looks };
}

test('a disk with plenty of room is not looked at for each write, but again after a while', () => {
  const { room, clock, looks } = roomOf({ free: 1_000 * mebibyte, total: 2_000 * mebibyte });
  room.require(1);
  const before = looks();
  for (let write = 0; write < 100; write++) room.require(1_000);
  expect(looks()).toBe(before);
  clock.wind(1_000);
  room.require(1_000);
  expect(looks()).toBe(before + 1);
});

test('what was written since the last look counts, and a disk with little room is looked at each time', () => {
  const space = { free: 200 * mebibyte, total: 2_000 * mebibyte };
  const { room, looks } = roomOf(space);
  room.require(1);
  const before = looks();
  space.free = 50 * mebibyte;
  room.require(100 * mebibyte - 1_000_000);
  expect(looks()).toBe(before);
  expect(() => room.require(100 * mebibyte)).toThrow(expect.objectContaining({ code: 'YGG_JOURNAL_FULL' }));
  for (let write = 0; write < 3; write++) room.require(1_000);
  expect(looks()).toBe(before + 4);
});
