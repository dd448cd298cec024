/**
 * The connections of one client of HTTP: a pool for each standing and proxy.
 *
 * Owns the agents. New ones are made when certificates or limits have changed; what is under way on the others goes on.
 * The proxy is shown no certificate; a name that it will resolve is looked up here before, and refused when it leads to
 * this host or its link.
 */
import type { LookupFunction } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Agent, Dispatcher, ProxyAgent } from 'undici';
import { pause } from '../base/deadline.ts';
import { YggError } from '../base/errors.ts';
import { secureOptions, type TlsMaterial } from '../base/tls.ts';
import { publicLookup } from './addresses.ts';
import { createConnector, materialFor } from './connector.ts';
import type { Destination } from './egress.ts';
import { noProxies, type Proxies } from './proxies.ts';
import { createTunnels } from './tunnels.ts';

export interface AgentsDeps {
  /** The same object until the files change. */
  readonly tls: () => TlsMaterial;
  /** Milliseconds; read for each request. */
  readonly limits: { readonly connect: number; readonly idle: number };
  /** Resolves names of hosts that are not listed; not set: {@link publicLookup}. */
  readonly lookup?: LookupFunction | undefined;
  /** Not set: everything goes straight. */
  readonly proxies?: Proxies | undefined;
}

interface Made {
  readonly agent: Agent | ProxyAgent;
  readonly material: TlsMaterial;
  readonly idle: number;
}

const maxHeaderBytes = 16 * 1024;
/** Milliseconds a name that a proxy will resolve may take here: hosts behind one often have no names of others. */
const checkDeadline = 2_000;

export class Agents {
  readonly #deps: AgentsDeps;
  readonly #made = new Map<string, Made>();
  #closed = false;

  constructor(deps: AgentsDeps) {
    this.#deps = deps;
  }

  /** Throws `YGG_CONTENT_REFUSED` for a name that may not be reached. */
  async of({ url, standing }: Destination): Promise<Dispatcher> {
    const { tls, limits, proxies = noProxies } = this.#deps;
    const undici = await import('undici');
    const proxy = proxies.of(url);
    if (proxy && standing !== 'listed') await this.#checkName(url);
    if (this.#closed) throw new YggError('YGG_CLOSED', 'The content client is closed.');
    const material = tls();
    const { idle } = limits;
    const key = `${standing} ${proxy?.href ?? ''}`;
    const known = this.#made.get(key);
    if (known?.material === material && known.idle === idle) return known.agent;
    // What is under way with what held before goes on, and so does what is about to begin.
    setImmediate(() => known?.agent.close().catch(() => {}));
    const pool = {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: idle,
      bodyTimeout: idle,
      pipelining: 1,
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 10_000,
    };
    const timeout = limits.connect;
    const agent = proxy
      ? new undici.ProxyAgent({
          ...pool,
          uri: proxy.href,
          clientFactory: (address, settings) =>
            createTunnels(address, settings, { pool: undici.Pool, timeout, maxHeaderSize: maxHeaderBytes }),
          proxyTls: { timeout, ...secureOptions({ ca: material.ca }) },
          requestTls: {
            timeout,
            secureContext: createSecureContext(secureOptions(materialFor(standing, material))),
          },
        })
      : new undici.Agent({
          ...pool,
          connect: createConnector({
            standing,
            material,
            timeout,
            build: undici.buildConnector,
            lookup: this.#deps.lookup,
          }),
        });
    this.#made.set(key, { agent, material, idle });
    return agent;
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#made.values()].map(({ agent }) => agent.destroy()));
    this.#made.clear();
  }

  /** A name that cannot be resolved here is the proxy's affair. */
  async #checkName({ hostname }: URL): Promise<void> {
    const { lookup = publicLookup() } = this.#deps;
    const over = new AbortController();
    const refused = new Promise<YggError | undefined>((resolve) => {
      lookup(hostname, { all: true }, (error) => resolve(error instanceof YggError ? error : undefined));
    });
    const error = await Promise.race([refused, pause(checkDeadline, { abort: over.signal })]);
    over.abort();
    if (error) throw error;
  }
}
