/** A local HTTP server for detached content: answers as it is told and keeps what it was asked. */
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { Scope } from './scope.ts';

export interface HttpCall {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Answer = (call: HttpCall, response: ServerResponse) => void;

export interface ContentServer {
  /** `127.0.0.1:PORT`, as `content-hosts` takes it. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string;
  /** In order of arrival. */
  readonly calls: HttpCall[];
  /** How requests for this path are answered from now on. */
  on(path: string, answer: Answer): void;
  callsTo(path: string): readonly HttpCall[];
}

/** With `tls`, over https. */
export async function startContentServer(scope: Scope, tls?: ServerOptions): Promise<ContentServer> {
  const calls: HttpCall[] = [];
  const answers = new Map<string, Answer>();
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const call = { method, url, headers, body: Buffer.concat(chunks) };
      calls.push(call);
      const answer = answers.get(url);
      if (answer) answer(call, response);
      else response.writeHead(404).end();
    });
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    host: `127.0.0.1:${port}`,
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    calls,
    on: (path, answer) => void answers.set(path, answer),
    callsTo: (path) => calls.filter((call) => call.url === path),
  };
}

/** Answers with this status and body. */
export function reply(
  status: number,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
): Answer {
  return (_, response) => {
    response.writeHead(status, headers).end(body);
  };
}
