/** A proxy that means harm, and what it and those behind it are told. */
import type { Socket } from 'node:net';
import type { Attempt } from '../attempts.ts';
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
import {
  established,
  forbidden,
  hasty,
  neighbour,
  openProxy,
  type ProxyOptions,
  type ProxySink,
  through,
  type Way,
} from './proxy-field.ts';

const password = 'proxy-secret';
const credentials = Buffer.from(`me:${password}`).toString('base64');
const withPassword = { user: `me:${password}@` };
/** The daemon believes the address of such a proxy to be that of one in TLS. */
const secure: Way = { scheme: 'https', ...withPassword };

/** It is not shown the certificate, in contrast to the neighbour. */
const stranger = 'files.example.org';

interface Journey {
  readonly proxy: ProxySink;
  /** Where the proxy leads. */
  readonly server: Sink;
  readonly result: Parameters<typeof said>[0];
}

interface Route {
  readonly host?: string;
  readonly server?: SinkOptions;
  readonly proxy?: ProxyOptions;
  readonly way?: Way;
  readonly daemon?: DaemonOptions;
}

/** One POST to a host behind a proxy, with words that are not the proxy's to read. */
async function travel(route: Route): Promise<Journey> {
  return await inScope(async (scope) => {
    const server = await openSink(scope, { tls: {}, ...route.server });
    const proxy = await openProxy(scope, { leadsTo: server, ...route.proxy });
    const daemon = requests(scope, { ...through(proxy, route.way), elsewhere: true, ...route.daemon });
    const address = `https://${route.host ?? neighbour}:${server.port}/path?q=query-secret`;
    const result = await daemon.post(address, ['Authorization', 'Bearer worker-secret'], 'body-secret');
    for (const sink of [proxy, server]) await settled(sink);
    return { proxy, server, result };
  });
}

/** `caught` says whether somebody was told, shown or believed what is not theirs. */
function journey(name: string, route: Route, caught: (journey: Journey) => boolean): Attempt {
  return {
    name,
    async make() {
      const made = await travel(route);
      const { proxy, server, result } = made;
      if (proxy.connections + server.connections === 0) throw new Error(`not made: ${said(result)}`);
      return { succeeded: caught(made), how: `asked for ${proxy.asked}; ${said(result)}` };
    },
  };
}

/** In place of a tunnel the proxy says this, and ends. */
const saying = (answer: string): ProxyOptions => ({ serve: (socket) => void socket.end(answer) });

const toldOfContent = ({ proxy }: Journey): boolean => /(worker|query|body)-secret/.test(proxy.heard);
const toldPassword = ({ heard }: Sink): boolean =>
  /proxy-authorization/i.test(heard) || heard.includes(credentials);

const wantsPassword =
  'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n';

/** What a proxy, or a host behind it, gets to know. */
export function learning(): Attempt[] {
  const shownToProxy = ({ proxy }: Journey): boolean => proxy.shown.includes(ownName);
  const said407 = saying(wantsPassword);
  return [
    journey('be told as a proxy what goes through it', {}, toldOfContent),
    journey('be told as a proxy that refuses', { proxy: saying(forbidden) }, toldOfContent),
    journey('be told as a proxy by refusing who does not say more', { proxy: said407 }, toldOfContent),
    journey(
      'see the certificate as a proxy in TLS that asks for it',
      { proxy: { tls: {} }, way: secure },
      shownToProxy,
    ),
    journey(
      'see the certificate as a proxy in TLS 1.2 that refuses who has none',
      { proxy: { tls: { rejectUnauthorized: true, ca: authority, maxVersion: 'TLSv1.2' } }, way: secure },
      shownToProxy,
    ),
    journey(
      'be told as a proxy in TLS what goes through it',
      { proxy: { tls: {} }, way: secure },
      toldOfContent,
    ),
    journey(
      "be told the proxy's password as one in TLS that nobody trusts",
      { proxy: { tls: {} }, way: secure, daemon: { tls: {} } },
      ({ proxy }) => toldPassword(proxy),
    ),
    journey(
      "be told the proxy's password without TLS where that was wanted",
      { proxy: saying(forbidden), way: secure, daemon: hasty },
      ({ proxy }) => toldPassword(proxy),
    ),
    journey('be told a password as a proxy for which there is none', { proxy: said407 }, ({ proxy }) =>
      toldPassword(proxy),
    ),
    journey("be told the proxy's password as the host behind it", { way: withPassword }, ({ server }) =>
      toldPassword(server),
    ),
    journey(
      "be told the proxy's password as a host that is reached without it",
      { way: { ...withPassword, exempt: neighbour } },
      ({ server }) => toldPassword(server),
    ),
    ...Object.entries({
      refuses: forbidden,
      'wants another': wantsPassword,
      'makes no sense': 'x\r\n\r\n',
    }).map(([what, answer]) =>
      journey(
        `be told the proxy's password in the report of a failure: it ${what}`,
        { proxy: saying(answer), way: withPassword },
        ({ result }) => `${said(result)}${causes(result)}`.includes(password),
      ),
    ),
    journey('see the certificate as a stranger at the end of a tunnel', { host: stranger }, ({ server }) =>
      server.shown.includes(ownName),
    ),
    journey(
      'see the certificate as a stranger that refuses who has none',
      { host: stranger, server: { tls: { maxVersion: 'TLSv1.2', rejectUnauthorized: true, ca: authority } } },
      ({ server }) => server.shown.includes(ownName),
    ),
  ];
}

/** Errors below an error, which a log shows. */
function causes(result: Journey['result']): string {
  if (result.ok) return '';
  const { cause } = result.error;
  return cause instanceof Error ? `${cause.message} ${String(cause.cause ?? '')}` : '';
}

/** Believed is whoever gets to read the request, or whose content is taken. */
export function posing(): Attempt[] {
  const believed = ({ proxy, server, result }: Journey): boolean =>
    result.ok || server.heard.includes('POST ') || toldOfContent({ proxy, server, result });
  return [
    journey('with a certificate that nobody trusts', { daemon: { tls: {} } }, believed),
    journey('with a certificate for another name', { host: 'files.elsewhere.example.net' }, believed),
    journey(
      'in TLS 1.1',
      {
        server: { tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } },
      },
      believed,
    ),
    journey('without TLS', { proxy: { serve: speaking(`${established}\r\n`) }, daemon: hasty }, believed),
    journey(
      'with content in place of a tunnel',
      {
        proxy: saying(`${established}Content-Length: 5\r\n\r\nhello`),
      },
      believed,
    ),
    journey(
      'with an answer behind that of the tunnel',
      {
        proxy: saying(`${established}\r\n${goodAnswer}`),
      },
      believed,
    ),
    journey(
      'with an answer in place of a tunnel',
      {
        proxy: saying('HTTP/1.1 204 No Content\r\n\r\n'),
      },
      believed,
    ),
  ].map(({ name, make }) => ({ name: `be believed as a proxy: ${name}`, make }));
}

/** Answers the question for a tunnel, then each request that is made in it, in clear. */
function speaking(answer: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(answer);
    answerEach(socket, goodAnswer);
  };
}

/** The daemon is sent on, by the proxy or by the host behind it. */
export function sendingOn(): Attempt[] {
  const location = (port: number): string => `Location: http://127.0.0.1:${port}/\r\n`;
  const byProxy = (status: string): Attempt => ({
    name: `be sent on by a proxy: ${status}`,
    make: () =>
      inScope(async (scope) => {
        const target = await openProxy(scope, { serve: speaking(`${established}\r\n`) });
        const proxy = await openProxy(
          scope,
          saying(`HTTP/1.1 ${status}\r\n${location(target.port)}Content-Length: 0\r\n\r\n`),
        );
        const daemon = requests(scope, { ...through(proxy), elsewhere: true });
        const result = await daemon.fetch(`https://${neighbour}/`);
        if (proxy.asked.length === 0) throw new Error(`not made: ${said(result)}`);
        return { succeeded: target.connections > 0 || result.ok, how: said(result) };
      }),
  });
  const byServer = (status: string): Attempt => ({
    name: `be sent on by a host behind a proxy: ${status}`,
    make: () =>
      inScope(async (scope) => {
        const target = await openSink(scope);
        const answer = `HTTP/1.1 ${status}\r\n${location(target.port)}Content-Length: 2\r\n\r\nok`;
        const server = await openSink(scope, { tls: {}, serve: (socket) => answerEach(socket, answer) });
        const proxy = await openProxy(scope, { leadsTo: server });
        const daemon = requests(scope, { ...through(proxy), elsewhere: true });
        const result = await daemon.fetch(`https://${neighbour}:${server.port}/`);
        if (!server.heard.includes('GET ')) throw new Error(`not made: ${said(result)}`);
        return {
          succeeded: target.connections > 0 || proxy.asked.length > 1 || result.ok,
          how: `asked for ${proxy.asked}; ${said(result)}`,
        };
      }),
  });
  return [
    ...['302 Found', '305 Use Proxy', '307 Temporary Redirect'].map(byProxy),
    ...['301 Moved Permanently', '307 Temporary Redirect', '305 Use Proxy'].map(byServer),
    {
      name: 'share the tunnel of a neighbour of the broker as another host at the same address and port',
      make: () =>
        inScope(async (scope) => {
          const server = await openSink(scope, { tls: {} });
          const proxy = await openProxy(scope, { leadsTo: server });
          const daemon = requests(scope, { ...through(proxy), elsewhere: true });
          await daemon.fetch(`https://${neighbour}:${server.port}/`, 'first');
          if (!server.shown.includes(ownName)) throw new Error('not made: it was not shown at all');
          const before = server.shown.length;
          const result = await daemon.fetch(`https://${stranger}:${server.port}/`, 'second');
          const shared = proxy.asked.length < 2 || server.shown.slice(before).includes(ownName);
          return { succeeded: shared, how: `asked for ${proxy.asked}; ${said(result)}` };
        }),
    },
  ];
}

/** The same ways, where somebody may know. */
export function harmControls(): Attempt[] {
  return [
    journey('a proxy is told its password', { way: withPassword }, ({ proxy }) => toldPassword(proxy)),
    journey('the host behind a proxy reads the request', {}, ({ server }) =>
      /worker-secret[\s\S]*body-secret/.test(server.heard),
    ),
    journey('the host behind a proxy sees the certificate where it may', {}, ({ server }) =>
      server.shown.includes(ownName),
    ),
    journey(
      'a proxy in TLS that is trusted leads to the host',
      { proxy: { tls: {} }, way: secure },
      ({ result }) => result.ok,
    ),
    journey('a proxy in TLS is told its password', { proxy: { tls: {} }, way: secure }, ({ proxy }) =>
      toldPassword(proxy),
    ),
  ];
}
