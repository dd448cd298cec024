/**
 * CRC-32 as zip and PNG use it (polynomial 0xEDB88320), four bytes at a time.
 *
 * Against accidents on disk, not against anybody: a record is 2^-32 likely to be damaged and not noticed.
 * In JavaScript because Node has `zlib.crc32` only from version 22 on.
 */

function nextTable(first: Uint32Array, previous: Uint32Array): Uint32Array {
  return previous.map((value) => (value >>> 8) ^ (first[value & 0xff] ?? 0));
}

const table0 = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const table1 = nextTable(table0, table0);
const table2 = nextTable(table0, table1);
const table3 = nextTable(table0, table2);

/** The checksum of `bytes` from `start` on; an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start = 0): number {
  let crc = -1;
  let at = start;
  const words = bytes.length - 3;
  // An index inside the loops is always within bounds; `?? 0` is what the compiler cannot see.
  for (; at < words; at += 4) {
    crc ^=
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    crc =
      (table3[crc & 0xff] ?? 0) ^
      (table2[(crc >>> 8) & 0xff] ?? 0) ^
      (table1[(crc >>> 16) & 0xff] ?? 0) ^
      (table0[crc >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (table0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}
