/**
 * Speaks HTTP for detached content: one GET into a file, one POST of bytes.
 *
 * Owns the connections (`agents.ts`). Never follows a redirect, never decompresses,
 * never retries, never throws: what failed is a {@link Failure}. undici is loaded with the first request; a host
 * without detached content never pays for it.
 */
import { setMaxListeners } from 'node:events';
import type { LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import type { Clock } from '../base/clock.ts';
import { unlessAborted } from '../base/deadline.ts';
import { YggError } from '../base/errors.ts';
import type { TlsMaterial } from '../base/tls.ts';
import { Agents } from './agents.ts';
import { keepContent, tooLarge } from './content-file.ts';
import type { Destination } from './egress.ts';
import { type Failure, statusFailure, thrownFailure } from './failure.ts';
import type { Proxies } from './proxies.ts';

export interface ContentClientDeps {
  readonly tls: () => TlsMaterial;
  /** `yggd/<version>`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly limits: ContentLimits;
  /** Resolves names of hosts that are not listed; not set: `publicLookup` (`addresses.ts`). */
  readonly lookup?: LookupFunction;
  /** Not set: everything goes straight. */
  readonly proxies?: Proxies | undefined;
}

/** Times in milliseconds, sizes in bytes; read for each request. */
export interface ContentLimits {
  /** Name resolution, connecting and TLS together. */
  readonly connect: number;
  /** Without a byte of answer. */
  readonly idle: number;
  /** The whole request (`http-timeout`). */
  readonly total: number;
  /** Fetched content (`max-content-size`). */
  readonly content: number;
}

export interface Fetched {
  readonly ok: true;
  readonly size: number;
}

/** The answer to a POST. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty when it was longer than 1 MiB. */
  readonly body: Uint8Array;
}

export type Posted = ({ readonly ok: true } | Failure) & { readonly answer?: Answer };

export interface ContentClient {
  /** Fetches into `<directory>/<name>`, which is there whole or not at all. No content (204) is an empty file. */
  fetch(
    destination: Destination,
    file: { readonly directory: string; readonly name: string },
    abort: AbortSignal,
  ): Promise<Fetched | Failure>;
  /** Posts; `headers` are names and values in turn, framing excluded. */
  post(
    destination: Destination,
    headers: readonly string[],
    body: Uint8Array,
    abort: AbortSignal,
  ): Promise<Posted>;
  /** Cuts every request off and closes every connection. */
  close(): Promise<void>;
}

type RequestParts = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body'>;

const maxAnswerHeaders = 64;
const maxAnswerBytes = 1024 * 1024;

export function createContentClient(deps: ContentClientDeps): ContentClient {
  const { clock, limits } = deps;
  const agents = new Agents(deps);
  const closing = new AbortController();
  // Every request under way waits for it.
  setMaxListeners(0, closing.signal);

  /** One request; whatever is thrown inside becomes a failure, the caller's abort before anything else. */
  async function request<Result>(
    destination: Destination,
    parts: RequestParts,
    abort: AbortSignal,
    take: (response: Dispatcher.ResponseData) => Promise<Result>,
  ): Promise<Result | Failure> {
    const { url } = destination;
    const cut = new AbortController();
    const onAbort = (): void => cut.abort(new YggError('YGG_CLOSED', 'The request was cut off.'));
    const { total } = limits;
    const timer = clock.after(total, () =>
      cut.abort(
        new YggError('YGG_CONTENT_UNREACHABLE', `${url.host} did not end its answer within ${total} ms.`),
      ),
    );
    const outer = [abort, closing.signal];
    for (const signal of outer) signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (outer.some((signal) => signal.aborted)) onAbort();
      cut.signal.throwIfAborted();
      const agent = await agents.of(destination);
      cut.signal.throwIfAborted();
      const answered = agent.request({
        ...parts,
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        signal: cut.signal,
      });
      // While undici connects it looks at no signal.
      return await take(await unlessAborted(cut.signal, answered));
    } catch (error) {
      return thrownFailure(destination, cut.signal.aborted ? cut.signal.reason : error);
    } finally {
      timer.cancel();
      for (const signal of outer) signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    fetch(destination, file, abort) {
      const headers = ['User-Agent', deps.userAgent, 'Accept-Encoding', 'identity'];
      return request<Fetched | Failure>(destination, { method: 'GET', headers }, abort, async (response) => {
        const { statusCode, body } = response;
        if (statusCode < 200 || statusCode > 299) {
          discard(response);
          return statusFailure(destination, statusCode, answerHeaders(response), clock.now());
        }
        const announced = Number(response.headers['content-length']);
        if (announced > limits.content) {
          discard(response);
          throw tooLarge(limits.content);
        }
        const size = await keepContent(body, { ...file, limit: limits.content });
        return { ok: true, size };
      });
    },
    post(destination, headers, body, abort) {
      const post: RequestParts = { method: 'POST', headers: [...headers], body };
      return request<Posted>(destination, post, abort, async (response) => {
        const status = response.statusCode;
        const answer: Answer = { status, headers: answerHeaders(response), body: await answerBody(response) };
        if (status >= 200 && status <= 299) return { ok: true, answer };
        return { ...statusFailure(destination, status, answer.headers, clock.now()), answer };
      });
    },
    async close() {
      closing.abort(new YggError('YGG_CLOSED', 'The content client is closed.'));
      await agents.destroy();
    },
  };
}

function answerHeaders({ headers }: Dispatcher.ResponseData): Record<string, string> {
  const answer: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers).slice(0, maxAnswerHeaders)) {
    if (value !== undefined) answer[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return answer;
}

/** What the status said stands, even when the rest of the answer is too long or does not come. */
async function answerBody({ body }: Dispatcher.ResponseData): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxAnswerBytes) return nothing;
      chunks.push(chunk);
    }
  } catch {
    return nothing;
  }
  return Buffer.concat(chunks);
}

/** Ends an answer nobody reads; the connection goes with it. */
function discard({ body }: Dispatcher.ResponseData): void {
  body.on('error', () => {});
  body.destroy();
}

const nothing = new Uint8Array(0);
