/** Content that is fetched through a proxy. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { reply, startContentServer } from '../helpers/http-content.ts';
import { ledger } from '../helpers/ledger.ts';
import { testScope } from '../helpers/test-scope.ts';
import { nodeWorker } from '../helpers/worker-files.ts';

test('HTTP_PROXY of the environment is used, but for hosts in NO_PROXY', async () => {
  const scope = testScope();
  const content = await startContentServer(scope);
  content.on('/x', reply(200, 'x'));
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', ({ url = '' }, socket) => {
    asked.push(url);
    const upstream = connect(Number(new URL(content.origin).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    for (const each of [socket, upstream]) each.on('error', () => {});
    scope.defer(() => void upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  scope.defer(() => void proxy.close());
  const address = proxy.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const book = ledger(scope);
  const { server, yggd } = await startHost(scope, {
    workers: [nodeWorker({ handler: 'detached', detached: true, ledger: book.file })],
    handlers: ['detached'],
    flags: ['--content-hosts', 'files.example.com', '--content-hosts', content.host],
    env: { ...process.env, http_proxy: `http://127.0.0.1:${port}`, no_proxy: 'other.example.com' },
  });
  await server.answer(await server.send({ directive: 'detached', content: 'http://files.example.com/x' }));
  await server.answer(await server.send({ directive: 'detached', content: `${content.origin}/x` }));
  expect(asked).toEqual(['files.example.com:80']);
  expect(content.callsTo('/x')).toHaveLength(2);
  await yggd.stopCleanly();
});
