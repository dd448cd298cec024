import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { TlsMaterial } from '../../../src/base/tls.ts';
import { publicLookup } from '../../../src/http/addresses.ts';
import {
  type ContentClient,
  type ContentClientDeps,
  type ContentLimits,
  createContentClient,
} from '../../../src/http/content-client.ts';
import type { Destination, Standing } from '../../../src/http/egress.ts';
import { type ContentServer, reply, startContentServer } from '../../helpers/http-content.ts';
import { freePort } from '../../helpers/loopback.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const pem = (name: string): string =>
  readFileSync(path.resolve(import.meta.dirname, '../../fixtures/tls', name), 'utf8');

const material: TlsMaterial = { ca: [pem('ca.pem')], cert: pem('client.pem'), key: pem('client-key.pem') };
const serverPair = { cert: pem('server.pem'), key: pem('server-key.pem') };

const never = new AbortController().signal;

interface Setup {
  readonly client: ContentClient;
  readonly server: ContentServer;
  readonly folder: string;
  to(path: string, standing?: Standing, host?: string): Destination;
}

async function setup(
  options: Partial<Omit<ContentClientDeps, 'limits'>> & {
    readonly limits?: Partial<ContentLimits>;
    readonly https?: boolean;
    readonly askForCertificate?: boolean;
  } = {},
): Promise<Setup> {
  const scope = testScope();
  const { limits, https = false, askForCertificate = false, ...deps } = options;
  const ask = askForCertificate && { requestCert: true, rejectUnauthorized: true, ca: material.ca?.slice() };
  const server = await startContentServer(scope, https ? { ...serverPair, ...ask } : undefined);
  const client = createContentClient({
    tls: () => material,
    userAgent: 'yggd/1.2.3',
    clock: systemClock,
    limits: { connect: 2_000, idle: 5_000, total: 10_000, content: 1_000_000, ...limits },
    ...deps,
  });
  scope.defer(() => client.close());
  return {
    client,
    server,
    folder: tempDir(scope),
    to(address, standing = 'listed', host = '127.0.0.1') {
      const url = new URL(address, server.origin);
      url.hostname = host;
      return { url, standing };
    },
  };
}

/** Names of tests lead to the server on loopback. */
const toLoopback: NonNullable<ContentClientDeps['lookup']> = (_, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

function fetchInto(folder: string, { client, to }: Setup, address: string, abort = never) {
  return client.fetch(to(address), { directory: folder, name: 'content' }, abort);
}

describe('fetch', () => {
  test('writes the body to a file of ours alone', async () => {
    const s = await setup();
    s.server.on('/a?b=c', reply(200, 'hello'));
    expect(await fetchInto(s.folder, s, '/a?b=c')).toEqual({ ok: true, size: 5 });
    const file = path.join(s.folder, 'content');
    expect(readFileSync(file, 'utf8')).toBe('hello');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(s.folder)).toEqual(['content']);
  });

  test('asks for bytes as they are, under our name, with nothing of its own', async () => {
    const s = await setup();
    s.server.on('/a', reply(200, 'x'));
    await fetchInto(s.folder, s, '/a');
    const [call] = s.server.calls;
    expect(call?.method).toBe('GET');
    expect(call?.headers).toEqual({
      host: s.server.host,
      connection: 'keep-alive',
      'user-agent': 'yggd/1.2.3',
      'accept-encoding': 'identity',
    });
  });

  test('keeps compressed bytes compressed', async () => {
    const s = await setup();
    const bytes = Buffer.from([0x1f, 0x8b, 8, 0, 0]);
    s.server.on('/a', reply(200, bytes, { 'content-encoding': 'gzip' }));
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: true });
    expect(readFileSync(path.join(s.folder, 'content'))).toEqual(bytes);
  });

  test.each([200, 201, 206, 299])('%i is success', async (status) => {
    const s = await setup();
    s.server.on('/a', reply(status, 'x'));
    expect(await fetchInto(s.folder, s, '/a')).toEqual({ ok: true, size: 1 });
  });

  test('204 is an empty file', async () => {
    const s = await setup();
    s.server.on('/a', reply(204));
    expect(await fetchInto(s.folder, s, '/a')).toEqual({ ok: true, size: 0 });
    expect(statSync(path.join(s.folder, 'content')).size).toBe(0);
  });

  test.each([
    [404, 'permanent'],
    [500, 'temporary'],
    [503, 'host'],
  ])('%i fails as %s and leaves no file', async (status, kind) => {
    const s = await setup();
    s.server.on('/a', reply(status, 'x'.repeat(100_000)));
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false, kind });
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('a redirect is not followed', async () => {
    const s = await setup();
    s.server.on('/a', reply(302, '', { location: `${s.server.origin}/b` }));
    s.server.on('/b', reply(200, 'x'));
    const result = await fetchInto(s.folder, s, '/a');
    expect(result).toMatchObject({ ok: false, kind: 'permanent' });
    expect(s.server.callsTo('/b')).toEqual([]);
  });

  test('the limit holds for an announced length', async () => {
    const s = await setup({ limits: { content: 1_000 } });
    s.server.on('/a', (_, response) => {
      response.writeHead(200, { 'content-length': '1001' });
      response.write('x');
    });
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({
      kind: 'refused',
      error: { code: 'YGG_CONTENT_TOO_LARGE' },
    });
  });

  test('the limit holds for an endless body, and nothing of it is left', async () => {
    const s = await setup({ limits: { content: 100_000 } });
    s.server.on('/a', (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', more);
      more();
    });
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({
      kind: 'refused',
      error: { code: 'YGG_CONTENT_TOO_LARGE' },
    });
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('exactly the limit is allowed', async () => {
    const s = await setup({ limits: { content: 1_000 } });
    s.server.on('/a', reply(200, 'x'.repeat(1_000)));
    expect(await fetchInto(s.folder, s, '/a')).toEqual({ ok: true, size: 1_000 });
  });

  test('a body that ends early is no success', async () => {
    const s = await setup();
    s.server.on('/a', (_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc', () => response.destroy());
    });
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false, kind: 'temporary' });
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('headers have a limit', async () => {
    const s = await setup();
    s.server.on('/a', reply(200, 'x', { 'x-long': 'y'.repeat(20_000) }));
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false, kind: 'permanent' });
  });

  test('an answer that never begins ends at the idle time', async () => {
    const s = await setup({ limits: { idle: 300 } });
    s.server.on('/a', () => {});
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false, kind: 'host' });
  });

  test('an answer that stops ends at the idle time', async () => {
    const s = await setup({ limits: { idle: 300 } });
    s.server.on('/a', (_, response) => void response.writeHead(200).write('x'));
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false, kind: 'host' });
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('an answer that drips ends at the total time', async () => {
    const s = await setup({ limits: { total: 300 } });
    s.server.on('/a', (_, response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    const result = await fetchInto(s.folder, s, '/a');
    expect(result).toMatchObject({ ok: false, kind: 'host' });
    if (!result.ok) expect(result.error.message).toContain('300 ms');
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('the caller may cut it off', async () => {
    const s = await setup();
    const abort = new AbortController();
    s.server.on('/a', (_, response) => {
      response.writeHead(200).write('x');
      abort.abort();
    });
    expect(await fetchInto(s.folder, s, '/a', abort.signal)).toMatchObject({ ok: false, kind: 'aborted' });
    expect(readdirSync(s.folder)).toEqual([]);
  });

  test('a request cut off before it begins sends nothing', async () => {
    const s = await setup();
    expect(await fetchInto(s.folder, s, '/a', AbortSignal.abort())).toMatchObject({ kind: 'aborted' });
    expect(s.server.calls).toEqual([]);
  });

  test('close cuts off what is under way, and what comes later', async () => {
    const s = await setup();
    s.server.on('/a', () => {});
    const result = fetchInto(s.folder, s, '/a');
    await waitFor(() => s.server.calls.length === 1, { what: 'request' });
    await s.client.close();
    expect(await result).toMatchObject({ kind: 'aborted' });
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ kind: 'aborted' });
  });

  test('nobody there', async () => {
    const s = await setup();
    const url = new URL(`http://127.0.0.1:${await freePort()}/`);
    const result = await s.client.fetch(
      { url, standing: 'listed' },
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result).toMatchObject({ ok: false, kind: 'host', error: { code: 'YGG_CONTENT_UNREACHABLE' } });
  });

  test('nonsense instead of HTTP', async () => {
    const s = await setup();
    const server = createServer((socket) => socket.end('SSH-2.0-x\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = new URL(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`);
    const result = await s.client.fetch(
      { url, standing: 'listed' },
      { directory: s.folder, name: 'content' },
      never,
    );
    server.close();
    expect(result).toMatchObject({ ok: false, kind: 'permanent' });
  });

  test('a directory that is gone is trouble of the disk', async () => {
    const s = await setup();
    s.server.on('/a', reply(200, 'x'));
    expect(await fetchInto(path.join(s.folder, 'gone'), s, '/a')).toMatchObject({
      kind: 'disk',
      error: { code: 'YGG_JOURNAL_IO' },
    });
  });
});

describe('post', () => {
  test('body and headers arrive as given, with a length', async () => {
    const s = await setup();
    s.server.on('/a', reply(201, 'thanks', { 'x-answer': '1' }));
    const result = await s.client.post(
      s.to('/a'),
      ['X-Job', '7', 'job_uuid', 'ab'],
      Buffer.from('hi'),
      never,
    );
    expect(result).toMatchObject({ ok: true, answer: { status: 201, headers: { 'x-answer': '1' } } });
    expect(Buffer.from(result.answer?.body ?? []).toString()).toBe('thanks');
    const [call] = s.server.calls;
    expect(call?.body.toString()).toBe('hi');
    expect(call?.headers).toEqual({
      host: s.server.host,
      connection: 'keep-alive',
      'x-job': '7',
      job_uuid: 'ab',
      'content-length': '2',
    });
  });

  test('an empty body has the length 0', async () => {
    const s = await setup();
    s.server.on('/a', reply(204));
    expect(await s.client.post(s.to('/a'), [], new Uint8Array(0), never)).toMatchObject({ ok: true });
    expect(s.server.calls[0]?.headers['content-length']).toBe('0');
  });

  test('a failure carries the answer', async () => {
    const s = await setup();
    s.server.on('/a', reply(404, 'no such job'));
    const result = await s.client.post(s.to('/a'), [], Buffer.from('x'), never);
    expect(result).toMatchObject({ ok: false, kind: 'permanent', answer: { status: 404 } });
    expect(Buffer.from(result.answer?.body ?? []).toString()).toBe('no such job');
  });

  test('an answer too long to keep is still an answer', async () => {
    const s = await setup();
    s.server.on('/a', reply(200, Buffer.alloc(1024 * 1024 + 1)));
    expect(await s.client.post(s.to('/a'), [], Buffer.from('x'), never)).toMatchObject({
      ok: true,
      answer: { status: 200, body: new Uint8Array(0) },
    });
  });

  test('an answer whose body breaks off is still an answer', async () => {
    const s = await setup();
    s.server.on('/a', (_, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc', () => response.destroy());
    });
    expect(await s.client.post(s.to('/a'), [], Buffer.from('x'), never)).toMatchObject({ ok: true });
  });

  test('of an answer 64 headers are kept', async () => {
    const s = await setup();
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x-${index}`, 'y']));
    s.server.on('/a', reply(200, '', many));
    const { answer } = await s.client.post(s.to('/a'), [], Buffer.from('x'), never);
    expect(Object.keys(answer?.headers ?? {})).toHaveLength(64);
  });

  test('a redirect is not followed', async () => {
    const s = await setup();
    s.server.on('/a', reply(307, '', { location: `${s.server.origin}/b` }));
    s.server.on('/b', reply(200));
    expect(await s.client.post(s.to('/a'), [], Buffer.from('x'), never)).toMatchObject({ kind: 'permanent' });
    expect(s.server.callsTo('/b')).toEqual([]);
  });
});

describe('TLS', () => {
  test.each([
    ['listed', '127.0.0.1', true],
    ['broker', 'files.example.com', true],
    ['other', 'files.example.com', false],
  ] as const)('%s: the certificate is shown at %s: %s', async (standing, host, shown) => {
    const s = await setup({ https: true, askForCertificate: true, lookup: toLoopback });
    const names: string[] = [];
    s.server.on('/a', (_, response) => {
      const socket = response.socket as TLSSocket;
      names.push(String(socket.getPeerCertificate().subject?.CN));
      response.end('x');
    });
    const result = await s.client.fetch(
      s.to('/a', standing, host),
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result.ok).toBe(shown);
    expect(names).toEqual(shown ? ['test-client-0001'] : []);
    if (!result.ok) {
      expect(result.kind).toBe('permanent');
      expect(result.error.message).toContain(`content-hosts = ["${host}"]`);
    }
  });

  test('a host that wants the certificate says so in TLS 1.2 too, in the handshake', async () => {
    const scope = testScope();
    const ask = { requestCert: true, ca: pem('ca.pem'), maxVersion: 'TLSv1.2' } as const;
    const server = await startContentServer(scope, { ...serverPair, ...ask });
    const s = await setup({ lookup: toLoopback });
    const url = new URL(server.origin);
    url.hostname = 'files.example.com';
    const file = { directory: s.folder, name: 'content' };
    const result = await s.client.fetch({ url, standing: 'other' }, file, never);
    expect(result).toMatchObject({ ok: false, kind: 'permanent' });
    if (!result.ok) expect(result.error.message).toContain('content-hosts = ["files.example.com"]');
  });

  test('authorities of the configuration are trusted, others are not', async () => {
    const trusting = await setup({ https: true });
    trusting.server.on('/a', reply(200, 'x'));
    expect(await fetchInto(trusting.folder, trusting, '/a')).toMatchObject({ ok: true });
    const strict = await setup({ https: true, tls: () => ({}) });
    strict.server.on('/a', reply(200, 'x'));
    expect(await fetchInto(strict.folder, strict, '/a')).toMatchObject({ ok: false, kind: 'permanent' });
    expect(strict.server.calls).toEqual([]);
  });

  test('the name is checked', async () => {
    const s = await setup({ https: true, lookup: toLoopback });
    const result = await s.client.fetch(
      s.to('/a', 'other', 'files.example.net'),
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result).toMatchObject({ ok: false, kind: 'permanent' });
    expect(s.server.calls).toEqual([]);
  });

  test('new files count for the next connection', async () => {
    let current: TlsMaterial = {};
    const s = await setup({ https: true, tls: () => current });
    s.server.on('/a', reply(200, 'x', { connection: 'close' }));
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false });
    current = material;
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: true });
  });

  test('files that are not PEM are a failure, not a crash', async () => {
    const s = await setup({ https: true, tls: () => ({ cert: 'x', key: 'y' }) });
    expect(await fetchInto(s.folder, s, '/a')).toMatchObject({ ok: false });
  });

  test('TLS older than 1.2 is refused', async () => {
    const scope = testScope();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const server = await startContentServer(scope, { ...serverPair, ...old });
    const s = await setup();
    const url = new URL(server.origin);
    const result = await s.client.fetch(
      { url, standing: 'listed' },
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result).toMatchObject({ ok: false, kind: 'permanent' });
    expect(server.calls).toEqual([]);
  });
});

describe('names that lead to this host', () => {
  const rebound = publicLookup((_, __, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]));

  test.each(['broker', 'other'] as const)('are refused when the host is %s', async (standing) => {
    const s = await setup({ https: true, lookup: rebound });
    const result = await s.client.fetch(
      s.to('/a', standing, 'files.example.com'),
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result).toMatchObject({ kind: 'refused', error: { code: 'YGG_CONTENT_REFUSED' } });
    expect(s.server.calls).toEqual([]);
  });

  test('are allowed when it is listed', async () => {
    const s = await setup({ https: true, lookup: rebound });
    s.server.on('/a', reply(200, 'x'));
    const result = await s.client.fetch(
      s.to('/a', 'listed', 'localhost'),
      { directory: s.folder, name: 'content' },
      never,
    );
    expect(result).toMatchObject({ ok: true });
  });
});
