/** Whom the client certificate is shown to, and which servers are believed. */

import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { createCertificates } from '../../helpers/certificates.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import {
  answerEach,
  authority,
  type DaemonOptions,
  goodAnswer,
  inScope,
  openSink,
  ownName,
  requests,
  type Sink,
  type SinkOptions,
  said,
  settled,
} from './field.ts';

/** Names that look as if the certificate were for them. */
const strangers: Readonly<Record<string, readonly [host: string, options?: DaemonOptions]>> = {
  'a host that nobody has named': ['files.example.org'],
  "the parent domain of the broker's host itself": ['cloud.example.com'],
  'a host beside that parent': ['www.example.com'],
  'a host whose name ends like the parent': ['evilcloud.example.com'],
  'a host that begins like the broker': ['mqtt.cloud.example.com.example.org'],
  'a host below a domain of a country that anybody can be in': [
    'other.co.uk',
    { brokerHosts: ['mqtt.co.uk'] },
  ],
  'a host below the only label of a broker': ['other.example', { brokerHosts: ['mqtt.example'] }],
  "a neighbour of a broker's address": ['192.0.2.2', { brokerHosts: ['192.0.2.1'] }],
  'the broker in letters that look alike': ['mqtt.cl\u043eud.example.com'],
  'a listed host at another port': ['files.example.org', { contentHosts: ['files.example.org:1'] }],
  'a host below a listed one': ['a.files.example.org', { contentHosts: ['files.example.org'] }],
  'a host whose name ends like a listed one': ['xfiles.example.org', { contentHosts: ['files.example.org'] }],
  'the parent of a listed host': ['example.org', { contentHosts: ['files.example.org'] }],
};

/** Something was said to the server, or it was never connected to; the certificate was not shown. */
function unshown(sink: Sink, how: string): Verdict {
  return { succeeded: sink.shown.includes(ownName), how: `${sink.connections} connections; ${how}` };
}

interface Way {
  readonly how?: 'fetch' | 'post';
  readonly sink?: SinkOptions;
}

async function shownTo(
  host: string,
  options: DaemonOptions = {},
  { how = 'fetch', sink: sinkOptions }: Way = {},
): Promise<{ readonly sink: Sink; readonly result: Parameters<typeof said>[0] }> {
  return await inScope(async (scope) => {
    const sink = await openSink(scope, { tls: {}, ...sinkOptions });
    const result = await requests(scope, { ...options, elsewhere: true })[how](
      `https://${host}:${sink.port}/`,
    );
    await settled(sink);
    return { sink, result };
  });
}

export function showing(): Attempt[] {
  const names = Object.entries(strangers).map(([what, [host, options]]) => ({
    name: `see the certificate: ${what}`,
    async make() {
      const { sink, result } = await shownTo(host, options);
      // A literal address is not looked up, so nobody was there to see anything.
      if (sink.connections === 0 && !/^[0-9.]+$/.test(host)) throw new Error(`not made: ${said(result)}`);
      return unshown(sink, said(result));
    },
  }));
  return [...names, ...asking(), ...redirecting(), ...reusing()];
}

/** Ways to ask for it. */
function asking(): Attempt[] {
  const ways: Readonly<Record<string, Way>> = {
    'in TLS 1.3': { sink: { tls: { minVersion: 'TLSv1.3' } } },
    'in TLS 1.2': { sink: { tls: { maxVersion: 'TLSv1.2' } } },
    'and refusing who has none': { sink: { tls: { rejectUnauthorized: true, ca: authority } } },
    'for a post': { how: 'post' },
    'again on the same connection': {
      sink: {
        tls: { maxVersion: 'TLSv1.2', requestCert: false },
        serve(socket) {
          const secure = socket as TLSSocket;
          // It may not even be willing to be asked.
          secure.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
          answerEach(socket, goodAnswer);
        },
      },
    },
    'by a status': {
      sink: {
        tls: {},
        serve: (socket) =>
          answerEach(
            socket,
            'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate, Basic, Mutual\r\nContent-Length: 0\r\n\r\n',
          ),
      },
    },
  };
  return Object.entries(ways).map(([what, way]) => ({
    name: `ask for the certificate ${what}`,
    async make() {
      const { sink, result } = await shownTo('files.example.org', {}, way);
      if (sink.connections === 0) throw new Error(`not made: ${said(result)}`);
      return unshown(sink, said(result));
    },
  }));
}

/** A host that is shown the certificate sends the daemon on to one that is not. */
function redirecting(): Attempt[] {
  const answers: Readonly<Record<string, readonly [how: 'fetch' | 'post', status: string, header: string]>> =
    {
      'moved for good': ['fetch', '301 Moved Permanently', 'Location'],
      found: ['fetch', '302 Found', 'Location'],
      'see other, behind a post': ['post', '303 See Other', 'Location'],
      'moved for now, behind a post': ['post', '307 Temporary Redirect', 'Location'],
      'moved for good, with the body': ['post', '308 Permanent Redirect', 'Location'],
      'several choices': ['fetch', '300 Multiple Choices', 'Location'],
      'use a proxy': ['fetch', '305 Use Proxy', 'Location'],
      'a page that goes on': ['fetch', '200 OK', 'Refresh: 0; url'],
      'another service for the same': ['fetch', '200 OK', 'Alt-Svc'],
      'a page made of others': ['fetch', '200 OK', 'Link'],
    };
  return Object.entries(answers).map(([what, [how, status, header]]) => ({
    name: `be sent on by the broker's neighbour: ${what}`,
    make: () =>
      inScope(async (scope) => {
        const target = await openSink(scope, { tls: {} });
        const address = `https://files.example.org:${target.port}/`;
        const answer = `HTTP/1.1 ${status}\r\n${header}: ${address}\r\nContent-Length: 2\r\n\r\nok`;
        const sink = await openSink(scope, { tls: {}, serve: (socket) => answerEach(socket, answer) });
        const daemon = requests(scope, { elsewhere: true });
        const result = await daemon[how](`https://files.cloud.example.com:${sink.port}/`);
        await settled(sink);
        if (!sink.shown.includes(ownName)) throw new Error(`not made: ${said(result)}`);
        return { succeeded: target.connections > 0, how: said(result) };
      }),
  }));
}

/** A connection or session in which the certificate was shown, used for somebody who must not see it. */
function reusing(): Attempt[] {
  const sessions = { ticketKeys: Buffer.alloc(48, 7) };
  return [
    {
      name: 'share a connection with a listed host at the same address and port',
      make: () =>
        inScope(async (scope) => {
          const sink = await openSink(scope, { tls: {} });
          const daemon = requests(scope, { elsewhere: true, contentHosts: ['localhost'] });
          await daemon.fetch(`https://localhost:${sink.port}/`);
          if (!sink.shown.includes(ownName)) throw new Error('not made: it was not shown at all');
          sink.shown.splice(0);
          const result = await daemon.fetch(`https://two.example.org:${sink.port}/`);
          if (sink.connections < 2) return { succeeded: true, how: 'one connection for both' };
          return unshown(sink, said(result));
        }),
    },
    {
      name: 'resume the session of a neighbour of the broker at another host',
      make: () =>
        inScope(async (scope) => {
          const listed = await openSink(scope, { tls: sessions });
          const other = await openSink(scope, { tls: sessions });
          const daemon = requests(scope, {
            elsewhere: true,
            brokerHosts: ['mqtt.example.org'],
          });
          await daemon.fetch(`https://files.example.org:${listed.port}/`);
          await daemon.fetch(`https://files.example.org:${listed.port}/again`);
          if (!listed.shown.includes(ownName)) throw new Error('not made: it was not shown at all');
          const result = await daemon.fetch(`https://files.example.com:${other.port}/`);
          await settled(other);
          return unshown(other, said(result));
        }),
    },
    {
      name: 'be reached at all when data-host takes the place of every host',
      make: () =>
        inScope(async (scope) => {
          const [named, taken] = [await openSink(scope, { tls: {} }), await openSink(scope, { tls: {} })];
          const daemon = requests(scope, { elsewhere: true, dataHost: `localhost:${taken.port}` });
          const result = await daemon.fetch(`https://files.example.org:${named.port}/`);
          if (taken.connections === 0) throw new Error(`not made: ${said(result)}`);
          return { succeeded: named.connections > 0, how: said(result) };
        }),
    },
  ];
}

export function showingControls(): Attempt[] {
  const shown: Readonly<Record<string, readonly [host: string, options?: DaemonOptions]>> = {
    'the host of the broker': ['mqtt.cloud.example.com'],
    'its neighbour': ['files.cloud.example.com'],
    'a listed host': ['localhost', { contentHosts: ['localhost'] }],
  };
  return Object.entries(shown).map(([what, [host, options]]) => ({
    name: `the certificate is shown to ${what}`,
    async make() {
      const { sink, result } = await shownTo(host, options);
      return { succeeded: sink.shown.includes(ownName), how: said(result) };
    },
  }));
}

/** Servers that are not who they should be. Succeeded is a request that they got to read. */
export function believing(): Attempt[] {
  const believed = (
    name: string,
    sinkOptions: SinkOptions,
    options: DaemonOptions = {},
    host = 'files.cloud.example.com',
  ): Attempt => ({
    name: `be believed: ${name}`,
    make: () =>
      inScope(async (scope) => {
        const sink = await openSink(scope, sinkOptions);
        const result = await requests(scope, { elsewhere: true, ...options }).fetch(
          `https://${host}:${sink.port}/`,
        );
        if (sink.connections === 0) throw new Error(`not made: ${said(result)}`);
        return { succeeded: result.ok || sink.heard.includes('GET '), how: said(result) };
      }),
  });
  return [
    believed('with a certificate of an authority that nobody trusts', { tls: {} }, { tls: {} }),
    believed('with a certificate for another name', { tls: {} }, {}, 'files.elsewhere.example.net'),
    believed(
      'with a certificate for another name, listed',
      { tls: {} },
      { contentHosts: ['127.0.0.1'] },
      '127.0.0.1',
    ),
    believed('without TLS', {}),
    believed('in TLS 1.1', {
      tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    }),
    believed('without a certificate', { tls: { ciphers: 'aNULL@SECLEVEL=0', maxVersion: 'TLSv1.2' } }),
    {
      name: 'be believed: with a client certificate of the right authority, for a server',
      make: () =>
        inScope(async (scope) => {
          const certificates = createCertificates(scope);
          const pair = certificates.client('files.cloud.example.com');
          const tls = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
          const sink = await openSink(scope, { tls });
          const daemon = requests(scope, { elsewhere: true, tls: { ca: [readFileSync(certificates.ca)] } });
          const result = await daemon.fetch(`https://files.cloud.example.com:${sink.port}/`);
          if (sink.connections === 0) throw new Error(`not made: ${said(result)}`);
          return { succeeded: result.ok || sink.heard.includes('GET '), how: said(result) };
        }),
    },
  ];
}
