import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createSecureContext, rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { secureOptions } from '../../../src/base/tls.ts';
import { commonName, type LoadedTls, loadTls, type TlsFiles } from '../../../src/host/certificate.ts';
import { createCertificates } from '../../helpers/certificates.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';

const certificates = createCertificates(fileScope());
const pair = certificates.client('host-1');

function load(
  files: Partial<TlsFiles>,
  now: number = Date.now(),
): { material: LoadedTls; warnings: string[] } {
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_fields: unknown, sentence: string) => warnings.push(sentence) };
  const none: TlsFiles = { certFile: undefined, keyFile: undefined, caRoot: [] };
  return { material: loadTls({ ...none, ...files }, { log, clock: { now: () => now } }), warnings };
}

test('nothing configured is nothing presented, and the usual trust', () => {
  expect(load({}).material).toEqual({ cert: undefined, key: undefined, ca: [], commonName: '' });
});

test('a pair and an authority make a secure context', () => {
  const { material, warnings } = load({ certFile: pair.cert, keyFile: pair.key, caRoot: [certificates.ca] });
  expect(material.commonName).toBe('host-1');
  expect(material.ca).toHaveLength(rootCertificates.length + 1);
  expect(warnings).toEqual([]);
  createSecureContext(secureOptions(material));
});

test('a key that is not the certificate’s is refused', () => {
  const other = certificates.client('host-2');
  expect(() => load({ certFile: pair.cert, keyFile: other.key })).toThrow(
    expect.objectContaining({
      code: 'YGG_CONFIG_FILE',
      message: `key-file ${other.key} is not the key of cert-file ${pair.cert}; give the two that were issued together.`,
    }),
  );
});

test('files that are missing or hold something else are named', () => {
  const file = path.join(tempDir(testScope()), 'nonsense.pem');
  expect(() => load({ certFile: file, keyFile: pair.key })).toThrow(
    /cert-file .*nonsense\.pem cannot be read/,
  );
  writeFileSync(file, 'nonsense');
  expect(() => load({ certFile: file, keyFile: pair.key })).toThrow(/does not hold a certificate/);
  expect(() => load({ certFile: pair.cert, keyFile: file })).toThrow(/does not hold a private key/);
  expect(() => load({ caRoot: [file] })).toThrow(/ca-root .*nonsense\.pem does not hold a certificate/);
});

test('a key that others can read, and a certificate that has expired, are warned about', () => {
  const open = certificates.client('open');
  chmodSync(open.key, 0o644);
  const { warnings } = load({ certFile: open.cert, keyFile: open.key }, Date.now() + 30 * 86_400_000);
  expect(warnings).toEqual([
    `other users can read the private key; run: chmod o= ${open.key}`,
    'the client certificate has expired',
  ]);
});

test('the common name is that of the subject alone', () => {
  expect(commonName(new X509Certificate(readFileSync(pair.cert)))).toBe('host-1');
  const { cert } = certificates.client('with spaces/OU=unit');
  expect(commonName(new X509Certificate(readFileSync(cert)))).toBe('with spaces');
});

test('a file that others could change is refused, whichever of the three it is', () => {
  const [certFile, keyFile, authority] = [pair.cert, pair.key, certificates.ca].map((file) => {
    const copy = path.join(tempDir(testScope()), path.basename(file));
    writeFileSync(copy, readFileSync(file), { mode: 0o600 });
    return copy;
  });
  const files = { certFile, keyFile, caRoot: [authority ?? ''] };
  expect(load(files).material.commonName).toBe('host-1');
  for (const file of [certFile, keyFile, authority]) {
    chmodSync(file ?? '', 0o602);
    expect(() => load(files)).toThrow(
      expect.objectContaining({
        code: 'YGG_UNSAFE_PATH',
        message: `${file} can be changed by everybody (mode 0602); run: chmod o-w ${file}`,
      }),
    );
    chmodSync(file ?? '', 0o600);
  }
});
