/**
 * Opens the socket to a broker: plain, or TLS 1.2 or newer with the host name checked.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { BrokerAddress } from './broker-address.ts';

/** PEM texts, as they were loaded and checked. */
export interface TlsMaterial {
  /** Client certificate and its key; both or none. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Certificate authorities in place of the system's; empty: the system's. */
  readonly ca: ReadonlyArray<string | Buffer>;
}

/** A socket on its way; what goes wrong comes as its `error`. */
export function dial({ transport, host, port }: BrokerAddress, tls: TlsMaterial): Socket {
  if (transport === 'tcp') return connect({ host, port });
  return connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    ...(isIP(host) === 0 && { servername: host }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.ca.length > 0 && { ca: [...tls.ca] }),
  });
}
