/** What `src/http` relies on, of undici and of Node beneath it. */
import { BlockList, createServer } from 'node:net';
import { Agent, fetch, ProxyAgent } from 'undici';
import { describe, expect, test } from 'vitest';
import { type ContentServer, reply, startContentServer } from '../../helpers/http-content.ts';
import type { Scope } from '../../helpers/scope.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

function agent(scope: Scope, options: Agent.Options = {}): Agent {
  const made = new Agent(options);
  scope.defer(() => made.destroy());
  return made;
}

/** Header lines as they went over the wire. */
function rawHeaders(server: ContentServer, path: string): Promise<string[]> {
  return new Promise((resolve) => {
    server.on(path, (_, response) => {
      resolve(response.req.rawHeaders);
      response.end();
    });
  });
}

describe('redirects', () => {
  test('fetch follows them, request does not', async () => {
    const scope = testScope();
    const server = await startContentServer(scope);
    server.on('/a', reply(302, '', { location: '/b' }));
    server.on('/b', reply(200, 'followed'));
    const dispatcher = agent(scope);
    expect(await (await fetch(`${server.origin}/a`, { dispatcher })).text()).toBe('followed');
    const { statusCode, body } = await dispatcher.request({
      origin: server.origin,
      path: '/a',
      method: 'GET',
    });
    await body.dump();
    expect(statusCode).toBe(302);
    expect(server.callsTo('/b')).toHaveLength(1);
  });
});

describe('framing', () => {
  test('bytes get a Content-Length and no Transfer-Encoding; names keep their case and order', async () => {
    const scope = testScope();
    const server = await startContentServer(scope);
    const seen = rawHeaders(server, '/a');
    const headers = ['X-B', '1', 'x_a', '2', 'User-Agent', 'yggd/1'];
    const body = new Uint8Array([1, 2, 3]);
    const request = { origin: server.origin, path: '/a', method: 'POST', headers, body } as const;
    await (await agent(scope).request(request)).body.dump();
    expect(await seen).toEqual([
      'host',
      server.host,
      'connection',
      'keep-alive',
      'X-B',
      '1',
      'x_a',
      '2',
      'User-Agent',
      'yggd/1',
      'content-length',
      '3',
    ]);
  });

  test('a body of no bytes has the length 0', async () => {
    const scope = testScope();
    const server = await startContentServer(scope);
    const seen = rawHeaders(server, '/a');
    const request = { origin: server.origin, path: '/a', method: 'POST', body: new Uint8Array(0) } as const;
    await (await agent(scope).request(request)).body.dump();
    expect((await seen).slice(-2)).toEqual(['content-length', '0']);
  });

  test('bytes above ASCII in a value arrive as they are', async () => {
    const scope = testScope();
    const server = await startContentServer(scope);
    const seen = rawHeaders(server, '/a');
    const value = Buffer.from('ü').toString('latin1');
    const request = { origin: server.origin, path: '/a', method: 'GET', headers: { x: value } } as const;
    await (await agent(scope).request(request)).body.dump();
    expect(await seen).toContain('Ã¼');
  });
});

describe('name resolution', () => {
  test('its error comes through as it is, and an address is never looked up', async () => {
    const scope = testScope();
    const server = await startContentServer(scope);
    server.on('/a', reply(200));
    const refused = new Error('refused');
    const guarded = agent(scope, { connect: { lookup: (_, __, callback) => callback(refused, '') } });
    const named = {
      origin: `http://localhost:${new URL(server.origin).port}`,
      path: '/a',
      method: 'GET',
    } as const;
    await expect(guarded.request(named)).rejects.toBe(refused);
    const literal = await guarded.request({ ...named, origin: server.origin });
    await literal.body.dump();
    expect(literal.statusCode).toBe(200);
  });

  test('a BlockList sees an IPv4 address through its IPv6 spelling', () => {
    const list = new BlockList();
    list.addSubnet('127.0.0.0', 8, 'ipv4');
    expect(list.check('::ffff:7f00:1', 'ipv6')).toBe(true);
    expect(list.check('::ffff:10.0.0.1', 'ipv6')).toBe(false);
  });

  test('a URL writes every spelling of an IPv4 address in the usual one', () => {
    for (const host of ['127.1', '0x7f.1', '2130706433', '0177.0.0.1']) {
      expect(new URL(`https://${host}/`).hostname).toBe('127.0.0.1');
    }
  });
});

describe('a proxy', () => {
  // When it is not any longer, src/http/tunnels.ts has less to do.
  test('that ends the connection in place of an answer is asked again without an end', async () => {
    const scope = testScope();
    let asked = 0;
    const proxy = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        asked += 1;
        socket.end();
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    scope.defer(() => void proxy.close());
    const address = proxy.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const proxied = new ProxyAgent(`http://127.0.0.1:${port}`);
    const request = { origin: 'https://files.example.com', path: '/', method: 'GET' } as const;
    const failed = proxied.request(request).catch(() => 'failed');
    await waitFor(() => asked > 10, { what: 'eleven questions' });
    await proxied.destroy();
    expect(await failed).toBe('failed');
  });
});
