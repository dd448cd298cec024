import { expect, test } from 'vitest';
import { nearest } from '../../../src/config/nearest.ts';

const known = ['log-level', 'log-format', 'broker', 'cert-file', 'key-file', 'mqtt-keep-alive'];

test.each([
  ['log_level', 'log-level'],
  ['LOG-LEVEL', 'log-level'],
  ['log-levl', 'log-level'],
  ['borker', 'broker'],
  ['brokers', 'broker'],
  ['certfile', 'cert-file'],
  ['mqtt-keepalive', 'mqtt-keep-alive'],
])('%s is probably %s', (word, meant) => {
  expect(nearest(word, known)).toBe(meant);
});

test.each(['', 'x', 'colour', 'constructor'])('%j is none of them', (word) => {
  expect(nearest(word, known)).toBeUndefined();
});
