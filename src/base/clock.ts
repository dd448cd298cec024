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

/** Milliseconds of the longest timer that Node has, some 24 days; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    let handle: NodeJS.Timeout | undefined;
    const wait = (left: number): void => {
      const span = Math.min(left, longestTimer);
      handle = setTimeout(() => (left > span ? wait(left - span) : callback()), span);
      handle.unref();
    };
    wait(delay);
    return { cancel: () => clearTimeout(handle) };
  },
  every(interval, callback) {
    const handle = setInterval(callback, interval);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};
