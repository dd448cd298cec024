import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { TlsMaterial } from '../../../src/base/tls.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import type { Connected } from '../../../src/mqtt/connector.ts';
import { createMqttConnector } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import { type Certificates, createCertificates, type KeyPair } from '../../helpers/certificates.ts';
import { Scope } from '../../helpers/scope.ts';
import { startScriptedBroker } from '../../helpers/scripted-broker.ts';

let certificates: Certificates;
beforeAll(() => {
  const scope = new Scope();
  certificates = createCertificates(scope);
  return () => scope.end();
});

const load = ({ cert, key }: KeyPair): { cert: Buffer; key: Buffer } => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
});
const authority = (): Buffer => readFileSync(certificates.ca);

async function connect(
  server: TlsOptions,
  tls: TlsMaterial,
  rewrite = (url: string): string => url,
): Promise<Connected> {
  const broker = await startScriptedBroker({}, { tls: { ...load(certificates.server), ...server } });
  const connector = createMqttConnector({
    brokers: [parseBrokerAddress(rewrite(broker.url))],
    topics: createTopics('yggdrasil', 'host'),
    clientId: 'host',
    tls: () => tls,
    clock: systemClock,
    log: silentLogger,
  });
  onTestFinished(async () => {
    await connector.close();
    await broker.close();
  });
  const receiver = { onMessage: () => {}, onClose: () => {} };
  return connector.connect(receiver, { will: Buffer.from('will'), abort: new AbortController().signal });
}

const unreachable = (words: RegExp): object =>
  expect.objectContaining({ code: 'YGG_BROKER_UNREACHABLE', message: expect.stringMatching(words) });

describe('TLS', () => {
  test('checks the broker, and shows it the client certificate', async () => {
    const server = { ca: authority(), requestCert: true, rejectUnauthorized: true };
    const client = load(certificates.client('host'));
    expect(await connect(server, { ...client, ca: [authority()] })).toMatchObject({ sessionPresent: false });
  });

  test('by host name works too', async () => {
    const rewrite = (url: string): string => url.replace('127.0.0.1', 'localhost');
    await connect({}, { ca: [authority()] }, rewrite);
  });

  test('refuses a broker that nobody vouches for', async () => {
    await expect(connect({}, { ca: [] })).rejects.toEqual(unreachable(/certificate/));
  });

  test('refuses a broker under another name', async () => {
    // Another way to write the same address, which the certificate does not have.
    const rewrite = (url: string): string => url.replace('127.0.0.1', '127.1');
    await expect(connect({}, { ca: [authority()] }, rewrite)).rejects.toEqual(unreachable(/altnames/));
  });

  test('refuses what is older than 1.2', async () => {
    const server = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(connect(server, { ca: [authority()] })).rejects.toEqual(unreachable(/./));
  });

  test('without a client certificate where one is needed is no connection', async () => {
    const server = { ca: authority(), requestCert: true, rejectUnauthorized: true };
    await expect(connect(server, { ca: [authority()] })).rejects.toEqual(unreachable(/./));
  });
});
