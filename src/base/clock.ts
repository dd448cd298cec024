/**
 * Time, as every part receives it: real in the daemon, a hand-wound one in tests.
 * All times and spans are milliseconds.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May step back. */
  now(): number;
  /** Never steps back; only differences mean something. */
  monotonic(): number;
  /** Calls `callback` once after `delay`. The timer does not keep the process alive. */
  after(delay: number, callback: () => void): Timer;
  /** Calls `callback` every `interval`. The timer does not keep the process alive. */
  every(interval: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    const handle = setTimeout(callback, delay);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every(interval, callback) {
    const handle = setInterval(callback, interval);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};
