/**
 * Waits that end: with their result, at their deadline, or when somebody cuts them off.
 */
import type { Clock } from './clock.ts';
import { YggError } from './errors.ts';

export interface Deadline {
  /** What is waited for, as the subject of the error's sentence: `router: init`. */
  readonly step: string;
  /** Milliseconds. */
  readonly ms: number;
  /** Cuts the wait off before its time. */
  readonly abort?: AbortSignal | undefined;
  /** Not set: real time, and the wait keeps the process alive. */
  readonly clock?: Pick<Clock, 'after'>;
}

/**
 * Runs one step with a deadline. The step's own signal fires at the deadline and when `abort` does; the wait then
 * rejects with `YGG_DEADLINE` naming the step, and what the step still does is left behind, its late failure too.
 */
export async function within<T>(deadline: Deadline, run: (abort: AbortSignal) => Promise<T> | T): Promise<T> {
  const { step, ms, abort: outer, clock = realTime } = deadline;
  const controller = new AbortController();
  let cutOff: (sentence: string) => void = () => {};
  const cut = new Promise<never>((_, reject) => {
    cutOff = (sentence) => {
      const error = new YggError('YGG_DEADLINE', `${step} ${sentence}`);
      controller.abort(error);
      reject(error);
    };
  });
  // Cut off before `run` throws at once, nobody else would look at it.
  cut.catch(() => {});
  const timer = clock.after(ms, () => cutOff(`did not end within ${ms} ms`));
  const onOuter = (): void => cutOff('was cut off');
  outer?.addEventListener('abort', onOuter, { once: true });
  if (outer?.aborted) onOuter();
  try {
    return await Promise.race([run(controller.signal), cut]);
  } finally {
    timer.cancel();
    outer?.removeEventListener('abort', onOuter);
  }
}

/** The same without a deadline: rejects with the reason of `abort` as soon as that fires; what goes on is left behind. */
export async function unlessAborted<T>(abort: AbortSignal, wait: Promise<T>): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abort.reason);
  });
  abort.addEventListener('abort', onAbort, { once: true });
  if (abort.aborted) onAbort();
  try {
    return await Promise.race([aborted, wait]);
  } finally {
    abort.removeEventListener('abort', onAbort);
  }
}

/** Resolves after `ms`, or as soon as `abort` fires; never rejects. */
export function pause(
  ms: number,
  { abort, clock = realTime }: Pick<Deadline, 'abort' | 'clock'> = {},
): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      abort?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end);
    abort?.addEventListener('abort', end, { once: true });
    if (abort?.aborted) end();
  });
}

/** Unlike the timers of a {@link Clock}, these keep the process alive: somebody waits for them. */
const realTime: Pick<Clock, 'after'> = {
  after(delay, callback) {
    const handle = setTimeout(callback, delay);
    return { cancel: () => clearTimeout(handle) };
  },
};
