import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { TlsFiles } from '../../../src/host/certificate.ts';
import { type Certificates, openCertificates } from '../../../src/host/certificates.ts';
import { createCertificates, type KeyPair } from '../../helpers/certificates.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';

const authority = createCertificates(fileScope());
const [first, second, other] = [
  authority.client('host-1'),
  authority.client('host-1'),
  authority.client('host-2'),
];

interface Opened {
  readonly certificates: Certificates;
  readonly files: TlsFiles & { readonly certFile: string; readonly keyFile: string };
  readonly clock: HandClock;
  readonly warnings: string[];
  /** How often it was said that they changed. */
  changes(): number;
  /** The next look at the files, and what it saw has settled. */
  look(): void;
}

function put(pair: Partial<KeyPair>, folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (pair.cert) copyFileSync(pair.cert, path.join(folder, 'cert.pem'));
  if (pair.key) copyFileSync(pair.key, path.join(folder, 'key.pem'));
}

function open({ nameIsClientId = true, below = '' } = {}): Opened & { readonly folder: string } {
  const scope = testScope();
  const folder = tempDir(scope);
  put(first, path.join(folder, 'one'));
  put(first, folder);
  symlinkSync('one', path.join(folder, 'current'));
  const at = path.join(folder, below);
  const files = { certFile: path.join(at, 'cert.pem'), keyFile: path.join(at, 'key.pem'), caRoot: [] };
  const clock = new HandClock(Date.now());
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_: unknown, sentence: string) => void warnings.push(sentence) };
  const certificates = openCertificates({ files, nameIsClientId, clock, log });
  scope.defer(() => certificates.close());
  let changes = 0;
  certificates.onChange(() => {
    changes += 1;
  });
  const look = (): void => {
    clock.wind(10_000);
    clock.wind(500);
  };
  return { certificates, folder, files, clock, warnings, changes: () => changes, look };
}

test('another pair for the same name is used, and said once', () => {
  const { certificates, folder, changes, look } = open();
  const before = certificates.current;
  look();
  expect(changes()).toBe(0);
  put(second, folder);
  look();
  expect(changes()).toBe(1);
  expect(certificates.current).not.toBe(before);
  expect(certificates.current.cert).not.toEqual(before.cert);
  look();
  expect(changes()).toBe(1);
});

test('a pair behind a link that is swapped is used', () => {
  const { certificates, folder, changes, look } = open({ below: 'current' });
  put(second, path.join(folder, 'two'));
  symlinkSync('two', path.join(folder, 'next'));
  renameSync(path.join(folder, 'next'), path.join(folder, 'current'));
  look();
  expect(changes()).toBe(1);
  expect(certificates.current.commonName).toBe('host-1');
});

test('the same pair written again changes nothing', () => {
  const { folder, changes, look } = open();
  put(first, folder);
  look();
  expect(changes()).toBe(0);
});

test.each<[string, (folder: string) => void, string]>([
  ['half of a pair', (folder) => put({ cert: second.cert }, folder), 'changed certificates cannot be used'],
  [
    'half a file',
    (folder) => writeFileSync(path.join(folder, 'cert.pem'), '-----BEGIN CERTIFICATE-----\nMII'),
    'changed certificates cannot be used',
  ],
  [
    'no file any more',
    (folder) => rmSync(path.join(folder, 'key.pem')),
    'changed certificates cannot be used',
  ],
  ['another host', (folder) => put(other, folder), 'the certificate names another host'],
])('%s is said and not used, and what comes after it is', (_, damage, sentence) => {
  const { certificates, folder, warnings, changes, look } = open();
  const before = certificates.current;
  damage(folder);
  look();
  expect(warnings).toEqual([expect.stringContaining(sentence)]);
  expect(certificates.current).toBe(before);
  put(second, folder);
  look();
  expect(changes()).toBe(1);
  expect(warnings).toHaveLength(1);
});

test('another name is used at once when the client id does not follow from it', () => {
  const { certificates, folder, changes, look } = open({ nameIsClientId: false });
  put(other, folder);
  look();
  expect(changes()).toBe(1);
  expect(certificates.current.commonName).toBe('host-2');
});

test('other files can be named, and are the ones that are watched from then on', () => {
  const { certificates, folder, files, warnings, changes, look } = open();
  put(second, path.join(folder, 'two'));
  const two = path.join(folder, 'two');
  expect(
    certificates.refresh({
      ...files,
      certFile: path.join(two, 'cert.pem'),
      keyFile: path.join(two, 'key.pem'),
    }),
  ).toBe(true);
  expect(changes()).toBe(1);
  rmSync(path.join(folder, 'cert.pem'));
  look();
  expect(warnings).toEqual([]);
  put(first, two);
  look();
  expect(changes()).toBe(2);
  expect(certificates.refresh({ ...files, certFile: path.join(two, 'none.pem') })).toBe(false);
  expect(warnings).toHaveLength(1);
});

test('nothing is watched where nothing is named, and nothing after the end', () => {
  const none = { certFile: undefined, keyFile: undefined, caRoot: [] };
  const clock = new HandClock();
  const certificates = openCertificates({ files: none, nameIsClientId: true, clock, log: silentLogger });
  expect(clock.waits).toEqual([]);
  expect(certificates.current.commonName).toBe('');
  expect(() =>
    openCertificates({
      files: { ...none, caRoot: ['/nowhere.pem'] },
      nameIsClientId: true,
      clock,
      log: silentLogger,
    }),
  ).toThrow(expect.objectContaining({ code: 'YGG_CONFIG_FILE' }));
  expect(clock.waits).toEqual([]);
});
