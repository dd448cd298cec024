import { describe, expect, test } from 'vitest';
import { ParserHold } from '../../../src/mqtt/parser-hold.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

function create() {
  const clock = new HandClock();
  const disk = { overfull: false };
  const hold = new ParserHold({ clock, longest: 15_000, overfull: () => disk.overfull });
  const went: string[] = [];
  return { clock, disk, hold, went, next: (name: string) => hold.next(() => went.push(name)) };
}

describe('ParserHold', () => {
  test('goes on at once while there is room', () => {
    const { hold, next, went, clock } = create();
    next('a');
    hold.relax();
    expect(went).toEqual(['a']);
    expect(clock.waits).toEqual([]);
  });

  test('holds until something is settled', () => {
    const { hold, next, went, disk, clock } = create();
    disk.overfull = true;
    next('a');
    hold.relax();
    expect(went).toEqual([]);
    disk.overfull = false;
    hold.relax();
    expect(went).toEqual(['a']);
    expect(hold.pressed).toBe(false);
    expect(clock.waits).toEqual([]);
  });

  test('holds no longer than it may, and then not again before the disk has caught up', () => {
    const { hold, next, went, disk, clock } = create();
    disk.overfull = true;
    next('a');
    clock.wind(14_999);
    expect(went).toEqual([]);
    clock.wind(1);
    expect(went).toEqual(['a']);
    expect(hold.pressed).toBe(true);
    next('b');
    expect(went).toEqual(['a', 'b']);
    disk.overfull = false;
    hold.relax();
    expect(hold.pressed).toBe(false);
    disk.overfull = true;
    next('c');
    expect(went).toEqual(['a', 'b']);
    hold.end();
    expect(went).toEqual(['a', 'b', 'c']);
    expect(clock.waits).toEqual([]);
  });
});
