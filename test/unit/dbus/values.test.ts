import { Variant } from 'dbus-next';
import { expect, test } from 'vitest';
import { bodyOf, plain } from '../../../src/dbus/values.ts';

test('a text under v goes out as a variant of a string', () => {
  const { signature, body } = bodyOf([
    ['s', 'server.port'],
    ['v', '443'],
    ['a{sv}', {}],
  ]);
  expect(signature).toBe('sva{sv}');
  expect(body).toEqual(['server.port', new Variant('s', '443'), {}]);
});

test('what comes in has no variants at any depth', () => {
  const deep = new Variant('a{sv}', { a: new Variant('av', [new Variant('s', 'x'), 1n]) });
  expect(plain([deep, true])).toEqual([{ a: ['x', 1n] }, true]);
});
