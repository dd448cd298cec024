/**
 * A message as its handler sees it.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Delivery, Metadata } from './frames.ts';

export interface Message {
  /** Not unique for ever: a server may use an id again. */
  readonly id: string;
  /** The message that this one answers, or empty. */
  readonly responseTo: string;
  readonly directive: string;
  readonly metadata: Metadata;
  /** The exact bytes. Throws for a handler that takes large content as a stream, when it is large. */
  readonly content: Uint8Array;
  /** Where fetched content lies, to be read and left alone; there until the message is settled. */
  readonly file: string | undefined;
  /** The content as JSON; throws when it is none. */
  json(): unknown;
  /** The content as UTF-8. */
  text(): string;
  /** The content as a stream; large content is then never in memory as a whole. To be called once. */
  stream(): Readable;
}

/** Where the content of a message is: in memory, or to be had as a stream. */
export type ContentSource = Uint8Array | (() => Readable);

export class DeliveredMessage implements Message {
  readonly #delivery: Delivery;
  readonly #source: ContentSource;

  constructor(delivery: Delivery, source: ContentSource) {
    this.#delivery = delivery;
    this.#source = source;
  }

  get id(): string {
    return this.#delivery.messageId;
  }

  get responseTo(): string {
    return this.#delivery.responseTo;
  }

  get directive(): string {
    return this.#delivery.directive;
  }

  get metadata(): Metadata {
    return this.#delivery.metadata;
  }

  get content(): Uint8Array {
    if (this.#source instanceof Uint8Array) return this.#source;
    throw new TypeError(`The content of ${this.id} is not in memory: use stream().`);
  }

  get file(): string | undefined {
    return this.#delivery.file === '' ? undefined : this.#delivery.file;
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  text(): string {
    const { buffer, byteOffset, byteLength } = this.content;
    return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
  }

  stream(): Readable {
    if (this.#source instanceof Uint8Array) return Readable.from([this.#source], { objectMode: false });
    return this.file === undefined ? this.#source() : createReadStream(this.file);
  }
}
