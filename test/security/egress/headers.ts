/** What a worker's metadata, or an address, might put into a request that is not its to say. */
import { postHeaders } from '../../../src/http/headers.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import { inScope, openSink, requests, said } from './field.ts';

/** Posts with this metadata; the request as it came. */
async function posted(
  metadata: Readonly<Record<string, string>>,
  path = '/post',
  body = 'body',
): Promise<string> {
  return await inScope(async (scope) => {
    const sink = await openSink(scope);
    const { headers } = postHeaders(metadata, 'yggd/1.2.3');
    const result = await requests(scope, { contentHosts: ['127.0.0.1'] }).post(
      `http://127.0.0.1:${sink.port}${path}`,
      headers,
      body,
    );
    if (sink.heard === '') throw new Error(`not made: ${said(result)}`);
    return sink.heard;
  });
}

function lines(heard: string): string[] {
  return (heard.split('\r\n\r\n')[0] ?? '').split('\r\n');
}

/** How often a header is in a request. */
function count(heard: string, name: string): number {
  return lines(heard).filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`)).length;
}

type Caught = (heard: string) => boolean;

const injected: Caught = (heard) => /^(x-evil|get \/evil)/im.test(heard) || heard.split('POST ').length > 2;

const hostile: Readonly<Record<string, readonly [metadata: Record<string, string>, caught: Caught]>> = {
  'a header in a value, behind a line end': [{ 'X-A': 'a\r\nX-Evil: 1' }, injected],
  'a header in a value, behind a line feed': [{ 'X-A': 'a\nX-Evil: 1' }, injected],
  'a header in a value, behind a carriage return': [
    { 'X-A': 'a\rX-Evil: 1' },
    (heard) => heard.includes('\rX-Evil'),
  ],
  'a request in a value': [{ 'X-A': 'a\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n' }, injected],
  'a header in a name': [{ 'X-A: a\r\nX-Evil': '1' }, injected],
  'a name with a colon': [{ 'X-Evil: 1\r\nX-A': '1', 'X-Evil:': '1' }, injected],
  'a name with white space': [{ 'X-Evil ': '1', ' X-Evil': '1' }, (heard) => /x-evil/i.test(heard)],
  'an empty name': [{ '': 'X-Evil: 1' }, (heard) => /x-evil/i.test(heard)],
  'line ends in other letters': [{ 'X-A': 'a\u010d\u010aX-Evil: 1' }, (heard) => /[\r\n]X-Evil/.test(heard)],
  'a NUL': [{ 'X-A': 'a\0b' }, (heard) => heard.includes('\0')],
  'a folded value': [{ 'X-A': 'a\r\n X-Evil: 1' }, (heard) => /\n /.test(heard)],
  'another host': [
    { Host: 'evil.example.org', hOsT: 'x' },
    (heard) => count(heard, 'host') !== 1 || /evil/.test(heard),
  ],
  'another length': [{ 'Content-Length': '0', 'content-length': '999' }, (heard) => lengthOf(heard) !== '4'],
  'other framing': [
    { 'Transfer-Encoding': 'chunked', TE: 'trailers', Trailer: 'X' },
    (heard) => framed(heard),
  ],
  'an upgrade': [
    { Connection: 'Upgrade', Upgrade: 'h2c', 'HTTP2-Settings': '' },
    (heard) => /upgrade:|Upgrade/.test(heard),
  ],
  'a connection header that drops others': [
    { Connection: 'close, Host' },
    (heard) => /close, Host/.test(heard),
  ],
  'an end of the connection by other names': [
    { 'Proxy-Connection': 'x', 'Keep-Alive': 'x' },
    (heard) => count(heard, 'proxy-connection') + count(heard, 'keep-alive') > 0,
  ],
  'a cookie': [{ Cookie: 'id=1' }, (heard) => count(heard, 'cookie') > 0],
  'a wait for permission': [{ Expect: '100-continue' }, (heard) => count(heard, 'expect') > 0],
  'a name and password for a proxy': [
    { 'Proxy-Authorization': 'Basic x', 'Proxy-Authenticate': 'x' },
    (heard) => /proxy-auth/i.test(heard),
  ],
  'more than 64 headers': [
    many(100, 1),
    (heard) => lines(heard).filter((line) => /^x-many/i.test(line)).length > 64,
  ],
  'more than 16 KiB of headers': [
    many(60, 1_000),
    (heard) => (heard.split('\r\n\r\n')[0] ?? '').length > 17 * 1024,
  ],
  'a value of a megabyte': [{ 'X-Long': 'y'.repeat(1024 * 1024) }, (heard) => heard.length > 64 * 1024],
  'the names that every object has': [
    JSON.parse('{"__proto__":"a","constructor":"b"}'),
    (heard) => heard.includes('[object'),
  ],
};

function many(headers: number, length: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: headers }, (_, index) => [`X-Many-${index}`, 'y'.repeat(length)]),
  );
}

function lengthOf(heard: string): string | undefined {
  return count(heard, 'content-length') === 1 ? /content-length: (\d+)/i.exec(heard)?.[1] : undefined;
}

function framed(heard: string): boolean {
  return ['transfer-encoding', 'te', 'trailer'].some((name) => count(heard, name) > 0);
}

const paths: Readonly<Record<string, string>> = {
  'line ends in the path': '/a\r\nX-Evil: 1\r\n',
  'encoded line ends in the path': '/a%0d%0aX-Evil:%201%0d%0a',
  'white space and a version in the path': '/a HTTP/1.1\r\nX-Evil: 1\r\n\r\n',
  'line ends in the query': '/a?b=\r\nX-Evil: 1',
  'line ends in other letters in the path': '/a\u010d\u010aX-Evil: 1',
};

export function injecting(): Attempt[] {
  const metadata = Object.entries(hostile).map(([what, [entries, caught]]) => ({
    name: `say in metadata: ${what}`,
    async make(): Promise<Verdict> {
      const heard = await posted(entries);
      return { succeeded: caught(heard), how: heard.slice(0, 500) };
    },
  }));
  const addresses = Object.entries(paths).map(([what, path]) => ({
    name: `say in an address: ${what}`,
    async make(): Promise<Verdict> {
      const heard = await posted({}, path);
      return {
        succeeded: injected(heard) || lines(heard)[0]?.split(' ').length !== 3,
        how: heard.slice(0, 500),
      };
    },
  }));
  return [...metadata, ...addresses];
}

export function injectingControls(): Attempt[] {
  return [
    {
      name: 'an honest header arrives',
      async make() {
        const heard = await posted({ 'X-Evil': '1' });
        return { succeeded: injected(heard), how: heard };
      },
    },
    {
      name: "a worker's Authorization arrives",
      async make() {
        const heard = await posted({ Authorization: 'Bearer x' });
        return { succeeded: count(heard, 'authorization') === 1, how: heard };
      },
    },
  ];
}
