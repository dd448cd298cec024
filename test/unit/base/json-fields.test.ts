import { describe, expect, test } from 'vitest';
import { Fields, readStringMap } from '../../../src/base/json-fields.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('Fields', () => {
  test('knows names in any case, escapes included, and the last of a repeated one', () => {
    const fields = new Fields(bytes('{"Name": 1, "n\\u0061me":2 , "NAME" : [3] }'));
    expect(fields.whole).toBe(true);
    expect(fields.names).toEqual(['name']);
    expect(fields.bytes('name')?.toString()).toBe('[3]');
  });

  test('gives what comes before a fault', () => {
    const fields = new Fields(bytes('{"a":"x","b":'));
    expect([fields.whole, fields.names]).toEqual([false, ['a']]);
  });

  test.each([
    ['"x"', 'x'],
    ['"\\u00e9\\n"', 'é\n'],
    ['"é"', 'é'],
    ['"a\\ud800"', 'a\ufffd'],
    ['null', ''],
    ['1', undefined],
    ['{}', undefined],
  ])('the string %s, in a short text and in a long one', (text, expected) => {
    for (const other of ['', 'o'.repeat(2_000)]) {
      const fields = new Fields(bytes(`{"other":"${other}","field":${text}}`));
      expect(fields.string('field')).toBe(expected);
    }
  });

  test('what is not there is empty', () => {
    const fields = new Fields(bytes('{}'));
    expect([fields.has('a'), fields.bytes('a'), fields.string('a'), fields.stringMap('a')]).toEqual([
      false,
      undefined,
      '',
      null,
    ]);
  });
});

describe('readStringMap', () => {
  test('makes strings of everything flat, and has no prototype', () => {
    const map = readStringMap(bytes('{"a":"x","b":null,"c":1e2,"d":false,"__proto__":"p"}'));
    expect(Object.entries(map ?? {})).toEqual([
      ['a', 'x'],
      ['b', ''],
      ['c', '1e2'],
      ['d', 'false'],
      ['__proto__', 'p'],
    ]);
    expect(Object.getPrototypeOf(map)).toBeNull();
  });

  test.each(['{"a":{}}', '{"a":[]}', '[]', '"x"', '1'])('refuses %s', (text) => {
    expect(readStringMap(bytes(text))).toBeUndefined();
  });

  test('null is none', () => {
    expect(readStringMap(bytes('null'))).toBeNull();
  });
});
