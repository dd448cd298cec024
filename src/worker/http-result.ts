/**
 * What a server said to an answer that was posted to it, and who waits to hear it.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Metadata } from './frames.ts';

export interface HttpResult {
  /** 0: nothing is known, because it took longer than a minute, or the daemon does not tell. The delivery goes on. */
  readonly status: number;
  readonly headers: Metadata;
  readonly body: Uint8Array;
}

export type OnResult = (result: HttpResult) => void;

export const noResult: HttpResult = { status: 0, headers: {}, body: new Uint8Array(0) };

/** Milliseconds from the receipt of an answer; the daemon waits for a minute, and tells once. */
const patience = 70_000;

/** Results that were asked for over Attach and have not come. */
export class Results {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #waiting = new Map<string, { readonly onResult: OnResult; timer: Timer | undefined }>();

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  expect(messageId: string, onResult: OnResult): void {
    this.#waiting.set(messageId, { onResult, timer: undefined });
  }

  /** The answer has its receipt. */
  begin(messageId: string): void {
    const entry = this.#waiting.get(messageId);
    if (entry) entry.timer ??= this.#clock.after(patience, () => this.tell(messageId, noResult));
  }

  tell(messageId: string, result: HttpResult): void {
    const entry = this.#waiting.get(messageId);
    this.#waiting.delete(messageId);
    entry?.timer?.cancel();
    entry?.onResult(result);
  }

  /** The answer was not taken. */
  forget(messageId: string): void {
    this.#waiting.delete(messageId);
  }

  /** Nothing more is heard. */
  giveUp(): void {
    for (const messageId of [...this.#waiting.keys()]) this.tell(messageId, noResult);
  }
}

/**
 * Of an answer to the plain Send: `{"StatusCode": 200, "Body": ..., "Metadata": {...}}`, or nothing. A body that is no
 * JSON is a text there.
 */
export function readHttpResult(bytes: Uint8Array): HttpResult {
  if (bytes.length === 0) return noResult;
  let told: unknown;
  try {
    told = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return noResult;
  }
  const fields = new Map(Object.entries(Object(told)));
  const headers = Object.entries(Object(fields.get('Metadata'))).map(([name, value]) => [
    name,
    String(value),
  ]);
  return {
    status: Number(fields.get('StatusCode')) || 0,
    headers: Object.fromEntries(headers),
    body: bodyOf(fields.get('Body')),
  };
}

function bodyOf(body: unknown): Uint8Array {
  if (body === undefined || body === null) return noResult.body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
