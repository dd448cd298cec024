/** What a message gets a proxy asked for, and which messages get around it. */
import type { Attempt } from '../attempts.ts';
import { type DaemonOptions, inScope, openSink, requests, said, unconnected } from './field.ts';
import { openProxy, through } from './proxy-field.ts';

const leading =
  (address: string): NonNullable<DaemonOptions['resolve']> =>
  (_, __, callback) =>
    callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);

/** Addresses that no proxy may be asked for; PORT is that of a server on loopback, PROXY that of the proxy. */
const unasked: Readonly<Record<string, readonly [address: string, options?: DaemonOptions]>> = {
  'this host': ['https://127.0.0.1:PORT/'],
  'this host by IPv6': ['https://[::1]:PORT/'],
  'this host in the mapped form': ['https://[::ffff:127.0.0.1]:PORT/'],
  'this host as a number': ['https://2130706433:PORT/'],
  'this host as nothing in particular': ['https://0.0.0.0:PORT/'],
  'this host by name': ['https://localhost:PORT/', { resolve: leading('127.0.0.1') }],
  'the proxy itself': ['https://127.0.0.1:PROXY/'],
  'the metadata service': ['https://169.254.169.254/latest/meta-data/'],
  'the metadata service by plain http': ['http://169.254.169.254/latest/meta-data/'],
  'the metadata service of IPv6': ['https://[fd00:ec2::254]/latest/meta-data/'],
  'plain http': ['http://files.example.org:PORT/'],
  'plain http to a neighbour of the broker': ['http://files.cloud.example.com:PORT/'],
  'another scheme': ['ftp://files.example.org:PORT/'],
  'a user and a password': ['https://user:secret@files.example.org:PORT/'],
  'a name that leads here': ['https://files.example.org:PORT/', { resolve: leading('127.0.0.1') }],
  'a name that leads here by IPv6': ['https://files.example.org:PORT/', { resolve: leading('::1') }],
  'a name that leads to the metadata service': [
    'https://files.example.org:PORT/',
    { resolve: leading('169.254.169.254') },
  ],
  'a neighbour of the broker that leads here': [
    'https://files.cloud.example.com:PORT/',
    { resolve: leading('127.0.0.1') },
  ],
  'a host that is not listed, with content-hosts-only': [
    'https://files.example.org:PORT/',
    { contentHostsOnly: true, elsewhere: true },
  ],
  'a listed host at another port, with content-hosts-only': [
    'https://files.example.org:PORT/',
    { contentHosts: ['files.example.org:1'], contentHostsOnly: true, elsewhere: true },
  ],
};

/** What `NO_PROXY` lets go straight is checked like everything that goes straight. */
const straight: Readonly<
  Record<string, readonly [exempt: string, address: string, options?: DaemonOptions]>
> = {
  'this host, with all hosts exempt': ['*', 'https://127.0.0.1:PORT/'],
  'this host, with its network exempt': ['127.0.0.0/8', 'https://127.0.0.1:PORT/'],
  'the metadata service, with its network exempt': ['169.254.0.0/16', 'https://169.254.169.254/'],
  'plain http, with the host exempt': ['files.example.org', 'http://files.example.org:PORT/'],
  'a name that leads here, with all hosts exempt': [
    '*',
    'https://files.example.org:PORT/',
    { resolve: leading('127.0.0.1') },
  ],
  'a name that leads here, with that name exempt': [
    'files.example.org',
    'https://files.example.org:PORT/',
    { resolve: leading('127.0.0.1') },
  ],
  'a name that leads here, with a parent of it exempt': [
    '.example.org',
    'https://files.example.org:PORT/',
    { resolve: leading('::1') },
  ],
};

/** Addresses that look like an exempt one and are not. */
const lookalikes: Readonly<Record<string, readonly [exempt: string, address: string]>> = {
  'a name that ends like an exempt one': ['one.example.org', 'https://xone.example.org:PORT/'],
  'a name that begins like an exempt one': ['one.example.org', 'https://one.example.org.example.com:PORT/'],
  'the parent of an exempt name': ['.files.example.org', 'https://example.org:PORT/'],
  'an exempt name at another port': ['files.example.org:1', 'https://files.example.org:PORT/'],
  'an exempt name in the query': ['one.example.org', 'https://files.example.org:PORT?one.example.org'],
  'an exempt name in the fragment': ['one.example.org', 'https://files.example.org:PORT#@one.example.org'],
  'an exempt name in the path': ['one.example.org', 'https://files.example.org:PORT/@one.example.org/'],
  'a name that is written like an exempt network': ['10.0.0.0/8', 'https://10.example.org:PORT/'],
  'a name beside a star that stands for a label': ['*.one.example.org', 'https://files.example.org:PORT/'],
};

export function asking(): Attempt[] {
  const asked = Object.entries(unasked).map(
    ([what, [address, options]]) => [what, '', address, options] as const,
  );
  const exempt = Object.entries(straight).map(
    ([what, [list, address, options]]) => [what, list, address, options] as const,
  );
  return [...asked, ...exempt].flatMap(([what, list, address, options], index) => {
    // Where content goes is decided as where it comes from is: one address in four is posted to.
    const ways = index % 4 === 0 ? (['fetch', 'post'] as const) : (['fetch'] as const);
    return ways.map((how) => ({
      name: `${how === 'fetch' ? 'fetch from' : 'post to'}, behind a proxy: ${what}`,
      make: () =>
        inScope(async (scope) => {
          const [plain, secure] = [await openSink(scope), await openSink(scope, { tls: {} })];
          const { port } = address.startsWith('https') ? secure : plain;
          const proxy = await openProxy(scope, { leadsTo: { port } });
          const daemon = requests(scope, { ...through(proxy, { exempt: list }), ...options });
          const filled = address.replace('PORT', String(port)).replace('PROXY', String(proxy.port));
          return unconnected(await daemon[how](filled), proxy, plain, secure);
        }),
    }));
  });
}

export function avoiding(): Attempt[] {
  return Object.entries(lookalikes).map(([what, [exempt, address]]) => ({
    name: `get around the proxy: ${what}`,
    make: () =>
      inScope(async (scope) => {
        const [server, behind] = [await openSink(scope, { tls: {} }), await openSink(scope, { tls: {} })];
        const proxy = await openProxy(scope, { leadsTo: behind });
        const daemon = requests(scope, { ...through(proxy, { exempt }), elsewhere: true });
        const result = await daemon.fetch(address.replace('PORT', String(server.port)));
        if (server.connections + proxy.asked.length === 0) throw new Error(`not made: ${said(result)}`);
        return { succeeded: server.connections > 0, how: `asked for ${proxy.asked}; ${said(result)}` };
      }),
  }));
}

/** The proxy is asked, and is gone around, where that is right. */
export function askingControls(): Attempt[] {
  const asked = async (exempt: string, options: DaemonOptions = {}) =>
    await inScope(async (scope) => {
      const server = await openSink(scope, { tls: {} });
      const proxy = await openProxy(scope, { leadsTo: server });
      const daemon = requests(scope, { ...through(proxy, { exempt }), elsewhere: true, ...options });
      const result = await daemon.fetch(`https://files.example.org:${server.port}/`);
      if (!result.ok) throw new Error(said(result));
      return proxy.asked.length;
    });
  return [
    {
      name: 'a host elsewhere is fetched from through the proxy',
      make: async () => ({ succeeded: (await asked('')) === 1, how: 'the proxy was asked' }),
    },
    {
      name: 'an exempt host is fetched from without the proxy',
      make: async () => ({ succeeded: (await asked('files.example.org')) === 0, how: 'it was not asked' }),
    },
    {
      name: 'a name that leads here is fetched from through the proxy when it is listed',
      make: async () => {
        const options = {
          elsewhere: false,
          contentHosts: ['files.example.org'],
          resolve: leading('127.0.0.1'),
        };
        return { succeeded: (await asked('', options)) === 1, how: 'the proxy was asked' };
      },
    },
  ];
}
