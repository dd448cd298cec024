/**
 * Opens the socket to a broker: plain, or TLS 1.2 or newer with the host name checked.
 */
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { secureOptions, type TlsMaterial } from '../base/tls.ts';
import type { BrokerAddress } from './broker-address.ts';

export interface DialOptions {
  /** Bytes of the largest packet that is kept. */
  readonly largest: number;
}

/** How a stream to a broker is opened. */
export type Dial = (address: BrokerAddress, tls: TlsMaterial, options: DialOptions) => Duplex;

/** A socket on its way; what goes wrong comes as its `error`. */
export function dial({ transport, host, port }: BrokerAddress, tls: TlsMaterial): Socket {
  if (transport === 'tcp') return connect({ host, port });
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 && { servername: host }),
    ...secureOptions(tls),
  });
}
