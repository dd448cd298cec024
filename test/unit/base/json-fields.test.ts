import { describe, expect, test } from 'vitest';
import { readFields, readString, readStringMap } from '../../../src/base/json-fields.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('readFields', () => {
  test('knows names in any case, escapes included, and the last of a repeated one', () => {
    const { fields, whole } = readFields(bytes('{"Name": 1, "n\\u0061me":2 , "NAME" : [3] }'));
    expect(whole).toBe(true);
    expect([...fields].map(([name, value]) => [name, value.toString()])).toEqual([['name', '[3]']]);
  });

  test('gives what comes before a fault', () => {
    const { fields, whole } = readFields(bytes('{"a":"x","b":'));
    expect(whole).toBe(false);
    expect([...fields.keys()]).toEqual(['a']);
  });
});

describe('readString', () => {
  test.each([
    ['"x"', 'x'],
    ['"\\u00e9\\n"', 'é\n'],
    ['"a\\ud800"', 'a\ufffd'],
    ['null', ''],
    ['1', undefined],
    ['{}', undefined],
  ])('%s', (text, expected) => {
    expect(readString(bytes(text))).toBe(expected);
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
