/**
 * Stands between the socket, or the stream of a websocket, and the MQTT parser, which keeps a packet of any size in memory.
 *
 * Owns the socket. Passes every packet on as it is, but an oversize PUBLISH: that is read past, and in its place the
 * parser gets a small one with the same topic, flags and packet identifier and only the beginning of the payload, so
 * that it is reported and acknowledged in its turn; closing the connection instead would bring it back first for ever.
 * What no honest broker sends (QoS 2 to a client that asked for 1, other packets of that size) ends the connection.
 */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { YggError } from '../base/errors.ts';

export interface PacketFilterOptions {
  /** Bytes of the largest PUBLISH that is passed on whole. */
  readonly maxPacket: number;
  /** Of MQTT: with 5 a PUBLISH has properties. */
  readonly version?: 4 | 5;
}

/** Payload bytes kept of an oversize PUBLISH; before it come a topic of any length and the packet identifier. */
const keptPayload = 4 * 1024;
const maxTopicLength = 65_535;
const keptBytes = 2 + maxTopicLength + 2 + keptPayload;
/** Bytes of the largest packet of any other type. */
const maxOther = 64 * 1024;
const publishType = 3;
/** Bytes from which a piece is not copied to be written together with others. */
const largePiece = 16 * 1024;
const nothing = Buffer.alloc(0);

/** The fixed header of a packet (MQTT 3.1.1, 2.2). */
interface FixedHeader {
  /** Type and flags. */
  readonly first: number;
  /** Bytes of the header itself. */
  readonly bytes: number;
  /** Bytes that follow it. */
  readonly length: number;
}

export class PacketFilter extends Duplex {
  readonly #socket: Duplex;
  readonly #maxPacket: number;
  readonly #version: 4 | 5;
  /** A fixed header that is not complete yet. */
  #rest: Buffer = nothing;
  /** Bytes of the current packet still to be passed on. */
  #passing = 0;
  /** Bytes of the current packet still to be read past. */
  #skipping = 0;
  /** Set if and only if `#skipping` is not 0: the packet that is read past, and its beginning. */
  #skipped: { readonly header: FixedHeader; readonly kept: Buffer[]; keptBytes: number } | undefined;
  /** Counts every PUBLISH passed on; the parser hands them out in the same order. */
  #publishes = 0;
  readonly #oversize = new Map<number, number>();
  #outgoing: Buffer[] = [];
  /** Set if and only if something is in `#outgoing`. */
  #flush: NodeJS.Immediate | undefined;

  constructor(socket: Duplex, { maxPacket, version = 4 }: PacketFilterOptions) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#maxPacket = maxPacket;
    this.#version = version;
    // Small PUBACKs and answers would wait for delayed acknowledgements otherwise: 22 ms instead of 0.3.
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** How many bytes the n-th PUBLISH (the first is 0) had when it was oversize; asked once for each. */
  takeOversize(publish: number): number | undefined {
    const size = this.#oversize.get(publish);
    if (size !== undefined) this.#oversize.delete(publish);
    return size;
  }

  override _read(): void {
    this.#socket.resume();
  }

  /** Packets are written in small pieces, and several in one turn: they go out together. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#outgoing.push(chunk);
    this.#flush ??= setImmediate(() => this.#writeOut());
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
    this.#skipped = undefined;
    this.#outgoing = [];
    callback(error);
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

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = nothing;
    /** Where the part begins that is passed on and was not pushed yet. */
    let from = 0;
    let at = 0;
    while (at < bytes.length && !this.destroyed) {
      if (this.#passing > 0) {
        const length = Math.min(this.#passing, bytes.length - at);
        this.#passing -= length;
        at += length;
      } else if (this.#skipping > 0) {
        const end = Math.min(at + this.#skipping, bytes.length);
        this.#skip(bytes.subarray(at, end));
        from = end;
        at = end;
      } else {
        const header = readFixedHeader(bytes, at);
        if (header === 'incomplete') {
          // Copied: a view would keep the whole chunk in memory.
          this.#rest = Buffer.from(bytes.subarray(at));
          break;
        }
        if (this.#admit(header)) {
          this.#passing = header.bytes + header.length;
        } else {
          this.#pass(bytes.subarray(from, at));
          at += header.bytes;
          from = at;
        }
      }
    }
    if (!this.destroyed) this.#pass(bytes.subarray(from, at));
  }

  #pass(bytes: Buffer): void {
    if (bytes.length > 0 && !this.push(bytes)) this.#socket.pause();
  }

  /** Whether the packet that begins is passed on; if not, it is read past, or the connection is over. */
  #admit(header: FixedHeader): boolean {
    const { first, bytes, length } = header;
    if (length < 0) {
      this.#refuse('a packet without a valid length');
      return false;
    }
    if (first >> 4 !== publishType) {
      if (length > maxOther) this.#refuse(`a packet of type ${first >> 4} with ${length} bytes`);
      return true;
    }
    if (qosOf(first) > 1) this.#refuse('a message with QoS 2 or 3');
    if (bytes + length <= this.#maxPacket) {
      this.#publishes += 1;
      return true;
    }
    this.#skipping = length;
    this.#skipped = { header, kept: [], keptBytes: 0 };
    return false;
  }

  #skip(part: Buffer): void {
    this.#skipping -= part.length;
    const skipped = this.#skipped;
    if (!skipped) return;
    const wanted = part.subarray(0, Math.max(0, keptBytes - skipped.keptBytes));
    if (wanted.length > 0) skipped.kept.push(Buffer.from(wanted));
    skipped.keptBytes += wanted.length;
    if (this.#skipping > 0) return;
    this.#skipped = undefined;
    this.#substitute(skipped.header, Buffer.concat(skipped.kept));
  }

  /** Passes on a PUBLISH with the beginning of the one that was read past. */
  #substitute({ first, bytes, length }: FixedHeader, start: Buffer): void {
    const topicLength = start.length < 2 ? maxTopicLength : start.readUInt16BE(0);
    const payloadStart = 2 + topicLength + (qosOf(first) > 0 ? 2 : 0);
    if (payloadStart > start.length) {
      this.#refuse('a topic longer than its packet');
      return;
    }
    const body = this.#withoutProperties(start, payloadStart);
    this.#oversize.set(this.#publishes, bytes + length);
    this.#publishes += 1;
    this.#pass(Buffer.concat([Buffer.from([first, ...encodeLength(body.length)]), body]));
  }

  /** The beginning of a packet, up to the kept part of its payload. `end`: of what stands before properties. */
  #withoutProperties(start: Buffer, end: number): Buffer {
    if (this.#version === 4) return start.subarray(0, end + keptPayload);
    const { bytes, length } = readLength(start, end) ?? { bytes: 0, length: start.length };
    // None are needed, and what is kept may end inside them.
    const payload = start.subarray(end + bytes + length);
    return Buffer.concat([start.subarray(0, end), Buffer.alloc(1), payload.subarray(0, keptPayload)]);
  }

  #refuse(what: string): void {
    this.destroy(new YggError('YGG_BROKER_PROTOCOL', `The broker sent ${what}; the connection is closed.`));
  }
}

function qosOf(first: number): number {
  return (first >> 1) & 3;
}

function readFixedHeader(bytes: Buffer, start: number): FixedHeader | 'incomplete' {
  const length = readLength(bytes, start + 1);
  return length ? { first: bytes[start] ?? 0, bytes: 1 + length.bytes, length: length.length } : 'incomplete';
}

/** A variable byte integer (MQTT 5, 1.5.5); a `length` below 0 stands for one that MQTT does not allow. */
function readLength(bytes: Buffer, start: number): { bytes: number; length: number } | undefined {
  let length = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return { bytes: index + 1, length };
  }
  return { bytes: 4, length: -1 };
}

function encodeLength(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}
