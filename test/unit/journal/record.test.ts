import { describe, expect, test } from 'vitest';
import {
  DamagedRecord,
  sealContent,
  sealFields,
  unsealContent,
  unsealFields,
} from '../../../src/journal/record.ts';

test('fields come back in order and of their kinds', () => {
  const fields = unsealFields(sealFields(['ünïcode', 42, 1, 0, 'c', { __proto__x: 'a' }, null]));
  expect(fields.text()).toBe('ünïcode');
  expect(fields.number()).toBe(42);
  expect(fields.flag()).toBe(true);
  expect(fields.flag()).toBe(false);
  expect(fields.word({ a: true, c: true })).toBe('c');
  expect(fields.texts()).toEqual({ __proto__x: 'a' });
  expect(fields.texts()).toBeNull();
});

test('names that mean something to JavaScript are names like others', () => {
  const metadata = JSON.parse('{"__proto__":"x","constructor":"y"}');
  const texts = unsealFields(sealFields([metadata])).texts();
  expect(Object.entries(texts ?? {})).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  expect(Object.getPrototypeOf(texts)).toBeNull();
});

test('content is kept byte by byte', () => {
  const content = Buffer.from([0, 255, 10, 13, 0x22, 0xc3]);
  const { fields, content: read } = unsealContent(sealContent(['é', null], content));
  expect(fields.text()).toBe('é');
  expect(Buffer.compare(read, content)).toBe(0);
});

describe('a record that is not what was written', () => {
  test('is noticed whichever bit changed', () => {
    const record = Buffer.from(sealContent([{ a: 'b' }], Buffer.from('content')));
    for (let bit = 0; bit < record.length * 8; bit++) {
      const damaged = Buffer.from(record);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => unsealContent(damaged), `bit ${bit}`).toThrow(DamagedRecord);
    }
  });

  test('is noticed wherever it was cut off', () => {
    const record = sealContent([{ a: 'b' }], Buffer.from('content'));
    for (let size = 0; size < record.length; size++) {
      expect(() => unsealContent(record.subarray(0, size)), `${size} bytes`).toThrow(DamagedRecord);
    }
  });

  test('is noticed when a field is missing or of another kind', () => {
    const record = sealFields([{ a: 1 }, 7]);
    expect(() => unsealFields(record).texts()).toThrow('field 1 is not an object of texts');
    expect(() => unsealFields(record).text()).toThrow('field 1 is not a text');
    expect(() => unsealFields(sealFields(['toString'])).word({ a: true })).toThrow(
      'field 1 is not a known word',
    );
    expect(unsealFields(sealFields([])).lateFlag()).toBe(false);
    expect(unsealFields(sealFields([1])).lateFlag()).toBe(true);
    expect(() => unsealFields(sealFields([])).number()).toThrow('field 1 is not a number');
  });
});
