/** Waiting for a condition, with a deadline; what tests do instead of sleeping. */

export interface WaitOptions {
  /** What is waited for, for the error's sentence. */
  readonly what: string;
  /** Milliseconds in which this process runs; 10 s when not set. */
  readonly deadline?: number;
  /** What to print beside the sentence when the deadline has passed. */
  readonly detail?: () => string;
}

type Nothing = undefined | null | false | '' | 0;

/**
 * The most milliseconds that count between two looks: a machine that stood still, as virtual ones do, says nothing about
 * what is waited for.
 */
const longestStep = 250;

/** Polls until `condition` gives something, and returns that. */
export async function waitFor<T>(
  condition: () => T | Nothing | Promise<T | Nothing>,
  { what, deadline = 10_000, detail }: WaitOptions,
): Promise<T> {
  let waited = 0;
  for (let last = performance.now(); ; ) {
    const value = await condition();
    if (value) return value;
    const now = performance.now();
    waited += Math.min(now - last, longestStep);
    last = now;
    if (waited > deadline) {
      throw new Error(`no ${what} within ${deadline} ms${detail ? `\n${detail()}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Watches for `span` milliseconds that `condition` stays false; for what must not happen. */
export async function stays(
  condition: () => unknown,
  { what, span }: { readonly what: string; readonly span: number },
): Promise<void> {
  const end = performance.now() + span;
  while (performance.now() < end) {
    if (condition()) throw new Error(`${what} happened`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
