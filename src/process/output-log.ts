/**
 * Logs what a worker prints, line by line, within limits that no worker can talk its way around.
 *
 * Owns the streams it is given: reads them to their end, and destroys them when asked to finish before it.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { printable } from '../base/printable.ts';

export interface OutputLogDeps {
  /** Adds the worker's name to each line. */
  readonly log: Logger;
  readonly clock: Clock;
  /** Called for lines that were not logged. */
  readonly onDropped: (lines: number) => void;
}

/** Bytes of one line; the rest of it is not kept. */
const maxLine = 8 * 1024;
/** Lines logged of one worker in one second, both streams together. */
const maxLines = 100;
const second = 1_000;
/** Milliseconds without reading after each chunk of a flood, so that it costs the worker more than us. */
const floodPause = 10;

const lineFeed = 0x0a;

export class OutputLog {
  readonly #deps: OutputLogDeps;
  readonly #streams: Readable[] = [];
  readonly #ends: Promise<void>[] = [];
  #windowEnd = 0;
  /** Lines of the running second, dropped ones included. */
  #lines = 0;
  /** True from the first dropped line until a second passed without one. */
  #flooded = false;
  #lastError = '';

  constructor(deps: OutputLogDeps) {
    this.#deps = deps;
  }

  /** The last line of stderr so far: often why a program ended. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Reads a stream from here on. */
  attach(stream: Readable, name: 'stdout' | 'stderr'): void {
    const pieces: Buffer[] = [];
    let length = 0;
    const endLine = (): void => {
      this.#onLine(Buffer.concat(pieces.splice(0)), length > maxLine, name);
      length = 0;
    };
    const keep = (piece: Buffer): void => {
      const room = maxLine - length;
      // A copy: a slice would keep the whole chunk it was cut from.
      if (room > 0) pieces.push(Buffer.from(piece.subarray(0, room)));
      length += piece.length;
    };
    stream.on('data', (chunk: Buffer) => {
      let start = 0;
      for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
        keep(chunk.subarray(start, end));
        endLine();
        start = end + 1;
      }
      if (start < chunk.length) keep(chunk.subarray(start));
      if (this.#lines > maxLines) this.#rest(stream);
    });
    // A broken pipe ends like any other; `close` follows.
    stream.on('error', () => {});
    this.#streams.push(stream);
    this.#ends.push(
      new Promise((resolve) => {
        stream.once('close', () => {
          if (length > 0) endLine();
          resolve();
        });
      }),
    );
  }

  /**
   * Resolves when both streams are at their end, at most `deadline` milliseconds from now: a program that outlives
   * the worker may hold them open for ever.
   */
  async finish(deadline: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const stream of this.#streams) stream.destroy();
    }, deadline);
    for (const stream of this.#streams) stream.resume();
    await Promise.all(this.#ends);
    clearTimeout(timer);
  }

  #rest(stream: Readable): void {
    stream.pause();
    this.#deps.clock.after(floodPause, () => stream.resume());
  }

  #onLine(bytes: Buffer, cut: boolean, stream: 'stdout' | 'stderr'): void {
    if (!this.#mayLog()) return;
    const line = printable(bytes.toString('utf8').replace(/\r$/, ''));
    if (stream === 'stderr' && line.trim() !== '') this.#lastError = line;
    this.#deps.log.info(cut ? { stream, cut } : { stream }, line);
  }

  #mayLog(): boolean {
    const now = this.#deps.clock.monotonic();
    if (now >= this.#windowEnd) {
      if (this.#lines <= maxLines || now >= this.#windowEnd + second) this.#flooded = false;
      this.#windowEnd = now + second;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines <= maxLines) return true;
    this.#deps.onDropped(1);
    if (!this.#flooded) {
      this.#flooded = true;
      this.#deps.log.warn(
        { limit: maxLines },
        'the worker prints too many lines a second; the rest of them is dropped and counted',
      );
    }
    return false;
  }
}
