/**
 * Large content of one delivery: asks for as much as its reader takes, and for nothing twice.
 */
import { Readable } from 'node:stream';

/** Bytes that are asked for beyond what the reader has. */
const window: number = 1024 * 1024;

export class IncomingContent extends Readable {
  readonly #size: number;
  readonly #pull: (until: number) => void;
  /** Bytes passed on. */
  #received = 0;
  /** Bytes that have come on the stream of the moment; it begins from the beginning. */
  #position = 0;
  #asked = 0;

  constructor(size: number, pull: (until: number) => void) {
    super({ highWaterMark: window });
    this.#size = size;
    this.#pull = pull;
  }

  override _read(): void {
    const until = Math.min(this.#size, this.#received + window);
    if (until <= this.#asked) return;
    this.#asked = until;
    this.#pull(until);
  }

  receive(chunk: Uint8Array): void {
    const known = this.#received - this.#position;
    this.#position += chunk.length;
    if (this.destroyed || known >= chunk.length) return;
    const fresh = chunk.subarray(known);
    this.#received += fresh.length;
    const wanted = this.push(fresh);
    if (this.#received >= this.#size) this.push(null);
    else if (wanted) this._read();
  }

  /** A new stream: what was asked for on the old one does not come. */
  restart(): void {
    this.#position = 0;
    this.#asked = 0;
    if (!this.destroyed && this.#received < this.#size) this._read();
  }
}

/** All of it. */
export async function wholeOf(content: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}
