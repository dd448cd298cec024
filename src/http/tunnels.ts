/**
 * The connections to one proxy, each asked for one tunnel.
 *
 * A question for a tunnel has the time that connecting has, and fails when the proxy ends the connection in place of an
 * answer. undici by itself waits for five minutes, and asks again for as long as the proxy goes on like that.
 */
import type { Dispatcher, Pool } from 'undici';
import { reasonOf, YggError } from '../base/errors.ts';

export interface TunnelsDeps {
  /** undici's own. */
  readonly pool: typeof Pool;
  /** Milliseconds for the answer. */
  readonly timeout: number;
  readonly maxHeaderSize: number;
}

/** For undici's `clientFactory`; `settings` are those it gives. */
export function createTunnels(proxy: URL, settings: Pool.Options, deps: TunnelsDeps): Dispatcher {
  const { pool: TunnelPool, timeout, maxHeaderSize } = deps;
  const limits = { headersTimeout: timeout, bodyTimeout: timeout, maxHeaderSize };
  const pool = new TunnelPool(proxy.origin, { ...settings, ...limits });
  const open = pool.connect.bind(pool);
  async function connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    try {
      return await open(options);
    } catch (error) {
      const sentence = `The proxy ${proxy.host} gave no tunnel to ${options.path}: ${reasonOf(error)}.`;
      throw new YggError('YGG_CONTENT_UNREACHABLE', sentence, { cause: error });
    }
  }
  return Object.assign(pool, { connect });
}
