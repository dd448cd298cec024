/**
 * Time in which this machine ran. A virtual machine may stand still for minutes, and busy ones nearly do; when it goes
 * on, nobody has been waited for in vain.
 */

/** Milliseconds between two looks at the clock, and the most that counts between them. */
const interval = 50;
const most = 250;

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
