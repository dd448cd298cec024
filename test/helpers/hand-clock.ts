/** A clock that stands still until a test winds it on. */
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Alarm {
  due: number;
  readonly interval: number | undefined;
  readonly callback: () => void;
}

export class HandClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #time: number;
  /** How far the wall clock was set away from the time that passes. */
  #stepped = 0;

  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#time = start;
  }

  now(): number {
    return this.#time + this.#stepped;
  }

  monotonic(): number {
    return this.#time;
  }

  after(delay: number, callback: () => void): Timer {
    return this.#set({ due: this.#time + delay, interval: undefined, callback });
  }

  every(interval: number, callback: () => void): Timer {
    return this.#set({ due: this.#time + interval, interval, callback });
  }

  /** Sets the wall clock, as an operator or NTP does; timers do not notice. */
  setWall(time: number): void {
    this.#stepped = time - this.#time;
  }

  /** Milliseconds until each timer, soonest first. */
  get waits(): number[] {
    return [...this.#alarms].map(({ due }) => due - this.#time).sort((a, b) => a - b);
  }

  /** Moves on, ringing what falls due in its order. What the callbacks start is not waited for. */
  wind(milliseconds: number): void {
    const end = this.#time + milliseconds;
    for (;;) {
      const next = [...this.#alarms].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.#time = next.due;
      if (next.interval === undefined) this.#alarms.delete(next);
      else next.due += next.interval;
      next.callback();
    }
    this.#time = end;
  }

  #set(alarm: Alarm): Timer {
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }
}
