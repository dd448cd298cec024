/**
 * What a handler throws, and what the daemon is told of it: a code and a sentence, never a stack.
 */

/** Thrown by a handler that asks for another run, under either kind of redelivery. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
  /** Milliseconds until the next run, at the earliest. */
  readonly delay: number;

  constructor(delay = 0, message = 'The handler asked for another run.', options?: ErrorOptions) {
    super(message, options);
    this.delay = Math.max(0, Math.round(delay));
  }
}

/** Aborts a job's signal: its message was called off. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

export interface Failure {
  readonly code: string;
  readonly text: string;
}

/** Characters of a failure's text that are told. */
const longestText = 4096;

/**
 * The code of what was thrown: its own `code` when it is a word (`ENOENT`), else its name when it is a special error
 * (`RangeError`), else `ERROR`.
 */
export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return { code: 'ERROR', text: String(thrown).slice(0, longestText) };
  const own = 'code' in thrown ? thrown.code : undefined;
  const named = thrown.name === 'Error' ? 'ERROR' : thrown.name;
  const code = typeof own === 'string' && /^[\w.-]{1,64}$/.test(own) ? own : named;
  return { code, text: thrown.message.slice(0, longestText) };
}

/** Milliseconds before the next run after this many: a second, doubled each time, at most a minute. */
export function retryDelay(attempt: number): number {
  return Math.min(60_000, 1_000 * 2 ** Math.min(16, Math.max(0, attempt - 1)));
}
