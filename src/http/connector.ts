/**
 * Opens the connections of one standing: which certificate is shown, which addresses may be reached, how TLS is set.
 */
import type { LookupFunction } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { secureOptions, type TlsMaterial } from '../base/tls.ts';
import { publicLookup } from './addresses.ts';
import type { Standing } from './egress.ts';

export interface ConnectorDeps {
  readonly standing: Standing;
  readonly material: TlsMaterial;
  /** Milliseconds for name resolution, connecting and the TLS handshake together. */
  readonly timeout: number;
  readonly build: typeof buildConnector;
  /** Resolves names of hosts that are not listed; not set: {@link publicLookup}. */
  readonly lookup?: LookupFunction | undefined;
}

/** Strangers are not shown the certificate. */
export function materialFor(standing: Standing, material: TlsMaterial): TlsMaterial {
  return standing === 'other' ? { ca: material.ca } : material;
}

export function createConnector(deps: ConnectorDeps): buildConnector.connector {
  const { standing, material, timeout, build, lookup = publicLookup() } = deps;
  const connect = build({
    timeout,
    secureContext: createSecureContext(secureOptions(materialFor(standing, material))),
    ...(standing !== 'listed' && { lookup }),
  });

  return (target, callback) => {
    connect(target, (...result) => {
      const [, socket] = result;
      // After a TLS 1.3 alert the connection ends as well, and undici would report that end instead of the alert.
      socket?.once('error', () => socket.destroy());
      callback(...result);
    });
  };
}
