import { describe, expect, test } from 'vitest';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';

describe('parseBrokerAddress', () => {
  test.each([
    ['tcp://localhost', 'tcp', 1883],
    ['mqtt://localhost', 'tcp', 1883],
    ['ssl://localhost', 'tls', 8883],
    ['tls://localhost', 'tls', 8883],
    ['mqtts://localhost', 'tls', 8883],
    ['tcps://localhost', 'tls', 8883],
    ['mqtt+ssl://localhost', 'tls', 8883],
    ['ws://localhost', 'ws', 80],
    ['wss://localhost', 'wss', 443],
    ['tcp://localhost:1884', 'tcp', 1884],
  ])('%s is %s on port %d', (url, transport, port) => {
    expect(parseBrokerAddress(url)).toMatchObject({ host: 'localhost', transport, port });
  });

  test('takes IPv6 addresses, and user and password, which are never shown', () => {
    expect(parseBrokerAddress('mqtts://yggd:p%40ss@[::1]:1')).toEqual({
      name: 'mqtts://[::1]:1',
      transport: 'tls',
      host: '::1',
      port: 1,
      path: '/',
      username: 'yggd',
      password: 'p@ss',
    });
  });

  test('keeps the path of a websocket', () => {
    expect(parseBrokerAddress('wss://me:secret@a/mqtt?tenant=1')).toMatchObject({
      name: 'wss://a',
      path: '/mqtt?tenant=1',
    });
  });

  test.each([
    ['localhost:1883', 'expected a URL'],
    ['', 'expected a URL'],
    ['tcp://', 'expected a URL'],
    ['http://localhost', 'expected one of tcp, mqtt'],
    ['tcp://yggd:50%@localhost', 'is written %25'],
  ])('refuses %j', (url, words) => {
    expect(() => parseBrokerAddress(url)).toThrow(
      expect.objectContaining({ code: 'YGG_CONFIG', message: expect.stringContaining(words) }),
    );
  });

  test.each([
    'xx://yggd:secret@host',
    'xx://yggd:a@secret@host',
    'xx://yggd:a/secret@host',
    'tcp://yggd:secret%@host',
  ])('shows no password of an address it refuses: %s', (url) => {
    expect(() => parseBrokerAddress(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});
