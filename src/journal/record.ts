/**
 * How a value lies on disk: a version byte, a CRC-32 of the rest, the rest.
 *
 * The rest is JSON (an array of fields, so that names cost nothing), and behind it, for bodies, the content as it
 * came. JSON because V8 writes and reads it natively in less time than any encoder in JavaScript needs, and because
 * a journal that somebody has to look into after an accident can then be read with `strings`.
 */
import { crc32 } from 'node:zlib';
import { asBuffer } from '../base/bytes.ts';

/** Counted up when a record changes its form. Records of the version before are read too. */
const recordVersion = 1;

const headerSize = 5;

/** A record that is not what was written; the reason says how. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
}

export function sealFields(fields: readonly unknown[]): Uint8Array {
  const text = JSON.stringify(fields);
  const record = Buffer.allocUnsafe(headerSize + Buffer.byteLength(text));
  record.write(text, headerSize);
  return seal(record);
}

export function unsealFields(record: Uint8Array): Fields {
  return parseFields(unseal(record).toString('utf8', headerSize));
}

/** Fields and, behind them, bytes that are kept as they are. */
export function sealContent(fields: readonly unknown[], content: Uint8Array): Uint8Array {
  const text = JSON.stringify(fields);
  const textSize = Buffer.byteLength(text);
  const record = Buffer.allocUnsafe(headerSize + 4 + textSize + content.length);
  record.writeUInt32LE(textSize, headerSize);
  record.write(text, headerSize + 4);
  record.set(content, headerSize + 4 + textSize);
  return seal(record);
}

export function unsealContent(record: Uint8Array): { fields: Fields; content: Uint8Array } {
  const bytes = unseal(record);
  if (bytes.length < headerSize + 4) throw new DamagedRecord('it is too short');
  const start = headerSize + 4;
  const end = start + bytes.readUInt32LE(headerSize);
  if (end > bytes.length) throw new DamagedRecord('it is cut off');
  return { fields: parseFields(bytes.toString('utf8', start, end)), content: bytes.subarray(end) };
}

function seal(record: Buffer): Buffer {
  record[0] = recordVersion;
  record.writeUInt32LE(crc32(record.subarray(headerSize)), 1);
  return record;
}

function unseal(record: Uint8Array): Buffer {
  const bytes = asBuffer(record);
  const version = bytes[0] ?? 0;
  if (bytes.length < headerSize) throw new DamagedRecord('it is too short');
  if (version > recordVersion || version < Math.max(1, recordVersion - 1)) {
    throw new DamagedRecord(`its version is ${version}`);
  }
  if (bytes.readUInt32LE(1) !== crc32(bytes.subarray(headerSize)))
    throw new DamagedRecord('its checksum is wrong');
  return bytes;
}

function parseFields(text: string): Fields {
  return new Fields(parseList(text));
}

function parseList(text: string): readonly unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new DamagedRecord('it is not JSON', { cause });
  }
  if (!Array.isArray(list)) throw new DamagedRecord('it is not a list');
  return list;
}

/** A list of so many lists of fields, without a seal of its own. */
export function readLists(bytes: Uint8Array, count: number): readonly Fields[] {
  const lists = parseList(asBuffer(bytes).toString());
  if (lists.length !== count) throw new DamagedRecord(`it has ${lists.length} lists of ${count}`);
  return lists.map((list) => {
    if (!Array.isArray(list)) throw new DamagedRecord('a list in it is none');
    return new Fields(list);
  });
}

/** The fields of a record, read in the order in which they were written. */
export class Fields {
  readonly #fields: readonly unknown[];
  #next = 0;

  constructor(fields: readonly unknown[]) {
    this.#fields = fields;
  }

  text(): string {
    const field = this.#take();
    if (typeof field !== 'string') throw this.#unexpected('a text');
    return field;
  }

  number(): number {
    const field = this.#take();
    if (typeof field !== 'number') throw this.#unexpected('a number');
    return field;
  }

  /** Written as 0 or 1. */
  flag(): boolean {
    return this.number() !== 0;
  }

  /** The same for a last field that older records do not have: they mean 0. */
  lateFlag(): boolean {
    return this.#next < this.#fields.length && this.flag();
  }

  /** The same for a text: empty in older records. */
  lateText(): string {
    return this.ended ? '' : this.text();
  }

  /** One of the names of `words`, so that the compiler finds a word that is missing there. */
  word<Word extends string>(words: Readonly<Record<Word, true>>): Word {
    const text = this.text();
    if (!isWord(words, text)) throw this.#unexpected('a known word');
    return text;
  }

  /** Whether there is nothing more: what was added to a record later is not in those written before. */
  get ended(): boolean {
    return this.#next >= this.#fields.length;
  }

  /** An object of texts, or `null`. */
  texts(): Readonly<Record<string, string>> | null {
    const field = this.#take();
    if (field === null) return null;
    if (typeof field !== 'object') throw this.#unexpected('an object');
    const texts: Record<string, string> = Object.create(null);
    for (const [name, value] of Object.entries(field)) {
      if (typeof value !== 'string') throw this.#unexpected('an object of texts');
      texts[name] = value;
    }
    return texts;
  }

  #take(): unknown {
    const field = this.#fields[this.#next];
    this.#next += 1;
    return field;
  }

  #unexpected(wanted: string): DamagedRecord {
    return new DamagedRecord(`field ${this.#next} is not ${wanted}`);
  }
}

function isWord<Word extends string>(words: Readonly<Record<Word, true>>, text: string): text is Word {
  return Object.hasOwn(words, text);
}
