/**
 * Opens a websocket to a broker, as a stream of the bytes that its frames carry (MQTT 3.1.1, 6).
 *
 * The library's own dialling is used, which sets TCP_NODELAY on the socket below; no compression, and no redirects.
 */
import { isIPv6 } from 'node:net';
import { Duplex } from 'node:stream';
import { streamBuilder } from 'mqtt/lib/connect/ws';
import { YggError } from '../base/errors.ts';
import { secureOptions, type TlsMaterial } from '../base/tls.ts';
import type { BrokerAddress } from './broker-address.ts';
import type { DialOptions } from './dial.ts';

/**
 * Bytes of the largest frame, at the least. A frame is taken whole before anything of it is seen, and the connection
 * ends at a larger one; brokers put a whole message into one, so this leaves room to report what is too large.
 */
const smallestFrameLimit = 16 * 1024 * 1024;
/** Milliseconds a broker may take to agree to the end of the connection. */
const closeTimeout = 1_000;

/** A stream on its way; what goes wrong comes as its `error`. */
export function dialWebsocket(address: BrokerAddress, tls: TlsMaterial, { largest }: DialOptions): Duplex {
  const { transport, host, port, path } = address;
  const options = {
    protocol: transport,
    hostname: isIPv6(host) ? `[${host}]` : host,
    port,
    path,
    wsOptions: websocketOptions(tls, Math.max(smallestFrameLimit, 4 * largest)),
  };
  // It is typed for a client too, which it only hands on to what is not used here.
  const stream: unknown = Reflect.apply(streamBuilder, undefined, [undefined, options]);
  if (stream instanceof Duplex) return stream;
  throw new YggError('YGG_INTERNAL', 'The library gave no stream for a websocket.');
}

/** As the library takes them. */
export function websocketOptions(tls: TlsMaterial, maxPayload: number): object {
  return {
    ...secureOptions(tls),
    maxPayload,
    closeTimeout,
    perMessageDeflate: false,
    followRedirects: false,
  };
}
