import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eachMember, isJson } from '../../../src/base/json-text.ts';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Text that is nearly JSON: real JSON with one character changed, dropped or doubled. */
const nearlyJson = fc
  .tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '0', '-', '.', 'e', ' ', '\n'),
  )
  .map(([text, at, put]) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + put + text.slice(index + (at % 2));
  });

describe('isJson', () => {
  test('agrees with JSON.parse about JSON and about nearly JSON', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), nearlyJson, fc.string()), (text) => {
        expect(isJson(Buffer.from(text))).toBe(parses(Buffer.from(text).toString()));
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '1e+',
    '-',
    '"\\x"',
    '"\\u12g4"',
    '"\n"',
    'nul',
    'truex',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    '',
    ' ',
  ])('refuses %j', (text) => {
    expect(isJson(Buffer.from(text))).toBe(false);
  });

  test('takes ten thousand levels and no more, without recursion', () => {
    const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
    expect(isJson(nested(10_001))).toBe(true);
    expect(isJson(nested(10_002))).toBe(false);
    expect(isJson(Buffer.from('['.repeat(1_000_000)))).toBe(false);
  });
});

describe('eachMember', () => {
  function members(text: string): { readonly whole: boolean; readonly found: readonly string[] } {
    const bytes = Buffer.from(text);
    const found: string[] = [];
    const whole = eachMember(bytes, (keyStart, keyEnd, start, end) => {
      found.push(`${bytes.subarray(keyStart, keyEnd)}=${bytes.subarray(start, end)}`);
    });
    return { whole, found };
  }

  test('visits the top level in order, spaces cut off and repeated keys kept', () => {
    expect(members(' { "a" : [ 1 , {"a":2} ] ,\n"b":"}" , "a": 1e400 } ')).toEqual({
      whole: true,
      found: ['a=[ 1 , {"a":2} ]', 'b="}"', 'a=1e400'],
    });
    expect(members('{ }')).toEqual({ whole: true, found: [] });
  });

  test('visits what comes before the text breaks off, but never a value that may have been cut', () => {
    expect(members('{"a":"x","b":12')).toEqual({ whole: false, found: ['a="x"'] });
    expect(members('{"a":1,"b":')).toEqual({ whole: false, found: ['a=1'] });
    expect(members('{"a":1} x')).toEqual({ whole: false, found: ['a=1'] });
    expect(members('[1]')).toEqual({ whole: false, found: [] });
  });
});
