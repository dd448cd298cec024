/**
 * Deliveries of one stream whose content goes in chunks, as far as the worker has pulled them.
 *
 * Owns who is pulled and how far; reads one piece at a time, from the journal or from the file the content was fetched
 * into, and writes it only while the stream takes more, so that no content is ever in memory whole for long.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Journal } from '../journal/journal.ts';
import { inlineContent } from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import type { Job } from './job.ts';

export interface LargeDeliveriesDeps {
  readonly journal: Journal;
  /** What the worker has in hand. */
  readonly find: (delivery: number) => Job | undefined;
  /** Its content cannot be read. */
  readonly onUnreadable: (job: Job, error: unknown) => void;
}

interface Pulled {
  /** The run it is pulled for: another one begins anew. */
  readonly attempt: number;
  sent: number;
  until: number;
}

export class LargeDeliveries {
  readonly #deps: LargeDeliveriesDeps;
  readonly #stream: AttachStream;
  /** By delivery; one that is sent whole stays until it is settled, so that a late pull does not begin it anew. */
  readonly #pulled = new Map<number, Pulled>();
  #sending = false;
  /** There may be more to send than when the last round began. */
  #asked = false;

  constructor(deps: LargeDeliveriesDeps, stream: AttachStream) {
    this.#deps = deps;
    this.#stream = stream;
  }

  /** So much of a delivery, from its beginning, is wanted. */
  pull(delivery: number, until: number): void {
    const job = this.#deps.find(delivery);
    if (!job || job.size <= inlineContent) return;
    const known = this.#pulled.get(delivery);
    const { attempt } = job;
    const pulled = known?.attempt === attempt ? known : { attempt, sent: 0, until: 0 };
    pulled.until = Math.max(pulled.until, Math.min(until, job.size));
    this.#pulled.set(delivery, pulled);
    this.send();
  }

  /** Goes on, where the stream takes more. */
  send(): void {
    this.#asked = true;
    if (this.#sending || this.#pulled.size === 0) return;
    this.#sending = true;
    void this.#sendAll().finally(() => {
      this.#sending = false;
    });
  }

  /** In turns, so that one large content does not hold up another. */
  async #sendAll(): Promise<void> {
    while (this.#asked) {
      this.#asked = false;
      for (const [delivery, pulled] of this.#pulled) {
        if (!this.#stream.writable) return;
        if (await this.#sendPiece(delivery, pulled)) this.#asked = true;
      }
    }
  }

  async #sendPiece(delivery: number, pulled: Pulled): Promise<boolean> {
    const job = this.#deps.find(delivery);
    if (!job) {
      this.#pulled.delete(delivery);
      return false;
    }
    const length = Math.min(inlineContent, pulled.until - pulled.sent);
    if (length <= 0) return false;
    const content = await this.#read(job, pulled.sent, length);
    // Given back, or begun anew, while it was read.
    if (this.#pulled.get(delivery) !== pulled || this.#deps.find(delivery)?.attempt !== pulled.attempt)
      return false;
    if (!content || !this.#stream.open) {
      this.#pulled.delete(delivery);
      return false;
    }
    pulled.sent += length;
    this.#stream.add('chunks', { delivery, content }, length);
    return true;
  }

  async #read(job: Job, from: number, length: number): Promise<Uint8Array | undefined> {
    const { inbox, contentDirectory } = this.#deps.journal;
    const { sequence } = job.doc;
    try {
      const row = inbox.row(sequence);
      if (!row) return undefined;
      if (row.contentFile !== '')
        return await readPiece(path.join(contentDirectory, row.contentFile), from, length);
      return inbox.body(sequence)?.content.subarray(from, from + length);
    } catch (error) {
      this.#deps.onUnreadable(job, error);
      return undefined;
    }
  }
}

async function readPiece(file: string, from: number, length: number): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const piece = Buffer.allocUnsafe(length);
    const { bytesRead } = await handle.read(piece, 0, length, from);
    if (bytesRead < length) throw new Error(`${file} ends after ${from + bytesRead} bytes`);
    return piece;
  } finally {
    await handle.close();
  }
}
