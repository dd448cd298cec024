import { expect, test } from 'vitest';
import { daemonAddress } from '../../../src/worker/daemon-address.ts';

test.each([
  ['unix:/run/yggdrasil/d.sock', '20.20.2', 'unix:/run/yggdrasil/d.sock'],
  ['/run/yggdrasil/d.sock', '20.20.2', 'unix:/run/yggdrasil/d.sock'],
  ['@yggd-dispatcher', '22.1.0', 'unix:\0yggd-dispatcher'],
  ['unix:@yggd-dispatcher', '24.1.0', 'unix:\0yggd-dispatcher'],
  ['unix-abstract:yggd-dispatcher', '22.1.0', 'unix:\0yggd-dispatcher'],
])('%s on Node %s', (text, node, address) => {
  expect(daemonAddress(text, node)).toBe(address);
});

test.each([
  [undefined, 'YGG_SOCKET_ADDR is not set'],
  ['', 'YGG_SOCKET_ADDR is not set'],
  ['@yggd-dispatcher', 'use Node 22'],
])('%s is no address on Node 20', (text, sentence) => {
  expect(() => daemonAddress(text, '20.20.2')).toThrow(sentence);
});
