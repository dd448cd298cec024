import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeRecord, markSize, RecordEncoder, tracesOf } from '../../../src/journal/log-record.ts';
import type { Write } from '../../../src/journal/store.ts';

const writes: readonly Write[] = [
  { table: 'a', key: 1, value: Buffer.from('one') },
  { table: 'a', key: Number.MAX_SAFE_INTEGER, value: undefined },
  { table: 'a', key: ['Grüße 👋', 7], value: Buffer.alloc(0) },
  { table: 'longer name', key: 'näme', value: randomBytes(40_000) },
  { table: 'longer name', key: '', value: Buffer.from('last') },
  { table: 'a', key: 2, value: randomBytes(200_000) },
];

function bytesOf(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(pieces);
}

function textsOf(given: readonly Write[]): unknown[] {
  return given.map(({ table, key, value }) => [table, key, value && Buffer.from(value).toString('hex')]);
}

test('a record is read as it was written', () => {
  const place = { mark: randomBytes(markSize), segment: 7, number: 3, flushed: 2, predecessor: 40 };
  const bytes = bytesOf(new RecordEncoder().encode(place, writes));
  const record = decodeRecord(Buffer.concat([Buffer.alloc(5), bytes]), 5);
  expect(record).toMatchObject({ segment: 7, number: 3, flushed: 2, predecessor: 40, end: 5 + bytes.length });
  expect(Buffer.compare(record?.mark ?? Buffer.alloc(0), place.mark)).toBe(0);
  expect(textsOf(record?.writes ?? [])).toEqual(textsOf(writes));
});

test('a record of which one byte is another is none', () => {
  const place = { mark: randomBytes(markSize), segment: 1, number: 0, flushed: 0, predecessor: 0 };
  const bytes = bytesOf(new RecordEncoder().encode(place, writes.slice(0, 3)));
  for (let at = markSize; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    expect(decodeRecord(damaged, 0), `${at}`).toBeUndefined();
  }
  for (let size = 0; size < bytes.length; size++) {
    expect(decodeRecord(bytes.subarray(0, size), 0), `${size}`).toBeUndefined();
  }
});

test('what was flushed is told by records with the same mark, and by no others', () => {
  const mark = randomBytes(markSize);
  const encoder = new RecordEncoder();
  const record = (own: Uint8Array, flushed: number): Buffer =>
    bytesOf(
      encoder.encode({ mark: own, segment: 1, number: 9, flushed, predecessor: 0 }, writes.slice(0, 1)),
    );
  const torn = record(mark, 50).subarray(0, -1);
  const bytes = Buffer.concat([torn, record(mark, 4), randomBytes(100), record(randomBytes(markSize), 60)]);
  expect(tracesOf(bytes, 0, mark)).toEqual({ segment: 1, flushed: 4 });
  expect(tracesOf(bytes, torn.length + 1, mark)).toEqual({ segment: 0, flushed: 0 });
});
