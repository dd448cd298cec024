import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { clientId } from '../../../src/host/client-id.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const unset = { given: undefined, commonName: '', newId: () => 'made' };

test('the option wins over the certificate, the certificate over what is kept', () => {
  const stateDir = tempDir(testScope());
  writeFileSync(path.join(stateDir, 'client-id'), 'kept\n');
  expect(clientId({ ...unset, given: 'given', commonName: 'cn', stateDir })).toBe('given');
  expect(clientId({ ...unset, commonName: 'cn', stateDir })).toBe('cn');
  expect(clientId({ ...unset, stateDir })).toBe('kept');
});

test('one is made once and kept, for nobody else to read', () => {
  const stateDir = tempDir(testScope());
  expect(clientId({ ...unset, stateDir })).toBe('made');
  expect(clientId({ ...unset, stateDir, newId: () => 'another' })).toBe('made');
  const file = path.join(stateDir, 'client-id');
  expect(readFileSync(file, 'utf8')).toBe('made\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('an id that is made is a UUID', () => {
  const stateDir = tempDir(testScope());
  expect(clientId({ given: undefined, commonName: '', stateDir })).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

describe('what cannot be part of a topic is refused', () => {
  test.each(['a/b', 'a+', '#', 'a\0b', 'a\nb', 'x'.repeat(1025)])('%j', (commonName) => {
    expect(() => clientId({ ...unset, commonName, stateDir: '/nowhere' })).toThrow(
      expect.objectContaining({ code: 'YGG_CONFIG_FILE', message: expect.stringContaining('Set client-id') }),
    );
  });

  test('also when it was kept', () => {
    const stateDir = tempDir(testScope());
    writeFileSync(path.join(stateDir, 'client-id'), 'a/b');
    expect(() => clientId({ ...unset, stateDir })).toThrow(/client-id cannot be the client id/);
  });
});
