import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemon } from '../../../src/testing/index.ts';
import { createWebhookWorker } from '../../../workers/webhook/webhook.ts';
import { type ContentServer, reply, startContentServer } from '../../helpers/http-content.ts';
import { testScope } from '../../helpers/test-scope.ts';

interface Rig {
  readonly daemon: TestDaemon;
  readonly server: ContentServer;
}

async function start(listed: readonly string[] = ['deploys', 'alerts']): Promise<Rig> {
  const scope = testScope();
  const server = await startContentServer(scope);
  const urls = Object.fromEntries(listed.map((name) => [name, `${server.origin}/hooks/${name}`]));
  const daemon = await createTestDaemon();
  scope.defer(() => daemon.stop());
  await daemon.run(createWebhookWorker('webhook', { file: 'webhook.toml', table: { urls } }, silentLogger));
  return { daemon, server };
}

/** ORIGIN is the server that waits for what must not come. */
const hostile: ReadonlyArray<readonly [what: string, metadata: Readonly<Record<string, string>>]> = [
  ['no name', {}],
  ['an empty name', { to: '' }],
  ['a name that is not listed', { to: 'payments' }],
  ['another case', { to: 'Deploys' }],
  ['a blank before the name', { to: ' deploys' }],
  ['a line break behind the name', { to: 'deploys\n' }],
  ['a NUL behind the name', { to: 'deploys\0' }],
  ['two names', { to: 'deploys,alerts' }],
  ['a pattern', { to: '*' }],
  ['a query behind the name', { to: 'deploys?x=1' }],
  ['a path behind the name', { to: 'deploys/../../admin' }],
  ['an escaped name', { to: '%64eploys' }],
  ['a URL', { to: 'ORIGIN/anything' }],
  ['a listed URL', { to: 'ORIGIN/hooks/deploys' }],
  ['a URL without scheme', { to: '//127.0.0.1/' }],
  ['a file', { to: 'file:///etc/passwd' }],
  ['a URL that is its own content', { to: 'data:text/plain,x' }],
  ['the name of a prototype', { to: '__proto__' }],
  ['the name of a method', { to: 'constructor' }],
  ['a URL under another name', { url: 'ORIGIN/x', return_url: 'ORIGIN/x', directive: 'ORIGIN/x' }],
  ['a host', { host: '127.0.0.1', Host: '127.0.0.1', location: 'ORIGIN/x' }],
];

test.each(hostile)('%s is posted nowhere', async (_, metadata) => {
  const { daemon, server } = await start();
  const filled = Object.entries(metadata).map(([key, value]) => [
    key,
    value.replace('ORIGIN', server.origin),
  ]);
  const result = await daemon.send({
    directive: 'webhook',
    metadata: Object.fromEntries(filled),
    content: { url: `${server.origin}/x`, to: 'deploys' },
  });
  expect(result).toMatchObject({ outcome: 'failed', code: 'REFUSED', retry: false, answers: [] });
  expect(server.calls).toEqual([]);
});

test('a message goes to the URL it names as it is, with nothing of its metadata', async () => {
  const { daemon, server } = await start();
  server.on('/hooks/deploys', reply(204));
  const metadata = { to: 'deploys', 'X-Evil': 'yes', authorization: 'stolen', 'content-type': 'text/html' };
  const content = Buffer.from('{ "a" :1}');
  const { outcome, answers } = await daemon.send({ directive: 'webhook', metadata, content });
  expect(outcome).toBe('done');
  expect(answers[0]?.json()).toEqual({ status: 204 });
  expect(server.calls).toHaveLength(1);
  expect(server.calls[0]).toMatchObject({ method: 'POST', url: '/hooks/deploys', body: content });
  const headers = server.calls[0]?.headers;
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'idempotency-key': 'message-1' });
  expect(headers).not.toHaveProperty('x-evil');
  expect(headers).not.toHaveProperty('authorization');
});

test('a single URL need not be named, and a redirect is not followed', async () => {
  const { daemon, server } = await start(['deploys']);
  server.on('/hooks/deploys', reply(307, '', { location: `${server.origin}/elsewhere` }));
  const result = await daemon.send({ directive: 'webhook', content: 1 });
  expect(result).toMatchObject({ outcome: 'failed', code: 'NOT_TAKEN', retry: false });
  expect(server.calls.map(({ url }) => url)).toEqual(['/hooks/deploys']);
});

test.each([
  ['an answer of 503', 503],
  ['no answer', 0],
])('%s is tried again, and not for ever', async (_, status) => {
  const { daemon, server } = await start(['deploys']);
  server.on('/hooks/deploys', (call, response) => {
    if (status === 0) response.destroy();
    else reply(status)(call, response);
  });
  const first = await daemon.send({ directive: 'webhook', content: 1 });
  expect(first).toMatchObject({ outcome: 'failed', retry: true, delay: 5_000 });
  const last = await daemon.send({ directive: 'webhook', content: 1, attempt: 4 });
  expect(last).toMatchObject({ outcome: 'failed', retry: false, code: 'NOT_REACHED' });
});

test.each([
  ['none', {}],
  ['no text', { urls: { a: 1 } }],
  ['no address', { urls: { a: 'secret' } }],
  ['another scheme', { urls: { a: 'file:///secret' } }],
  ['a password', { urls: { a: 'https://me:secret@example.test/' } }],
])('a list of URLs with %s is said at the start, without the secrets in it', (_, table) => {
  const create = () => createWebhookWorker('webhook', { file: 'webhook.toml', table });
  expect(create).toThrow(/The URL a has to begin with|webhook.toml has no table \[settings.urls\]/);
  expect(create).not.toThrow('secret');
});
