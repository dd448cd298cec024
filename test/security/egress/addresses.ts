/** Addresses in a message that lead to this host, to its link, to a cloud's own services, or anywhere by other means. */
import type { LookupAddress } from 'node:dns';
import type { Resolve } from '../../../src/http/addresses.ts';
import type { Attempt } from '../attempts.ts';
import { type DaemonOptions, inScope, openSink, requests, unconnected } from './field.ts';

/** Hosts as a URL may spell them, with a server on the port behind each that is of this host. */
const spelled: readonly string[] = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '017700000001',
  '0177.0.0.1',
  '0x7f.0x0.0x0.0x1',
  '127.0.0.1.',
  '0',
  '0.0.0.0',
  '0.0.0.1',
  '%31%32%37.0.0.1',
  '①②⑦.⓪.⓪.①',
  '127。0。0。1',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]',
  '[::ffff:0.0.0.0]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0251.0376.0251.0376',
  '[::ffff:169.254.169.254]',
  '[fe80::1]',
  '[fe80::a9fe:a9fe]',
  '[fd00:ec2::254]',
  '[fd20:ce::254]',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '224.0.0.1',
  '255.255.255.255',
  '[ff02::1]',
];

const family = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 });

/** Answers each question with the next of these; the last one again and again. */
function resolving(...answers: ReadonlyArray<readonly string[]>): Resolve {
  let asked = 0;
  return (_, __, callback) => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    callback(null, answer.map(family));
  };
}

const resolved: Readonly<Record<string, readonly string[]>> = {
  'to loopback': ['127.0.0.1'],
  'to loopback of IPv6': ['::1'],
  'to loopback in the mapped form': ['::ffff:127.0.0.1'],
  'to loopback by NAT64': ['64:ff9b::7f00:1'],
  'to nothing in particular, which is this host': ['0.0.0.0'],
  'to nothing in particular of IPv6': ['::'],
  'to the metadata service': ['169.254.169.254'],
  'to the metadata service of IPv6': ['fd00:ec2::254'],
  'to its link': ['fe80::1'],
  'to loopback twice': ['127.0.0.1', '::1'],
};

/** Whole addresses that must not be followed; PORT is that of a server on loopback. */
const whole: Readonly<Record<string, string>> = {
  'plain http': 'http://files.example.org:PORT/',
  'plain http in capitals': 'HTTP://files.example.org:PORT/',
  'plain http to a neighbour of the broker': 'http://files.cloud.example.com:PORT/',
  'plain http to the broker': 'http://mqtt.cloud.example.com:PORT/',
  'a file': 'file:///etc/passwd',
  'a file of a host': 'file://localhost/etc/passwd',
  ftp: 'ftp://files.example.org:PORT/',
  gopher: 'gopher://127.0.0.1:PORT/_x',
  'a unix socket': 'unix:/run/yggdrasil/control.sock',
  'http over a unix socket': 'http+unix://%2Frun%2Fyggdrasil%2Fcontrol.sock/',
  data: 'data:text/plain,hello',
  'a script': 'javascript:process.exit(1)',
  'a blob': 'blob:https://127.0.0.1:PORT/x',
  websocket: 'ws://127.0.0.1:PORT/',
  'dict, which speaks to anything': 'dict://127.0.0.1:PORT/x',
  'no scheme': '//127.0.0.1:PORT/',
  'a path': '/etc/passwd',
  'a scheme behind white space': ' \thttp://127.0.0.1:PORT/',
  'a line feed inside the host': 'https://127.0.\n0.1:PORT/',
  'backslashes for slashes': 'https:\\\\127.0.0.1:PORT\\',
  'one slash': 'https:/127.0.0.1:PORT/',
  'a user': 'https://files.example.org@127.0.0.1:PORT/',
  'a user and a password': 'https://user:secret@files.example.org:PORT/',
  'a password alone': 'https://:secret@files.example.org:PORT/',
  'a user with an encoded sign': 'https://files.example.org%40x@127.0.0.1:PORT/',
  'a backslash before a user': 'https://127.0.0.1:PORT\\@files.example.org/',
  'a fragment that looks like a host': 'https://127.0.0.1:PORT#@files.example.org/',
  'a query that looks like a host': 'https://127.0.0.1:PORT?@files.example.org/',
};

export function reaching(): Attempt[] {
  const literal = spelled.flatMap((host) =>
    (['fetch', 'post'] as const)
      // Where content goes is decided as where it comes from is: one spelling in four is posted to.
      .filter((how, index) => how === 'fetch' || spelled.indexOf(host) % 4 === index)
      .map((how) => ({
        name: `${how === 'fetch' ? 'fetch from' : 'post to'} https://${host}`,
        make: () => tries(`https://${host}:PORT/`, { how }),
      })),
  );
  const names = Object.entries(resolved).map(([what, addresses]) => ({
    name: `fetch from a name that leads ${what}`,
    make: () => tries('https://files.example.org:PORT/', { resolve: resolving(addresses) }),
  }));
  const local = ['localhost', 'LOCALHOST', 'localhost.', 'ip6-localhost', 'localhost.localdomain'].map(
    (host) => ({
      name: `fetch from https://${host}`,
      make: () => tries(`https://${host}:PORT/`, { resolve: resolving(['127.0.0.1']) }),
    }),
  );
  const others = Object.entries(whole).map(([what, address]) => ({
    name: `follow ${what}: ${JSON.stringify(address)}`,
    make: () => tries(address, { resolve: resolving(['127.0.0.1']) }),
  }));
  return [...literal, ...local, ...names, ...others, ...rebinding(), ...only()];
}

interface Try extends DaemonOptions {
  readonly how?: 'fetch' | 'post';
}

function tries(address: string, { how = 'fetch', ...options }: Try) {
  return inScope(async (scope) => {
    const [plain, secure] = [await openSink(scope), await openSink(scope, { tls: {} })];
    const daemon = requests(scope, options);
    const port = address.startsWith('https') ? secure.port : plain.port;
    return unconnected(await daemon[how](address.replace('PORT', String(port))), plain, secure);
  });
}

/** A name that leads elsewhere when it is checked and here when it is used. */
function rebinding(): Attempt[] {
  return [
    {
      name: 'a name that leads elsewhere the first time and here the second',
      make: () =>
        inScope(async (scope) => {
          const sink = await openSink(scope, { tls: {} });
          const daemon = requests(scope, {
            resolve: resolving(['192.0.2.1'], ['127.0.0.1']),
            limits: { connect: 200 },
          });
          const address = `https://files.example.org:${sink.port}/`;
          // 192.0.2.0/24 is nobody's (RFC 5737).
          await daemon.fetch(address);
          return unconnected(await daemon.fetch(address), sink);
        }),
    },
    {
      name: 'a name that leads elsewhere and here at once, where here is what answers',
      make: () =>
        inScope(async (scope) => {
          const sink = await openSink(scope, { tls: {} });
          const daemon = requests(scope, {
            resolve: resolving(['192.0.2.1', '127.0.0.1', '::1']),
            limits: { connect: 200 },
          });
          const result = await daemon.fetch(`https://files.example.org:${sink.port}/`);
          return { succeeded: sink.connections > 0 || result.ok, how: String(sink.connections) };
        }),
    },
    {
      name: 'a neighbour of the broker that leads here',
      make: () => tries('https://files.cloud.example.com:PORT/', { resolve: resolving(['127.0.0.1']) }),
    },
    {
      name: 'the host of a broker on loopback, at another port',
      make: () => tries('https://127.0.0.1:PORT/', { brokerHosts: ['127.0.0.1'] }),
    },
  ];
}

/** What configuration leaves closed. */
function only(): Attempt[] {
  const listed = { contentHosts: ['files.example.org:1', 'one.example.org'], contentHostsOnly: true };
  const closed: Readonly<Record<string, string>> = {
    'a host that is not listed': 'https://two.example.org:PORT/',
    'a listed host at another port': 'https://files.example.org:PORT/',
    'a host below a listed one': 'https://x.one.example.org:PORT/',
    'a host whose name ends like a listed one': 'https://xone.example.org:PORT/',
    'a host that begins like a listed one': 'https://one.example.org.example.com:PORT/',
  };
  return Object.entries(closed).map(([what, address]) => ({
    name: `with content-hosts-only, ${what}`,
    make: () => tries(address, { ...listed, elsewhere: true }),
  }));
}

/** The same places are reached when an administrator has listed them. */
export function reachingControls(): Attempt[] {
  const listed = ['127.0.0.1', '[::1]', 'localhost', '2130706433', '[::ffff:127.0.0.1]'];
  const hosts = listed.map((host) => ({
    name: `a listed host: ${host}`,
    make: () =>
      inScope(async (scope) => {
        const sink = await openSink(scope, { tls: {} });
        const daemon = requests(scope, { contentHosts: [new URL(`https://${host}/`).hostname] });
        await daemon.fetch(`https://${host}:${sink.port}/`);
        return { succeeded: sink.connections > 0, how: `${sink.connections} connections` };
      }),
  }));
  return [
    ...hosts,
    {
      name: 'a name that leads elsewhere',
      make: () =>
        inScope(async (scope) => {
          const sink = await openSink(scope, { tls: {} });
          const result = await requests(scope, { elsewhere: true }).fetch(
            `https://files.example.org:${sink.port}/`,
          );
          return { succeeded: result.ok && sink.heard.startsWith('GET / '), how: sink.heard };
        }),
    },
  ];
}
