import { expect, test } from 'vitest';
import { readServer, serverText } from '../../../src/registration/server.ts';

test.each([
  ['https://rhsm.example.com:8443/rhsm/', 'rhsm.example.com:8443/rhsm'],
  ['https://rhsm.example.com', 'rhsm.example.com:443/subscription'],
  ['rhsm.example.com:8443', 'rhsm.example.com:8443/subscription'],
  ['rhsm.example.com/rhsm', 'rhsm.example.com:443/rhsm'],
  ['https://[2001:db8::1]/rhsm', '[2001:db8::1]:443/rhsm'],
])('%s is %s', (text, server) => {
  expect(serverText(readServer(text))).toBe(server);
});

test.each(['', 'http://a.example', 'https://u:p@a.example', 'https://', 'https://a.example/?q', 'no host'])(
  '%j is none',
  (text) => expect(() => readServer(text)).toThrow(`--server "${text}" is no address of a server`),
);
