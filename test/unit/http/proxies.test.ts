import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { publicLookup } from '../../../src/http/addresses.ts';
import { createContentClient, type Posted } from '../../../src/http/content-client.ts';
import type { Standing } from '../../../src/http/egress.ts';
import { readProxies } from '../../../src/http/proxies.ts';
import { reply, startContentServer } from '../../helpers/http-content.ts';
import { testScope } from '../../helpers/test-scope.ts';

const pem = (name: string): string =>
  readFileSync(path.resolve(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
const material = { ca: [pem('ca.pem')], cert: pem('client.pem'), key: pem('client-key.pem') };
const serverPair = { cert: pem('server.pem'), key: pem('server-key.pem') };

function through(variables: Record<string, string>, address: string): string | undefined {
  return readProxies(variables, () => {}).of(new URL(address))?.href;
}

describe('which proxy', () => {
  test.each([
    [{ HTTPS_PROXY: 'http://p:1' }, 'https://a.example', 'http://p:1/'],
    [{ HTTPS_PROXY: 'http://p:1', https_proxy: 'http://q:2' }, 'https://a.example', 'http://q:2/'],
    [{ HTTPS_PROXY: 'http://p:1' }, 'http://a.example', undefined],
    [{ HTTP_PROXY: 'p:1' }, 'http://a.example', 'http://p:1/'],
    [{ HTTPS_PROXY: '' }, 'https://a.example', undefined],
    [{}, 'https://a.example', undefined],
  ])('%j for %s: %s', (variables, address, proxy) => {
    expect(through(variables, address)).toBe(proxy);
  });

  test.each([
    ['', 'a.example', true],
    ['*', 'a.example', false],
    ['a.example', 'a.example', false],
    ['A.Example', 'a.example', false],
    ['a.example', 'b.a.example', false],
    ['.a.example', 'b.a.example', false],
    ['*.a.example', 'b.a.example', false],
    ['a.example', 'ba.example', true],
    ['b.example, a.example', 'a.example', false],
    ['b.example a.example', 'a.example', false],
    ['a.example:443', 'a.example', false],
    ['a.example:8443', 'a.example', true],
    ['a.example:8443', 'a.example:8443', false],
    ['192.0.2.0/24', '192.0.2.7', false],
    ['192.0.2.0/24', '192.0.3.7', true],
    ['192.0.2.7', '192.0.2.7', false],
    ['2001:db8::/32', '[2001:db8::1]', false],
    ['[2001:db8::1]:443', '[2001:db8::1]', false],
    ['2001:db8::1', '[2001:db8::1]', false],
    ['', 'localhost', false],
    ['', '127.0.0.1', false],
    ['', '[::1]', false],
    ['/, :, ::/999, a/b', 'a.example', true],
  ])('with NO_PROXY %j, %s goes through it: %s', (list, host, goes) => {
    const variables = { HTTPS_PROXY: 'http://p:1', NO_PROXY: list };
    expect(through(variables, `https://${host}/`) !== undefined).toBe(goes);
  });

  test('what is no address of one is said without its password, and not used', () => {
    const said: string[] = [];
    const proxies = readProxies({ HTTPS_PROXY: 'socks5://me:secret@p:1' }, (sentence) => said.push(sentence));
    expect(proxies.of(new URL('https://a.example'))).toBeUndefined();
    expect(said).toEqual([
      'HTTPS_PROXY is "socks5://…@p:1" and not used: a proxy is written http://HOST:PORT.',
    ]);
  });
});

interface Through {
  /** Where the proxy was asked to connect to. */
  readonly asked: string[];
  readonly authorizations: Array<string | undefined>;
  /** Subjects of the certificates shown to the proxy, and to the server. */
  readonly shownToProxy: unknown[];
  readonly shownToServer: unknown[];
  post(standing: Standing, host: string): Promise<Posted>;
}

interface ThroughOptions {
  readonly secure?: boolean;
  readonly refusal?: string;
  /** What names resolve to here; none: they do not. */
  readonly address?: string;
}

/** A client that goes through a proxy, which connects to a server of its own whatever it is asked for. */
async function throughProxy({ secure = false, refusal, address }: ThroughOptions = {}): Promise<Through> {
  const scope = testScope();
  const asked: string[] = [];
  const authorizations: Array<string | undefined> = [];
  const shownToProxy: unknown[] = [];
  const shownToServer: unknown[] = [];
  const content = await startContentServer(scope, {
    ...serverPair,
    requestCert: true,
    rejectUnauthorized: false,
    ca: material.ca,
  });
  content.on('/a', (_, response) => {
    const { socket } = response;
    shownToServer.push(socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : 'no TLS');
    reply(200, 'x')(_, response);
  });
  const port = Number(new URL(content.origin).port);
  const ask = { ...serverPair, requestCert: true, rejectUnauthorized: false, ca: material.ca };
  const proxy: Server = secure ? createTlsServer(ask) : createServer();
  const open = new Set<Duplex>();
  proxy.on('connect', ({ url = '', headers }: IncomingMessage, socket: Duplex) => {
    asked.push(url);
    authorizations.push(headers['proxy-authorization']);
    if (socket instanceof TLSSocket) shownToProxy.push(socket.getPeerCertificate().subject?.CN);
    open.add(socket);
    socket.on('error', () => {});
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    open.add(upstream);
    upstream.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const listening = proxy.address();
  const proxyPort = typeof listening === 'object' && listening ? listening.port : 0;
  const client = createContentClient({
    tls: () => material,
    userAgent: 'yggd/1.2.3',
    clock: systemClock,
    limits: { connect: 2_000, idle: 5_000, total: 10_000, content: 1_000 },
    proxies: readProxies(
      { HTTPS_PROXY: `${secure ? 'https' : 'http'}://me:p%40ss@localhost:${proxyPort}` },
      () => {},
    ),
    lookup: publicLookup((_name, _options, callback) => {
      if (address) callback(null, [{ address, family: 4 }]);
      else callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
    }),
  });
  scope.defer(async () => {
    await client.close();
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => {
      proxy.close(resolve);
      proxy.closeAllConnections();
    });
  });
  return {
    asked,
    authorizations,
    shownToProxy,
    shownToServer,
    post: (standing, host) =>
      client.post(
        { url: new URL(`https://${host}/a`), standing },
        [],
        Buffer.from('x'),
        new AbortController().signal,
      ),
  };
}

describe('a request through a proxy', () => {
  test.each([
    ['listed', 'test-client-0001'],
    ['broker', 'test-client-0001'],
    ['other', undefined],
  ] as const)(
    'to a host that is %s shows it the certificate only where it may: %s',
    async (standing, shown) => {
      const { post, asked, authorizations, shownToServer } = await throughProxy();
      expect(await post(standing, 'files.example.com')).toMatchObject({ ok: true });
      expect(asked).toEqual(['files.example.com:443']);
      expect(authorizations).toEqual([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]);
      expect(shownToServer).toEqual([shown]);
    },
  );

  test('shows the proxy no certificate, also where it asks for one', async () => {
    const { post, shownToProxy, shownToServer } = await throughProxy({ secure: true });
    expect(await post('listed', 'files.example.com')).toMatchObject({ ok: true });
    expect(shownToProxy).toEqual([undefined]);
    expect(shownToServer).toEqual(['test-client-0001']);
  });

  test.each(['127.0.0.1', '169.254.169.254'])(
    'is refused for a name that resolves to %s here',
    async (address) => {
      const { post, asked } = await throughProxy({ address });
      expect(await post('other', 'files.example.com')).toMatchObject({ ok: false, kind: 'refused' });
      expect(asked).toEqual([]);
      expect(await post('listed', 'files.example.com')).toMatchObject({ ok: true });
    },
  );

  test('still checks who answers', async () => {
    const { post, shownToServer } = await throughProxy();
    expect(await post('broker', 'files.example.net')).toMatchObject({ ok: false, kind: 'permanent' });
    expect(shownToServer).toEqual([]);
  });

  test('that the proxy refuses says what it answered', async () => {
    const { post } = await throughProxy({ refusal: '403 Forbidden' });
    const result = await post('broker', 'files.example.com');
    expect(result).toMatchObject({ ok: false, error: { message: expect.stringContaining('403') } });
  });
});
