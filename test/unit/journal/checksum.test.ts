import { expect, test } from 'vitest';
import { crc32 } from '../../../src/journal/checksum.ts';

test.each([
  ['', 0x00000000],
  ['a', 0xe8b7be43],
  ['123456789', 0xcbf43926],
  ['The quick brown fox jumps over the lazy dog', 0x414fa339],
])('of %j is what everybody else computes', (text, checksum) => {
  expect(crc32(Buffer.from(text))).toBe(checksum);
});

test('begins where it is told to', () => {
  expect(crc32(Buffer.from('xyz123456789'), 3)).toBe(0xcbf43926);
});
