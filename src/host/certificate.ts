/**
 * Certificates and keys: read, checked to belong together, and what they say.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { TlsMaterial } from '../base/tls.ts';
import { checkSafePath } from './safe-path.ts';

export interface TlsFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caRoot: readonly string[];
}

export interface TlsDeps {
  readonly log: Logger;
  readonly clock: Pick<Clock, 'now'>;
  /** Set for a program that somebody runs on files of others: they need not be safe from being changed. */
  readonly anybodys?: boolean;
}

export interface LoadedTls extends TlsMaterial {
  /** Of the certificate; empty without one. */
  readonly commonName: string;
}

/**
 * Loads the certificate and its key as a pair, and the further authorities. Throws `YGG_CONFIG_FILE` naming the file
 * when one is missing, is not what it should be, or the key is not the certificate's, and `YGG_UNSAFE_PATH` when others
 * could change one: they would decide who this host is, or whom it believes.
 */
export function loadTls(files: TlsFiles, { log, clock, anybodys = false }: TlsDeps): LoadedTls {
  const { certFile, keyFile, caRoot } = files;
  const read = (file: string, option: string): Buffer => {
    const content = readWhole(file, option);
    // After it was read: what nobody else can change now is what was read.
    if (!anybodys) checkSafePath(file);
    return content;
  };
  const ca = caRoot.map((file) => {
    const content = read(file, 'ca-root');
    certificateIn(file, 'ca-root', content);
    return content;
  });
  const trusted = ca.length > 0 ? [...rootCertificates, ...ca] : [];
  if (certFile === undefined || keyFile === undefined) {
    return { cert: undefined, key: undefined, ca: trusted, commonName: '' };
  }
  const cert = read(certFile, 'cert-file');
  const key = read(keyFile, 'key-file');
  const certificate = certificateIn(certFile, 'cert-file', cert);
  if (!certificate.checkPrivateKey(keyIn(keyFile, key))) {
    throw new YggError(
      'YGG_CONFIG_FILE',
      `key-file ${keyFile} is not the key of cert-file ${certFile}; give the two that were issued together.`,
    );
  }
  if ((statSync(keyFile).mode & 0o007) !== 0) {
    log.warn({ file: keyFile }, `other users can read the private key; run: chmod o= ${keyFile}`);
  }
  if (Date.parse(certificate.validTo) < clock.now()) {
    log.warn({ file: certFile, expired: certificate.validTo }, 'the client certificate has expired');
  }
  return { cert, key, ca: trusted, commonName: commonName(certificate) };
}

/** The common name of a certificate's subject, the last one if there are several; empty without one. */
export function commonName(certificate: X509Certificate): string {
  const name: unknown = certificate.toLegacyObject().subject?.CN;
  const last: unknown = Array.isArray(name) ? name.at(-1) : name;
  return typeof last === 'string' ? last : '';
}

function readWhole(file: string, option: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new YggError('YGG_CONFIG_FILE', `${option} ${file} cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

function certificateIn(file: string, option: string, content: Buffer): X509Certificate {
  try {
    return new X509Certificate(content);
  } catch (error) {
    throw new YggError('YGG_CONFIG_FILE', `${option} ${file} does not hold a certificate in PEM.`, {
      cause: error,
    });
  }
}

function keyIn(file: string, content: Buffer): KeyObject {
  try {
    return createPrivateKey(content);
  } catch (error) {
    throw new YggError(
      'YGG_CONFIG_FILE',
      `key-file ${file} does not hold a private key in PEM without a passphrase.`,
      { cause: error },
    );
  }
}
