import { expect, test } from 'vitest';
import { requestHash } from '../../../src/journal/request-hash.ts';

const content = Buffer.from('"hello"');
const hash = requestHash('echo', { a: '1', b: '2' }, content);

test('the same message has the same hash', () => {
  expect(requestHash('echo', { b: '2', a: '1' }, Buffer.from('"hello"'))).toBe(hash);
  expect(requestHash('echo', null, content)).toBe(requestHash('echo', {}, content));
});

test.each([
  ['directive', requestHash('ech', { a: '1', b: '2' }, content)],
  ['metadata', requestHash('echo', { a: '1', b: '3' }, content)],
  ['metadata name', requestHash('echo', { a: '1', c: '2' }, content)],
  ['content', requestHash('echo', { a: '1', b: '2' }, Buffer.from('"hellO"'))],
])('another %s makes another hash', (_, other) => {
  expect(other).not.toBe(hash);
});
