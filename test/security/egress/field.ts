/**
 * What a message wants to reach, and what it must not: servers on loopback that take down everything that comes to
 * them, and the two halves that decide, `createEgress` and the content client, put together as the daemon does.
 */

import { readdirSync, readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { systemClock } from '../../../src/base/clock.ts';
import { codeOf, YggError } from '../../../src/base/errors.ts';
import type { TlsMaterial } from '../../../src/base/tls.ts';
import { publicLookup, type Resolve } from '../../../src/http/addresses.ts';
import {
  type ContentLimits,
  createContentClient,
  type Fetched,
  type Posted,
} from '../../../src/http/content-client.ts';
import { createEgress, type EgressOptions } from '../../../src/http/egress.ts';
import type { Failure } from '../../../src/http/failure.ts';
import { readProxies } from '../../../src/http/proxies.ts';
import { createCertificates } from '../../helpers/certificates.ts';
import { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import type { Verdict } from '../attempts.ts';

/** Common name of the certificate that must not be shown to everybody. */
export const ownName = 'test-client-0001';
const certificates = createCertificates(fileScope());
const own = certificates.client(ownName);
/** Every name that is tried is one of this server's, so that what stops an attempt is not the name. */
const names = [
  'com',
  'org',
  'net',
  'co.uk',
  'example',
  'cloud.example.com',
  'files.example.org',
  'one.example.org',
]
  .flatMap((parent) =>
    parent.includes('.') ? [`*.${parent}`] : [`*.example.${parent}`, `example.${parent}`],
  )
  .concat('localhost', 'mqtt.cloud.example.com.example.org', 'mqtt.xn--clud-65d.example.com');
const theirs = certificates.serverFor(names);

export const authority: Buffer = readFileSync(certificates.ca);
const material: TlsMaterial = { ca: [authority], cert: readFileSync(own.cert), key: readFileSync(own.key) };
const serverPair: TlsOptions = { cert: readFileSync(theirs.cert), key: readFileSync(theirs.key) };

/** A server that answers every request with these bytes and takes down what it saw. */
export interface Sink {
  readonly port: number;
  /** Connections that came. */
  connections: number;
  /** Connections that are open. */
  open: number;
  /** Everything that was said to it, decrypted. */
  heard: string;
  /** Common names of the certificates that it was shown. */
  readonly shown: string[];
}

export interface SinkOptions {
  /** Called with each connection in place of the usual answer. */
  readonly serve?: (socket: Socket, heard: () => string) => void;
  /** Not set: no TLS. */
  readonly tls?: TlsOptions;
}

export const goodAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** On all addresses of this host. With `tls` it asks for a certificate and is content without one. */
export async function openSink(scope: Scope, { serve, tls }: SinkOptions = {}): Promise<Sink> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    if ('getPeerCertificate' in socket && typeof socket.getPeerCertificate === 'function') {
      const name: unknown = socket.getPeerCertificate()?.subject?.CN;
      if (name !== undefined) sink.shown.push(String(name));
    }
    let heard = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      sink.heard += chunk.toString('latin1');
    });
    if (serve) serve(socket, () => heard);
    else answerEach(socket, goodAnswer);
  };
  const server: Server = tls
    ? createTlsServer({ ...serverPair, requestCert: true, rejectUnauthorized: false, ...tls }, accept)
    : createServer(accept);
  const count = (socket: Socket): void => {
    sink.connections += 1;
    sink.open += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sink.open -= 1;
      sockets.delete(socket);
    });
  };
  server.on('connection', count);
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '::', ipv6Only: false }, resolve));
  const { port } = server.address() as AddressInfo;
  const sink: Sink = { port, connections: 0, open: 0, heard: '', shown: [] };
  scope.defer(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return sink;
}

/** Answers each request when its head has come. */
export function answerEach(socket: Socket, answer: string | Buffer): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
      const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? 0);
      rest = rest.slice(end + 4 + length);
      socket.write(answer);
    }
  });
}

export interface DaemonOptions extends Partial<EgressOptions> {
  /** Where names lead, past the check of what is local; for hosts that are elsewhere. */
  readonly elsewhere?: boolean;
  /** What the resolver says, before the check of what is local. */
  readonly resolve?: Resolve;
  readonly limits?: Partial<ContentLimits>;
  readonly tls?: TlsMaterial;
  /** `HTTPS_PROXY` and its like. */
  readonly environment?: Readonly<Record<string, string>>;
}

const toLoopback: LookupFunction = (_, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

export const brokerHost = 'mqtt.cloud.example.com';

/** The half of a daemon that fetches and posts. */
export interface Requests {
  readonly folder: string;
  fetch(address: string, name?: string): Promise<Fetched | Failure>;
  post(address: string, headers?: readonly string[], body?: string): Promise<Posted>;
  /** What was fetched, or nothing. */
  content(name?: string): string | undefined;
}

export function requests(scope: Scope, options: DaemonOptions = {}): Requests {
  const { elsewhere = false, resolve, limits, tls = material, environment, ...egressOptions } = options;
  const folder = tempDir(scope);
  const egress = createEgress({
    dataHost: undefined,
    contentHosts: [],
    contentHostsOnly: false,
    brokerHosts: [brokerHost],
    ...egressOptions,
  });
  const client = createContentClient({
    tls: () => tls,
    userAgent: 'yggd/1.2.3',
    clock: systemClock,
    limits: { connect: 2_000, idle: 1_000, total: 2_000, content: 1_000, ...limits },
    ...(environment && { proxies: readProxies(environment, () => {}) }),
    ...(elsewhere ? { lookup: toLoopback } : resolve ? { lookup: publicLookup(resolve) } : {}),
  });
  scope.defer(() => client.close());
  const never = new AbortController().signal;
  const refusal = (error: unknown): Failure => {
    if (error instanceof YggError) return { ok: false, kind: 'refused', error };
    throw error;
  };
  return {
    folder,
    async fetch(address, name = 'content') {
      try {
        return await client.fetch(egress.route(address), { directory: folder, name }, never);
      } catch (error) {
        return refusal(error);
      }
    },
    async post(address, headers = [], body = 'x') {
      try {
        return await client.post(egress.route(address), headers, Buffer.from(body), never);
      } catch (error) {
        return refusal(error);
      }
    },
    content(name = 'content') {
      if (!readdirSync(folder).includes(name)) return undefined;
      return readFileSync(path.join(folder, name), 'latin1');
    },
  };
}

export async function inScope<T>(use: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  try {
    return await use(scope);
  } finally {
    await scope.end();
  }
}

/** Whoever came has said something, or is gone again: what it showed has been seen. */
export async function settled(sink: Sink): Promise<void> {
  await waitFor(() => sink.heard !== '' || sink.open === 0, { what: 'what was shown' });
}

/** What came of a request, for the sentence of a verdict. */
export function said(result: Fetched | Posted | Failure): string {
  return result.ok ? 'it was done' : `${result.kind} ${codeOf(result.error)}: ${result.error.message}`;
}

/** Stopped is only what was refused without anybody being connected to. */
export function unconnected(result: Fetched | Posted | Failure, ...sinks: readonly Sink[]): Verdict {
  const connections = sinks.reduce((sum, sink) => sum + sink.connections, 0);
  const refused = !result.ok && result.kind === 'refused' && codeOf(result.error) === 'YGG_CONTENT_REFUSED';
  return { succeeded: connections > 0 || !refused, how: said(result) };
}
