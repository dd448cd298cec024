/** A certificate authority with a server and client certificates, made by openssl. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  /** For 127.0.0.1 and localhost. */
  readonly server: KeyPair;
  /** Signs another one, for these host names. */
  serverFor(names: readonly string[]): KeyPair;
  /** Signs another client certificate with this Common Name. */
  client(commonName: string): KeyPair;
}

export function createCertificates(scope: Scope): Certificates {
  const folder = tempDir(scope, 'certs-');
  const file = (name: string): string => path.join(folder, name);
  const openssl = (...words: string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );

  let issued = 0;
  const issue = (commonName: string, extensions: string): KeyPair => {
    issued += 1;
    const name = `pair-${issued}`;
    openssl('req', ...newKey, '-subj', `/CN=${commonName}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    writeFileSync(file(`${name}.ext`), extensions);
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', String(issued), '-days', '2'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...signer,
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
    chmodSync(file(`${name}.key`), 0o600);
    return { cert: file(`${name}.pem`), key: file(`${name}.key`) };
  };

  return {
    ca: file('ca.pem'),
    server: issue('test server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n'),
    serverFor: (names) =>
      issue('test server', `subjectAltName=${names.map((name) => `DNS:${name}`).join()}\n`),
    client: (commonName) => issue(commonName, 'extendedKeyUsage=clientAuth\n'),
  };
}
