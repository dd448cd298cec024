import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compactJson, indentedJson } from '../../../src/base/json-layout.ts';

test('is what JSON.stringify makes of any value', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (text, space) => {
      const value: unknown = JSON.parse(text);
      const given = JSON.stringify(value, undefined, space);
      expect(compactJson(given)).toBe(JSON.stringify(value));
      expect(indentedJson(given)).toBe(JSON.stringify(value, undefined, 2));
    }),
  );
});

test('keeps what a value could not hold: big integers, fractions of zero, repeated keys', () => {
  const text = '{ "n": 12345678901234567890, "z": 1.0, "n": -0 }';
  expect(compactJson(text)).toBe('{"n":12345678901234567890,"z":1.0,"n":-0}');
  expect(indentedJson(text)).toBe('{\n  "n": 12345678901234567890,\n  "z": 1.0,\n  "n": -0\n}');
});

test('leaves structure inside strings alone', () => {
  expect(indentedJson('["a\\"],{ b", []]')).toBe('[\n  "a\\"],{ b",\n  []\n]');
});
