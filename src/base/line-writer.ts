/**
 * Whole lines to a stream that may be slow, full or gone, without ever failing or growing.
 *
 * Owns the `error` and `drain` listeners it puts on the stream; never closes it.
 */

/** The part of a `node:stream` Writable that is needed. */
export interface LineStream {
  write(chunk: string): boolean;
  readonly writableLength: number;
  on(event: 'error' | 'drain', listener: (...values: unknown[]) => void): unknown;
  off(event: 'error' | 'drain', listener: (...values: unknown[]) => void): unknown;
}

export interface LineWriterOptions {
  readonly stream: LineStream;
  /** Bytes that may wait for a slow reader; further lines are dropped and counted. */
  readonly limit?: number;
  /** The line that says how many were dropped, once there is room again. */
  readonly droppedLine: (count: number) => string;
}

export class LineWriter {
  readonly #stream: LineStream;
  readonly #limit: number;
  readonly #droppedLine: (count: number) => string;
  readonly #waiting = new Set<() => void>();
  /** Lines dropped since the last one that got through. */
  #dropped = 0;

  constructor({ stream, limit = 1024 * 1024, droppedLine }: LineWriterOptions) {
    this.#stream = stream;
    this.#limit = limit;
    this.#droppedLine = droppedLine;
    stream.on('error', this.#onError);
    stream.on('drain', this.#onDrain);
  }

  /** Writes one line; the line break is added here. */
  write(line: string): void {
    if (this.#stream.writableLength > this.#limit) {
      this.#dropped += 1;
      return;
    }
    this.#sayDropped();
    this.#put(line);
  }

  /** Resolves when everything is out, cannot get out, or `ms` have passed. */
  flush(ms: number): Promise<void> {
    if (this.#stream.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#waiting.add(end);
    });
  }

  /** Takes the listeners off the stream. */
  close(): void {
    this.#stream.off('error', this.#onError);
    this.#stream.off('drain', this.#onDrain);
    this.#endWaiting();
  }

  #put(line: string): void {
    try {
      this.#stream.write(`${line}\n`);
    } catch {
      // A stream on a file may throw what others emit; there is nowhere left to say it.
    }
  }

  #sayDropped(): void {
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#put(this.#droppedLine(count));
  }

  #endWaiting(): void {
    for (const end of [...this.#waiting]) end();
  }

  readonly #onError = (): void => this.#endWaiting();

  readonly #onDrain = (): void => {
    this.#sayDropped();
    this.#endWaiting();
  };
}
