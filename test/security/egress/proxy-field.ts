/** A proxy on loopback that takes down what it is asked for, and a daemon that is told to use it. */
import { connect, type Socket } from 'node:net';
import type { Scope } from '../../helpers/scope.ts';
import { type DaemonOptions, openSink, type Sink, type SinkOptions } from './field.ts';

/** Without the empty line at its end. */
export const established = 'HTTP/1.1 200 Connection established\r\n';
export const forbidden = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n';

export interface ProxySink extends Sink {
  /** What it was asked to connect to. */
  readonly asked: string[];
}

export interface ProxyOptions {
  /** Where every tunnel leads, whatever was asked for; not set: nowhere. */
  readonly leadsTo?: Pick<Sink, 'port'>;
  readonly tls?: SinkOptions['tls'];
  /** In place of a tunnel. */
  readonly serve?: (socket: Socket) => void;
}

export async function openProxy(
  scope: Scope,
  { leadsTo, tls, serve }: ProxyOptions = {},
): Promise<ProxySink> {
  const asked: string[] = [];
  const onAsked = (socket: Socket): void => {
    if (serve) serve(socket);
    if (serve || !leadsTo) return;
    const upstream = connect(leadsTo.port, '127.0.0.1', () => {
      socket.write(`${established}\r\n`);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
    socket.once('close', () => upstream.destroy());
  };
  const sink = await openSink(scope, {
    ...(tls && { tls }),
    serve(socket) {
      let head = '';
      const onData = (chunk: Buffer): void => {
        head += chunk.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        socket.off('data', onData);
        asked.push(/^CONNECT (\S+)/.exec(head)?.[1] ?? head);
        onAsked(socket);
      };
      socket.on('data', onData);
    },
  });
  return Object.assign(sink, { asked });
}

export interface Way {
  /** `NO_PROXY`. */
  readonly exempt?: string;
  readonly scheme?: 'http' | 'https';
  /** `name:password@`. */
  readonly user?: string;
}

/** All requests but those to `exempt` go through it. */
export function through(
  { port }: Sink,
  { exempt = '', scheme = 'http', user = '' }: Way = {},
): DaemonOptions {
  const address = `${scheme}://${user}localhost:${port}`;
  return { environment: { HTTPS_PROXY: address, HTTP_PROXY: address, NO_PROXY: exempt } };
}

/** A host beside the broker's, which may see the certificate. */
export const neighbour = 'files.cloud.example.com';

/** For what nobody answers. */
export const hasty: DaemonOptions = { limits: { connect: 300, idle: 300, total: 600 } };
