/**
 * How a transaction lies in the write-ahead log: one record, there whole or not at all.
 *
 *   mark         8 bytes   the same for all records of a segment, and for no others
 *   checksum     4 bytes   CRC-32 of everything behind it
 *   size         4 bytes   of the writes, in bytes
 *   segment      4 bytes   number of the segment
 *   number       4 bytes   of the record within its segment, from 0
 *   flushed      4 bytes   how many records of its segment were flushed when it was written
 *   predecessor  4 bytes   how many records the segment before has, all of them flushed
 *   writes
 *
 * A write is: the name of its table (a byte for the length, 0: that of the write before), the kind of its key (a byte),
 * the key, the length of the value (4 bytes, 0xffffffff: removed), the value. Numbers are little-endian; a number in a
 * key is a 64-bit float, a text has 4 bytes for its length before it.
 *
 * The mark is random: contents come from strangers, and behind the last record of a segment lies what an older one left in
 * the file. Nobody who cannot read the file can send something that is a record of the next one.
 */
import { crc32 } from 'node:zlib';
import type { Key, Write } from './store.ts';

export interface RecordPlace {
  /** {@link markSize} bytes. */
  readonly mark: Uint8Array;
  readonly segment: number;
  readonly number: number;
  readonly flushed: number;
  readonly predecessor: number;
}

export interface LogRecord extends RecordPlace {
  readonly writes: readonly Write[];
  /** Where the next one begins. */
  readonly end: number;
}

export interface Traces {
  /** Number of their segment; 0 when there is none. */
  readonly segment: number;
  /** How many of its records were flushed. */
  readonly flushed: number;
}

export const markSize = 8;
export const headerSize = 32;
/** The checksum covers what is behind it. */
const summedFrom = 12;
const removed = 0xffff_ffff;
const kinds = { number: 0, text: 1, pair: 2 } as const;
/** Bytes of a value from which on it is not copied. */
const large = 32 * 1024;
/** Bytes that are kept from one record to the next. */
const scratchSize = 128 * 1024;

/** Owns a place to put records together, for one record at a time. */
export class RecordEncoder {
  readonly #scratch = Buffer.allocUnsafeSlow(scratchSize);

  /** What has to be written one behind the other; good until the next call. */
  encode(
    { mark, segment, number, flushed, predecessor }: RecordPlace,
    writes: readonly Write[],
  ): Uint8Array[] {
    const needed = largestSize(writes);
    const bytes = needed <= scratchSize ? this.#scratch : Buffer.allocUnsafe(needed);
    const pieces: Uint8Array[] = [];
    let from = 0;
    let at = headerSize;
    let before = '';
    for (const { table, key, value } of writes) {
      at = writeTable(bytes, at, table === before ? '' : table);
      before = table;
      at = writeKey(bytes, at, key);
      at = bytes.writeUInt32LE(value ? value.length : removed, at);
      if (!value) continue;
      if (value.length < large) {
        bytes.set(value, at);
        at += value.length;
      } else {
        pieces.push(bytes.subarray(from, at), value);
        from = at;
      }
    }
    if (at > from) pieces.push(bytes.subarray(from, at));
    bytes.set(mark, 0);
    bytes.writeUInt32LE(pieces.reduce((size, piece) => size + piece.length, 0) - headerSize, 12);
    bytes.writeUInt32LE(segment, 16);
    bytes.writeUInt32LE(number, 20);
    bytes.writeUInt32LE(flushed, 24);
    bytes.writeUInt32LE(predecessor, 28);
    bytes.writeUInt32LE(checksumOf(pieces), 8);
    return pieces;
  }
}

/** The record that begins at `at`; `undefined` when none is there, or not all of it. Its values are parts of `bytes`. */
export function decodeRecord(bytes: Buffer, at: number): LogRecord | undefined {
  if (bytes.length - at < headerSize) return undefined;
  const end = at + headerSize + bytes.readUInt32LE(at + 12);
  if (end > bytes.length) return undefined;
  if (bytes.readUInt32LE(at + 8) !== crc32(bytes.subarray(at + summedFrom, end))) return undefined;
  return {
    mark: bytes.subarray(at, at + markSize),
    segment: bytes.readUInt32LE(at + 16),
    number: bytes.readUInt32LE(at + 20),
    flushed: bytes.readUInt32LE(at + 24),
    predecessor: bytes.readUInt32LE(at + 28),
    writes: readWrites(bytes, at + headerSize, end),
    end,
  };
}

/** What the records with this mark say that lie from `at` on, close together or not. */
export function tracesOf(bytes: Buffer, at: number, mark: Uint8Array): Traces {
  let segment = 0;
  let flushed = 0;
  // Zeros are what was never written.
  if (mark.every((byte) => byte === 0)) return { segment, flushed };
  for (let found = bytes.indexOf(mark, at); found >= 0; found = bytes.indexOf(mark, found + 1)) {
    const record = decodeRecord(bytes, found);
    if (!record) continue;
    segment = record.segment;
    flushed = Math.max(flushed, record.flushed);
  }
  return { segment, flushed };
}

/** Of the pieces of a record; the first has the whole header in it. */
function checksumOf(pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const [index, piece] of pieces.entries())
    sum = crc32(index === 0 ? piece.subarray(summedFrom) : piece, sum);
  return sum;
}

function largestSize(writes: readonly Write[]): number {
  let size = headerSize;
  for (const { table, key, value } of writes) {
    // A code unit is three bytes at most.
    const text = typeof key === 'string' ? key : typeof key === 'object' ? key[0] : '';
    size += 1 + table.length + 1 + 12 + 3 * text.length + 4;
    if (value && value.length < large) size += value.length;
  }
  return size;
}

/** The names of tables are ours: ASCII, and shorter than 256. */
function writeTable(bytes: Buffer, at: number, table: string): number {
  bytes[at] = table.length;
  return at + 1 + bytes.write(table, at + 1, 'latin1');
}

function writeKey(bytes: Buffer, at: number, key: Key): number {
  if (typeof key === 'number') {
    bytes[at] = kinds.number;
    return bytes.writeDoubleLE(key, at + 1);
  }
  if (typeof key === 'string') {
    bytes[at] = kinds.text;
    return writeText(bytes, at + 1, key);
  }
  bytes[at] = kinds.pair;
  return bytes.writeDoubleLE(key[1], writeText(bytes, at + 1, key[0]));
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const size = bytes.write(text, at + 4);
  bytes.writeUInt32LE(size, at);
  return at + 4 + size;
}

/** Of a record whose checksum is right. */
function readWrites(bytes: Buffer, start: number, end: number): readonly Write[] {
  const writes: Write[] = [];
  // Code that is not compiled yet, as it is at a start, reads numbers twice as fast from a view as from a buffer.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  let table = '';
  const number = (): number => {
    at += 8;
    return view.getFloat64(at - 8, true);
  };
  const size = (): number => {
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const text = (length: number): string => {
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const key = (kind: number | undefined): Key => {
    at += 1;
    if (kind === kinds.number) return number();
    const name = text(size());
    return kind === kinds.text ? name : [name, number()];
  };
  while (at < end) {
    const length = bytes[at] ?? 0;
    at += 1;
    if (length > 0) table = text(length);
    const written = key(bytes[at]);
    const valueSize = size();
    if (valueSize === removed) {
      writes.push({ table, key: written, value: undefined });
    } else {
      writes.push({ table, key: written, value: bytes.subarray(at, at + valueSize) });
      at += valueSize;
    }
  }
  return writes;
}
