/** Answers of a server that means harm: sizes, slowness, framing, and what an answer might make the next request do. */

import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Attempt, Verdict } from '../attempts.ts';
import {
  answerEach,
  goodAnswer,
  inScope,
  openSink,
  type Requests,
  requests,
  type SinkOptions,
  said,
} from './field.ts';
import { big, dripping, endless, memory, patience } from './tiresome.ts';

const ok = 'HTTP/1.1 200 OK\r\n';

/** Serves so once something was asked. */
const asked =
  (serve: (socket: Socket) => void): NonNullable<SinkOptions['serve']> =>
  (socket) => {
    socket.once('data', () => serve(socket));
  };

const saying =
  (answer: string): NonNullable<SinkOptions['serve']> =>
  (socket) =>
    answerEach(socket, answer);

const saysAndEnds = (answer: string): NonNullable<SinkOptions['serve']> =>
  asked((socket) => socket.end(answer));

/** Content that must not be taken: there is none, it is too much, or nobody can say what it is. */
const untaken: Readonly<Record<string, NonNullable<SinkOptions['serve']>>> = {
  'one byte more than the limit': saying(`${ok}Content-Length: 1001\r\n\r\n${'x'.repeat(1001)}`),
  'a length of terabytes': saying(`${ok}Content-Length: 9007199254740993\r\n\r\nx`),
  'a length beyond all numbers': saying(`${ok}Content-Length: ${'9'.repeat(400)}\r\n\r\nx`),
  'an endless body': asked(endless(`${ok}\r\n`, big)),
  'an endless body behind a length': asked(endless(`${ok}Content-Length: 100000000\r\n\r\n`, big)),
  'endless chunks': asked(endless(`${ok}Transfer-Encoding: chunked\r\n\r\n`, `4000\r\n${big}\r\n`)),
  'a chunk of all the numbers': saying(`${ok}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx`),
  'a chunk of less than nothing': saying(`${ok}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n`),
  'an endless chunk size': asked(endless(`${ok}Transfer-Encoding: chunked\r\n\r\n`, '0'.repeat(16_384))),
  'an endless extension of a chunk': asked(endless(`${ok}Transfer-Encoding: chunked\r\n\r\n1;`, `a=${big};`)),
  'endless trailers': asked(
    endless(`${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n`, `X-Trailer: ${'y'.repeat(900)}\r\n`),
  ),
  'an endless header': asked(endless(`${ok}X-Long: `, big)),
  'endless headers': asked(endless(ok, 'X-More: yes\r\n')),
  'an endless status line': asked(endless('HTTP/1.1 200 ', big)),
  'an answer that is endlessly about to come': asked(endless('', 'HTTP/1.1 100 Continue\r\n\r\n')),
  'a header of 17 KiB': saying(`${ok}X-Long: ${'y'.repeat(17 * 1024)}\r\nContent-Length: 5\r\n\r\nhello`),
  'headers of 17 KiB together': saying(
    `${ok}${'X-Many: 0123456789\r\n'.repeat(1_100)}Content-Length: 5\r\n\r\nhello`,
  ),
  'headers that drip': asked(dripping(ok, 'X')),
  'a body that drips': asked(dripping(`${ok}Content-Length: 900\r\n\r\n`, 'x')),
  'a chunk that drips': asked(dripping(`${ok}Transfer-Encoding: chunked\r\n\r\n3e8\r\n`, 'x')),
  'interim answers that drip': asked(dripping('', 'HTTP/1.1 102 Processing\r\n\r\n')),
  'nothing at all': () => {},
  'less than it announced': saysAndEnds(`${ok}Content-Length: 10\r\n\r\nhello`),
  'chunks without an end': saysAndEnds(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
  'two lengths': saysAndEnds(`${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`),
  'a length and chunks': saysAndEnds(
    `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  ),
  'a length in hexadecimal': saysAndEnds(`${ok}Content-Length: 0x5\r\n\r\nhello`),
  'a length with a sign': saysAndEnds(`${ok}Content-Length: +5\r\n\r\nhello`),
  'a negative length': saysAndEnds(`${ok}Content-Length: -5\r\n\r\nhello`),
  'a header name with white space': saysAndEnds(`${ok}Content-Length : 5\r\n\r\nhello`),
  'a header with a NUL': saysAndEnds(`${ok}X-Bad: a\0b\r\nContent-Length: 5\r\n\r\nhello`),
  'HTTP/0.9': saysAndEnds('hello'),
  'HTTP/3.7': saysAndEnds('HTTP/3.7 200 OK\r\nContent-Length: 5\r\n\r\nhello'),
  'HTTP/2': saysAndEnds('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  'another protocol': saysAndEnds('SSH-2.0-OpenSSH_9.9\r\n'),
  'a status of four digits': saysAndEnds('HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello'),
  'another protocol on the same connection': saysAndEnds(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nhello',
  ),
  'a wish to be asked through a proxy': saysAndEnds(
    'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello',
  ),
};

/** Taken is content that is there, a file that is left, or too much time or memory. */
async function taken(serve: NonNullable<SinkOptions['serve']>): Promise<Verdict> {
  return await inScope(async (scope) => {
    const sink = await openSink(scope, { serve });
    const daemon = requests(scope, { contentHosts: ['127.0.0.1'], limits: { idle: 400, total: 800 } });
    const [begun, before] = [performance.now(), process.memoryUsage.rss()];
    const result = await daemon.fetch(`http://127.0.0.1:${sink.port}/`);
    if (sink.heard === '') throw new Error(`not made: ${said(result)}`);
    const [took, grown] = [performance.now() - begun, process.memoryUsage.rss() - before];
    const left = readdirSync(daemon.folder);
    return {
      succeeded: result.ok || left.length > 0 || took > patience || grown > memory,
      how: `${said(result)}; left ${left}; ${Math.round(took)} ms; ${grown} bytes`,
    };
  });
}

type Use = (daemon: Requests, origin: string) => Promise<void>;

/** Several requests to one server; `caught` looks at what it heard and at what was taken. */
function several(
  name: string,
  serve: NonNullable<SinkOptions['serve']>,
  use: Use,
  caught: (heard: string, daemon: Requests) => boolean,
): Attempt {
  return {
    name,
    make: () =>
      inScope(async (scope) => {
        const sink = await openSink(scope, { serve });
        const daemon = requests(scope, { contentHosts: ['127.0.0.1'] });
        await use(daemon, `http://127.0.0.1:${sink.port}`);
        if (sink.heard === '') throw new Error('not made: nothing was asked');
        return { succeeded: caught(sink.heard, daemon), how: sink.heard };
      }),
  };
}

const twice: Use = async (daemon, origin) => {
  await daemon.fetch(`${origin}/first`, 'first');
  await daemon.fetch(`${origin}/second`, 'second');
};

const bomb = gzipSync(Buffer.alloc(1024 * 1024));

export function answering(): Attempt[] {
  const single = Object.entries(untaken).map(([what, serve]) => ({
    name: `answer with ${what}`,
    make: () => taken(serve),
  }));
  return [
    ...single,
    several(
      'answer the next request before it is made',
      (socket) => {
        socket.once('data', () =>
          socket.write(`${goodAnswer}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`),
        );
        socket.on('data', () => {});
      },
      twice,
      (_, daemon) => daemon.content('second') === 'poison',
    ),
    several(
      'be told again what it has set as a cookie',
      (socket) => answerEach(socket, `${ok}Set-Cookie: id=secret; Path=/\r\nContent-Length: 5\r\n\r\nhello`),
      twice,
      (heard) => /cookie|secret/i.test(heard),
    ),
    several(
      'be told a name or password',
      (socket) =>
        answerEach(
          socket,
          'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
        ),
      twice,
      (heard) => /authorization/i.test(heard),
    ),
    several(
      'name the file that its content goes to',
      (socket) =>
        answerEach(
          socket,
          `${ok}Content-Disposition: attachment; filename="../../evil"\r\nContent-Length: 5\r\n\r\nhello`,
        ),
      twice,
      (_, daemon) => readdirSync(daemon.folder).some((name) => name !== 'first' && name !== 'second'),
    ),
    {
      name: 'have a megabyte unpacked from a thousand bytes',
      make: () =>
        inScope(async (scope) => {
          const head = `${ok}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`;
          const answer = Buffer.concat([Buffer.from(head), bomb]);
          const sink = await openSink(scope, { serve: (socket) => answerEach(socket, answer) });
          const daemon = requests(scope, { contentHosts: ['127.0.0.1'], limits: { content: 10_000 } });
          const result = await daemon.fetch(`http://127.0.0.1:${sink.port}/`);
          const content = daemon.content();
          if (content === undefined) throw new Error(`not made: ${said(result)}`);
          return { succeeded: content.length !== bomb.length, how: `${content.length} bytes` };
        }),
    },
  ];
}

export function answeringControls(): Attempt[] {
  return [
    { name: 'a good answer is taken', make: () => taken(saying(goodAnswer)) },
    {
      name: 'a good answer in chunks is taken',
      make: () => taken(saying(`${ok}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n`)),
    },
    {
      name: 'exactly the limit is taken',
      make: () => taken(saying(`${ok}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)),
    },
  ];
}
