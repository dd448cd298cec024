/**
 * What a TLS client shows and trusts, and the rules that hold for every connection of this program: TLS 1.2 or newer,
 * and Node's own check of the chain and the host name, which nothing here switches off.
 */

/** PEM, as it was loaded and checked. The same object until the files change. */
export interface TlsMaterial {
  /** Client certificate and its key; both or none. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Everything that is trusted; empty or not set: the well-known authorities. */
  readonly ca?: ReadonlyArray<string | Buffer> | undefined;
}

/** Fits what `node:tls` and MQTT.js take. */
export interface SecureOptions {
  readonly minVersion: 'TLSv1.2';
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly ca?: string[];
}

export function secureOptions({ cert, key, ca = [] }: TlsMaterial): SecureOptions {
  return {
    minVersion: 'TLSv1.2',
    ...(cert !== undefined && key !== undefined && { cert, key }),
    ...(ca.length > 0 && { ca: ca.map(String) }),
  };
}
