import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { createContentClient, type Posted } from '../../../src/http/content-client.ts';
import { readProxies } from '../../../src/http/proxies.ts';
import { testScope } from '../../helpers/test-scope.ts';

interface Asked {
  /** How often the proxy was asked for a tunnel. */
  readonly times: number;
  readonly result: Posted;
}

/** Posts through a proxy that answers like this; `connect` and `total` in milliseconds. */
async function ask(
  answer: (socket: Socket) => void,
  limits: { readonly connect: number; readonly total: number },
): Promise<Asked> {
  const scope = testScope();
  let times = 0;
  const open = new Set<Socket>();
  const proxy = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      times += 1;
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const client = createContentClient({
    tls: () => ({}),
    userAgent: 'yggd/1.2.3',
    clock: systemClock,
    limits: { idle: 60_000, content: 1_000, ...limits },
    proxies: readProxies({ HTTPS_PROXY: `http://me:secret@127.0.0.1:${port}` }, () => {}),
  });
  scope.defer(async () => {
    await client.close();
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  const destination = { url: new URL('https://files.example.com/a'), standing: 'listed' } as const;
  const result = await client.post(destination, [], Buffer.from('x'), new AbortController().signal);
  return { times, result };
}

test.each([
  ['ends the connection', (socket: Socket) => void socket.end()],
  ['is only about to answer', (socket: Socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n')],
  ['makes no sense', (socket: Socket) => void socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
])('a proxy that %s is asked once, and the failure names it without its password', async (_, answer) => {
  const { times, result } = await ask(answer, { connect: 30_000, total: 30_000 });
  expect(times).toBe(1);
  expect(result).toMatchObject({ ok: false, error: { code: 'YGG_CONTENT_UNREACHABLE' } });
  const sentence = result.ok ? '' : result.error.message;
  expect(sentence).toMatch(/^The proxy 127\.0\.0\.1:\d+ gave no tunnel to files\.example\.com:443: .+\.$/);
});

test('a proxy that does not answer has the time that connecting has', async () => {
  const { result } = await ask(() => {}, { connect: 100, total: 60_000 });
  expect(result).toMatchObject({ ok: false, kind: 'host' });
});

test('a request ends in its time also while a proxy does not answer', async () => {
  const { result } = await ask(() => {}, { connect: 60_000, total: 100 });
  expect(result).toMatchObject({ ok: false, error: { message: expect.stringContaining('within 100 ms') } });
});
