import type { LookupAddress } from 'node:dns';
import { describe, expect, test } from 'vitest';
import { isLocalAddress, publicLookup, type Resolve } from '../../../src/http/addresses.ts';

describe('local addresses', () => {
  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:0:0',
    '::ffff:169.254.169.254',
    'fe80::1',
    'febf::1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::127.0.0.1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd20:ce::254',
    '::ffff:100.100.100.200',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
  ])('%s is local', (address) => {
    expect(isLocalAddress(address)).toBe(true);
  });

  test.each([
    '10.0.0.1',
    '192.168.1.1',
    '128.0.0.1',
    '169.253.0.1',
    '1.1.1.1',
    'fd00::1',
    'fec0::1',
    '2001:db8::1',
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:a00:1::',
    '100.100.100.201',
    '2600::1',
  ])('%s is not', (address) => {
    expect(isLocalAddress(address)).toBe(false);
  });
});

interface Found {
  readonly error: Error | null;
  readonly address: string | LookupAddress[];
}

function look(resolve: Resolve, all: boolean): Promise<Found> {
  return new Promise((done) => {
    publicLookup(resolve)('content.example.com', { all }, (error, address) => done({ error, address }));
  });
}

function answering(...addresses: string[]): Resolve {
  return (_, __, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
}

describe('names', () => {
  test('local addresses are left out of the answer', async () => {
    const { address } = await look(answering('127.0.0.1', '192.0.2.1', '::1', '2001:db8::1'), true);
    expect(address).toEqual([
      { address: '192.0.2.1', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ]);
    expect((await look(answering('127.0.0.1', '192.0.2.1'), false)).address).toBe('192.0.2.1');
  });

  test('a name with nothing but local addresses is refused, and the line to add is named', async () => {
    const { error } = await look(answering('169.254.169.254', '::1'), true);
    expect(error).toMatchObject({ code: 'YGG_CONTENT_REFUSED' });
    expect(error?.message).toContain('169.254.169.254');
    expect(error?.message).toContain('content-hosts = ["content.example.com"]');
  });

  test('an error of the resolver comes through', async () => {
    const failure = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    expect((await look((_, __, callback) => callback(failure, []), true)).error).toBe(failure);
  });
});
