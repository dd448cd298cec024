/**
 * Stands between the socket, or the stream of a websocket, and MQTT.js, which keeps a packet of any size in memory and
 * acknowledges when it likes.
 *
 * Owns the socket. Takes every PUBLISH and PUBACK out of what comes in and passes everything else on as it is. An
 * oversize PUBLISH is read past: only its beginning is handed over, so that it is reported and acknowledged in its
 * turn; closing the connection instead would bring it back first for ever. What no honest broker sends (QoS 2 to a
 * client that asked for 1, other packets of that size) ends the connection.
 */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { YggError } from '../base/errors.ts';
import { type FixedHeader, readFixedHeader } from './fixed-header.ts';
import {
  type PublishPacket,
  pubackType,
  publishType,
  qosOf,
  readPuback,
  readPublish,
} from './publish-packet.ts';

export interface PacketFilterOptions {
  /** Bytes of the largest PUBLISH that is kept whole. */
  readonly maxPacket: number;
  readonly version: 4 | 5;
  /** `oversize`: bytes of a packet that was too large; its payload is only the beginning then. */
  readonly onPublish: (packet: PublishPacket, oversize: number | undefined) => void;
  readonly onPuback: (packetId: number, reason: number) => void;
}

/** Payload bytes kept of an oversize PUBLISH; before it come a topic of any length and the packet identifier. */
const keptPayload = 4 * 1024;
const keptBytes = 2 + 65_535 + 2 + keptPayload;
/** PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK; MQTT.js answers a PUBREL without an identifier by throwing. */
const identified: ReadonlySet<number> = new Set([5, 6, 7, 9, 11]);
/** Bytes of the largest packet of any other type. */
const maxOther = 64 * 1024;
/** Bytes from which a piece is not copied to be written together with others. */
const largePiece = 16 * 1024;
const nothing = Buffer.alloc(0);

/** A packet of ours that came in pieces. */
interface Gathered {
  readonly header: FixedHeader;
  /** As much of what follows the header as is kept. */
  readonly body: Buffer;
  /** Bytes received of what follows the header. */
  received: number;
}

export class PacketFilter extends Duplex {
  readonly #socket: Duplex;
  readonly #options: PacketFilterOptions;
  /** Bytes that wait: of a fixed header that is not complete yet, or of what is held. */
  #rest: Buffer = nothing;
  /** Bytes of the current packet still to be passed on. */
  #passing = 0;
  #gathered: Gathered | undefined;
  /** Nothing further is looked at. */
  #held = false;
  #reading = false;
  #outgoing: Buffer[] = [];
  /** Set if and only if something is in `#outgoing`. */
  #flush: NodeJS.Immediate | undefined;

  constructor(socket: Duplex, options: PacketFilterOptions) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#options = options;
    // Small PUBACKs and answers would wait for delayed acknowledgements otherwise: 22 ms instead of 0.3.
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Writes a packet, in its turn with those of MQTT.js; nothing once the connection is over. */
  send(...pieces: readonly Buffer[]): void {
    if (this.writable) for (const piece of pieces) this.#queue(piece);
  }

  /** Looks at no further packet until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    // In a turn of its own: who lets go of one packet may be about to let go of more.
    if (!this.#reading) queueMicrotask(() => this.#goOn());
  }

  override _read(): void {
    if (!this.#held) this.#socket.resume();
  }

  /** Packets are written in small pieces, and several in one turn: they go out together. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#queue(chunk);
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => callback());
    else callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#writeOut();
    this.#socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearImmediate(this.#flush);
    this.#socket.destroy();
    this.#gathered = undefined;
    this.#rest = nothing;
    this.#outgoing = [];
    callback(error);
  }

  #queue(piece: Buffer): void {
    this.#outgoing.push(piece);
    this.#flush ??= setImmediate(() => this.#writeOut());
  }

  #writeOut(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    const pieces = this.#outgoing;
    this.#outgoing = [];
    if (pieces.some((piece) => piece.length > largePiece)) {
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    } else if (pieces.length > 0) {
      this.#socket.write(Buffer.concat(pieces));
    }
  }

  #goOn(): void {
    if (this.#held || this.#reading || this.destroyed) return;
    this.#read(nothing);
    if (!this.#held) this.#socket.resume();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#reading = true;
    let at = 0;
    while (at < bytes.length && !this.#held && !this.destroyed) {
      const end = this.#step(bytes, at);
      if (end === at) break;
      at = end;
    }
    this.#reading = false;
    if (this.#held) this.#socket.pause();
    // Copied: a view would keep the whole chunk in memory.
    this.#rest = at < bytes.length && !this.destroyed ? Buffer.from(bytes.subarray(at)) : nothing;
  }

  /** Takes the next piece of a packet; gives back where it ends, which is where it began for half a fixed header. */
  #step(bytes: Buffer, at: number): number {
    if (this.#passing > 0) {
      const end = Math.min(at + this.#passing, bytes.length);
      this.#passing -= end - at;
      if (!this.push(bytes.subarray(at, end))) this.#socket.pause();
      return end;
    }
    if (this.#gathered) return this.#gather(this.#gathered, bytes, at);
    const header = readFixedHeader(bytes, at);
    if (header === 'incomplete') return at;
    const start = at + header.bytes;
    const end = start + header.length;
    if (!this.#admits(header)) return bytes.length;
    const type = header.first >> 4;
    if (type !== publishType && type !== pubackType) {
      this.#passing = header.bytes + header.length;
      return this.#step(bytes, at);
    }
    if (end <= bytes.length && !this.#isOversize(header)) {
      this.#take(header, bytes.subarray(start, end));
      return end;
    }
    const kept = this.#isOversize(header) ? Math.min(header.length, keptBytes) : header.length;
    this.#gathered = { header, body: Buffer.allocUnsafe(kept), received: 0 };
    return start;
  }

  /** Whether an honest broker sends that; if not, the connection is over. */
  #admits({ first, length }: FixedHeader): boolean {
    const type = first >> 4;
    if (length < 0) this.#refuse('a packet without a valid length');
    else if (type === publishType && qosOf(first) > 1) this.#refuse('a message with QoS 2 or 3');
    else if (type === pubackType && (first & 0x0f) !== 0) this.#refuse('a PUBACK with flags');
    else if (identified.has(type) && length < 2)
      this.#refuse(`a packet of type ${type} without a packet identifier`);
    else if (type !== publishType && length > maxOther)
      this.#refuse(`a packet of type ${type} with ${length} bytes`);
    else return true;
    return false;
  }

  #isOversize({ first, bytes, length }: FixedHeader): boolean {
    return first >> 4 === publishType && bytes + length > this.#options.maxPacket;
  }

  #gather(gathered: Gathered, bytes: Buffer, at: number): number {
    const { header, body } = gathered;
    const end = Math.min(at + header.length - gathered.received, bytes.length);
    // What is beyond the end of `body` is read past.
    if (gathered.received < body.length) bytes.copy(body, gathered.received, at, end);
    gathered.received += end - at;
    if (gathered.received === header.length) {
      this.#gathered = undefined;
      this.#take(header, body);
    }
    return end;
  }

  #take(header: FixedHeader, body: Buffer): void {
    const { first, bytes, length } = header;
    const { version, onPublish, onPuback } = this.#options;
    if (first >> 4 === pubackType) {
      const answer = readPuback(body);
      if (answer) onPuback(answer.packetId, answer.reason);
      else this.#refuse('a PUBACK without a packet identifier');
      return;
    }
    const cut = this.#isOversize(header);
    const packet = readPublish(first, body, { version, cut });
    if (!packet) this.#refuse('a message that ends inside its topic or its properties');
    else if (cut) onPublish({ ...packet, payload: packet.payload.subarray(0, keptPayload) }, bytes + length);
    else onPublish(packet, undefined);
  }

  #refuse(what: string): void {
    this.destroy(new YggError('YGG_BROKER_PROTOCOL', `The broker sent ${what}; the connection is closed.`));
  }
}
