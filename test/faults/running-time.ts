/**
 * Time in which this machine ran. A virtual machine may stand still for minutes, and busy ones nearly do; when it goes
 * on, nobody has been waited for in vain.
 */

/** Milliseconds between two looks at the clock, and the most that counts between them. */
const interval = 50;
const most = 250;
/** Milliseconds between two looks that only a machine that stood still explains. */
const longest = 5_000;

export interface RunningTime {
  /** Milliseconds since it began. */
  readonly passed: number;
  end(): void;
}

/** Begins to count. */
export function runningTime(): RunningTime {
  let passed = 0;
  let last = performance.now();
  const count = (): number => {
    const now = performance.now();
    passed += Math.min(now - last, most);
    last = now;
    return passed;
  };
  const timer = setInterval(count, interval);
  return {
    get passed() {
      return count();
    },
    end: () => clearInterval(timer),
  };
}

export interface Standstills {
  /** Whether this machine stood still at any time between these two, in milliseconds since the epoch. */
  between(from: number, to: number): boolean;
  end(): void;
}

/** Begins to watch. */
export function watchStandstills(): Standstills {
  const found: Array<{ readonly from: number; readonly to: number }> = [];
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > longest) found.push({ from: last, to: now });
    last = now;
  }, interval);
  return {
    between: (from, to) => found.some((still) => still.from < to && still.to > from),
    end: () => clearInterval(timer),
  };
}
