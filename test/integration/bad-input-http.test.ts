/**
 * Servers of detached content that do as they please (docs/bad-input.md): each message ends with a coded line and a
 * report, and the next one is fetched or posted.
 */
import { createServer, type Server } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { type Answer, type ContentServer, reply, startContentServer } from '../helpers/http-content.ts';
import { type Ledger, ledger } from '../helpers/ledger.ts';
import { freePort } from '../helpers/loopback.ts';
import { fileScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { nodeWorker } from '../helpers/worker-files.ts';

const scope = fileScope();
let host: Host;
let content: ContentServer;
let book: Ledger;
/** Where nobody listens, and where somebody answers with something else than HTTP. */
let nobody: string;
let nonsense: string;

beforeAll(async () => {
  content = await startContentServer(scope);
  book = ledger(scope);
  nobody = `127.0.0.1:${await freePort()}`;
  nonsense = await startNonsense();
  content.on('/good', reply(200, 'good'));
  content.on('/return', reply(200));
  host = await startHost(scope, {
    workers: [
      nodeWorker({ handler: 'fetcher', detached: true, ledger: book.file }),
      nodeWorker({ handler: 'poster', answerTo: `${content.origin}/return` }),
      nodeWorker({ handler: 'poster-to-nobody', answerTo: `ftp://${content.host}/return` }),
    ],
    handlers: ['fetcher', 'poster', 'poster-to-nobody'],
    flags: [
      ...['--content-hosts', content.host, '--content-hosts', nobody, '--content-hosts', nonsense],
      ...['--http-retries', '0', '--http-timeout', '1s', '--max-content-size', '64KiB'],
    ],
  });
});

function startNonsense(): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  });
  scope.defer(() => void server.close());
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(`127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`);
    }),
  );
}

/** The daemon goes on: another content is fetched, and another answer posted. */
async function goesOn(): Promise<void> {
  await host.server.answer(
    await host.server.send({ directive: 'fetcher', content: `${content.origin}/good` }),
  );
}

/** Pours for ever. */
const endless: Answer = (_, response) => {
  response.writeHead(200);
  const pour = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(16 * 1024))) {}
    response.once('drain', pour);
  };
  pour();
};

describe('content that cannot be had', () => {
  type Case = readonly [what: string, code: string, words: RegExp, where: () => string];
  const at =
    (path: string, answer: Answer): Case[3] =>
    () => {
      content.on(path, answer);
      return `${content.origin}${path}`;
    };

  test.each<Case>([
    [
      '301',
      'YGG_CONTENT_STATUS',
      /redirects are not followed/,
      at('/301', reply(301, '', { location: '/good' })),
    ],
    ['403', 'YGG_CONTENT_STATUS', /answered 403/, at('/403', reply(403))],
    ['404', 'YGG_CONTENT_STATUS', /answered 404/, at('/404', reply(404))],
    ['429', 'YGG_CONTENT_STATUS', /answered 429/, at('/429', reply(429, '', { 'retry-after': '1' }))],
    ['500', 'YGG_CONTENT_STATUS', /answered 500/, at('/500', reply(500))],
    ['503', 'YGG_CONTENT_STATUS', /answered 503/, at('/503', reply(503, '', { 'retry-after': 'soon' }))],
    ['silence', 'YGG_CONTENT_UNREACHABLE', /did not end its answer within 1000 ms/, at('/silence', () => {})],
    [
      'an answer that stops half-way',
      'YGG_CONTENT_UNREACHABLE',
      /did not end its answer within 1000 ms/,
      at('/half', (_, response) => response.writeHead(200, { 'content-length': '100' }).write('half')),
    ],
    [
      'an answer that breaks off',
      'YGG_CONTENT_UNREACHABLE',
      /could not be reached/,
      at('/cut', (_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => response.destroy());
      }),
    ],
    ['content without end', 'YGG_CONTENT_TOO_LARGE', /larger than max-content-size/, at('/endless', endless)],
    [
      'content that is announced too large',
      'YGG_CONTENT_TOO_LARGE',
      /larger than max-content-size/,
      at('/large', (_, response) => response.writeHead(200, { 'content-length': '65537' }).flushHeaders()),
    ],
    [
      'more headers than there may be',
      'YGG_CONTENT_UNREACHABLE',
      /could not be reached/,
      at(
        '/headers',
        reply(
          200,
          'x',
          Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`x-${n}`, 'y'.repeat(1_000)])),
        ),
      ),
    ],
    ['nobody there', 'YGG_CONTENT_UNREACHABLE', /could not be reached/, () => `http://${nobody}/`],
    [
      'something else than HTTP',
      'YGG_CONTENT_UNREACHABLE',
      /could not be reached/,
      () => `http://${nonsense}/`,
    ],
    [
      'a host that is not listed',
      'YGG_CONTENT_REFUSED',
      /content-hosts = \["127\.0\.0\.2"\]/,
      () => 'http://127.0.0.2:1/',
    ],
    ['a link-local host', 'YGG_CONTENT_REFUSED', /link-local/, () => 'https://169.254.169.254/latest'],
    ['a file', 'YGG_CONTENT_REFUSED', /file:/, () => 'file:///etc/passwd'],
    [
      'a password in the address',
      'YGG_CONTENT_REFUSED',
      /password/,
      () => `http://me:secret@${content.host}/good`,
    ],
    ['no address', 'YGG_CONTENT_REFUSED', /not a URL/, () => 'good'],
  ])('%s: a dead letter with its code, and the next one is fetched', async (_, code, words, where) => {
    const handed = book.events('message').length;
    const id = await host.server.send({ directive: 'fetcher', content: where() });
    const report = await host.server.answer(id);
    expect(report.json).toMatchObject({
      directive: 'fetcher',
      metadata: { status: 'failed', reason: 'content-failed' },
      content: { error: { code: 'content-failed', message: expect.stringMatching(words) } },
    });
    const line = { message_id: id, msg: 'content given up' };
    await host.yggd.says(line);
    const lines = host.yggd.logged(line);
    expect(lines).toMatchObject([{ level: 'warn', code, error: expect.stringMatching(words) }]);
    expect(JSON.stringify(lines)).not.toContain('secret');
    await goesOn();
    expect(book.events('message').length).toBe(handed + 1);
  });

  test('what is no JSON string is a dead letter too', async () => {
    const id = await host.server.send({ directive: 'fetcher', content: { url: `${content.origin}/good` } });
    expect((await host.server.answer(id)).json['metadata']).toMatchObject({ reason: 'content-failed' });
    await host.yggd.says({ message_id: id, code: 'YGG_CONTENT_REFUSED' });
    await goesOn();
  });

  test('204 is empty content', async () => {
    content.on('/204', reply(204));
    const id = await host.server.send({ directive: 'fetcher', content: `${content.origin}/204` });
    await host.server.answer(id);
    expect(book.events('message').at(-1)).toMatchObject({ message_id: id, content: '' });
  });
});

describe('an answer that cannot be posted', () => {
  test('a redirect, 403, 404, 413: dead letters, reported, and the next one is posted', async () => {
    const bodies: string[] = [];
    content.on('/return', (call, response) => {
      const body = call.body.toString();
      bodies.push(body);
      reply(/^\d+$/.test(body) ? Number(body) : 200, '', { location: '/good' })(call, response);
    });
    const ids = await Promise.all(
      [307, 403, 404, 413].map((status) => host.server.send({ directive: 'poster', content: status })),
    );
    await host.server.send({ directive: 'poster', content: 'next' });
    await waitFor(() => bodies.includes('"next"'), { what: 'the next POST' });
    for (const id of ids) {
      const given = { response_to: id, msg: 'response given up', reason: 'delivery-failed', level: 'warn' };
      expect(await host.yggd.says(given)).toMatchObject({ error: expect.stringMatching(/answered \d+/) });
      expect((await host.server.answer(id)).json).toMatchObject({
        directive: 'poster',
        metadata: { status: 'failed', reason: 'delivery-failed' },
      });
    }
    expect(bodies).toHaveLength(5);
  });

  test('429 with the time to wait: tried again then, and delivered', async () => {
    const calls: number[] = [];
    content.on('/return', (call, response) => {
      calls.push(performance.now());
      reply(calls.length === 1 ? 429 : 200, '', { 'retry-after': '2' })(call, response);
    });
    const id = await host.server.send({ directive: 'poster', content: 'patient' });
    await waitFor(() => calls.length === 2, { what: 'the second POST' });
    expect((calls[1] ?? 0) - (calls[0] ?? 0)).toBeGreaterThanOrEqual(1_900);
    await host.yggd.says({ msg: 'response not posted, trying again', code: 'YGG_CONTENT_STATUS' });
    expect(host.server.answersTo(id)).toEqual([]);
  });

  test('an address that may not be posted to: a dead letter at once', async () => {
    const id = await host.server.send({ directive: 'poster-to-nobody' });
    expect((await host.server.answer(id)).json).toMatchObject({
      directive: 'poster-to-nobody',
      metadata: { reason: 'delivery-failed' },
      content: { error: { message: expect.stringContaining('ftp:') } },
    });
    await goesOn();
  });
});

test('all of it was counted', async () => {
  await host.yggd.stopCleanly();
  const counted = await host.yggd.says({ msg: 'counted since the start' });
  const failed = host.yggd.logged({ msg: 'content given up' }).length;
  expect(counted).toMatchObject({
    contents_failed: failed,
    messages_dead: failed,
    responses_dead: host.yggd.logged({ msg: 'response given up' }).length,
  });
});
