/** The fixed header of a packet (MQTT 3.1.1 and MQTT 5, 2.1.1), and the lengths in it. */

export interface FixedHeader {
  /** Type and flags. */
  readonly first: number;
  /** Bytes of the header itself. */
  readonly bytes: number;
  /** Bytes that follow it; below 0 for a length that MQTT does not allow. */
  readonly length: number;
}

export function readFixedHeader(bytes: Buffer, start: number): FixedHeader | 'incomplete' {
  const length = readLength(bytes, start + 1);
  return length ? { first: bytes[start] ?? 0, bytes: 1 + length.bytes, length: length.length } : 'incomplete';
}

/** A variable byte integer (MQTT 5, 1.5.5); a `length` below 0 stands for one that MQTT does not allow. */
export function readLength(
  bytes: Buffer,
  start: number,
): { readonly bytes: number; readonly length: number } | undefined {
  let length = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return { bytes: index + 1, length };
  }
  return { bytes: 4, length: -1 };
}

/** How many bytes `writeLength` writes. */
export function bytesOfLength(length: number): number {
  if (length < 128) return 1;
  if (length < 128 ** 2) return 2;
  return length < 128 ** 3 ? 3 : 4;
}

/** Writes a variable byte integer; gives back where it ends. */
export function writeLength(target: Buffer, start: number, length: number): number {
  let at = start;
  let rest = length;
  while (rest >= 128) {
    target[at] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
    at += 1;
  }
  target[at] = rest;
  return at + 1;
}
