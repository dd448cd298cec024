/**
 * The health checks of a worker: run in turn every few seconds, told to the daemon when a result has changed, and
 * served by HTTP where a port is set.
 */
import type { Server } from 'node:http';
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { HealthResult } from './frames.ts';

/** What a check finds. */
export interface HealthStatus {
  readonly name: string;
  readonly healthy: boolean;
  /** Anything that JSON can say. */
  readonly status?: unknown;
}

/** What a check may ask about the worker. */
export interface HealthContext {
  /** Whether the daemon can be reached now. */
  readonly connected: boolean;
}

export type HealthCheck = (context: HealthContext) => HealthStatus | Promise<HealthStatus>;

export interface HealthEndpoint {
  readonly port: number;
  /** Where it listens (127.0.0.1). */
  readonly host?: string;
}

export interface HealthDeps {
  readonly checks: readonly HealthCheck[];
  readonly clock: Clock;
  readonly context: () => HealthContext;
  /** All results, when one has changed. */
  readonly onChange: (results: readonly HealthResult[]) => void;
}

/** A ready-made check: the connection to the daemon. */
export const daemonConnection: HealthCheck = ({ connected }) => ({
  name: 'DaemonConnection',
  healthy: connected,
  status: { connected },
});

const defaultCheck: HealthCheck = () => ({ name: 'DefaultCheck', healthy: true });

/** Milliseconds between rounds, and that one check may take. */
const interval = 10_000;
const checkDeadline = 5_000;

export class Health {
  readonly #deps: HealthDeps;
  readonly #checks: readonly HealthCheck[];
  #timer: Timer | undefined;
  #server: Server | undefined;
  #told = '';

  constructor(deps: HealthDeps) {
    this.#deps = deps;
    this.#checks = deps.checks.length > 0 ? deps.checks : [defaultCheck];
  }

  /** @throws Error when the port cannot be had */
  async start(endpoint?: HealthEndpoint): Promise<void> {
    this.#timer = this.#deps.clock.every(interval, () => void this.tell());
    if (endpoint) await this.#listen(endpoint);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** Where the endpoint listens, once it does. */
  get port(): number | undefined {
    const address = this.#server?.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /** One round; the daemon hears of it when anything is new. */
  async tell(): Promise<void> {
    if (this.#deps.checks.length === 0) return;
    const found = await this.#round();
    const results = found.map(({ name, healthy, status }) => told(name, healthy, status));
    const text = JSON.stringify(results);
    if (text === this.#told) return;
    this.#told = text;
    this.#deps.onChange(results);
  }

  #round(): Promise<HealthStatus[]> {
    return Promise.all(this.#checks.map((check, place) => this.#run(check, `check ${place + 1}`)));
  }

  /** A check that throws, or takes too long, has found something too. */
  async #run(check: HealthCheck, fallback: string): Promise<HealthStatus> {
    const name = check.name || fallback;
    return await new Promise((resolve) => {
      const late = this.#deps.clock.after(checkDeadline, () =>
        resolve({ name, healthy: false, status: { error: `no result within ${checkDeadline} ms` } }),
      );
      const run = async (): Promise<HealthStatus> => checked(await check(this.#deps.context()), name);
      run()
        .then(resolve, (error) => resolve({ name, healthy: false, status: { error: reasonOf(error) } }))
        .finally(() => late.cancel());
    });
  }

  async #listen({ port, host = '127.0.0.1' }: HealthEndpoint): Promise<void> {
    const { createServer } = await import('node:http');
    // However often it is asked: the checks run once at a time.
    let round: Promise<HealthStatus[]> | undefined;
    const ask = (): Promise<HealthStatus[]> => {
      round ??= this.#round().finally(() => {
        round = undefined;
      });
      return round;
    };
    const server = createServer((_request, response) => {
      void ask().then((results) => {
        const { status, body } = responseFor(results);
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve());
    });
    server.unref();
  }
}

/** Of a check that was not written in TypeScript. */
function checked(found: HealthStatus | undefined | null, name: string): HealthStatus {
  if (!found) throw new TypeError('the check found nothing');
  return { name: String(found.name ?? name), healthy: found.healthy === true, status: found.status };
}

/** 200 when all are healthy; 500 otherwise, and when a result cannot be said. */
export function responseFor(results: readonly HealthStatus[]): {
  readonly status: number;
  readonly body: string;
} {
  try {
    const byName = results.map(({ name, healthy, status }) => [name, { healthy, status }]);
    const body = JSON.stringify(Object.fromEntries(byName));
    return { status: results.every(({ healthy }) => healthy) ? 200 : 500, body };
  } catch (error) {
    return { status: 500, body: JSON.stringify({ error: reasonOf(error) }) };
  }
}

function told(name: string, healthy: boolean, status: unknown): HealthResult {
  try {
    return { name, healthy, status: JSON.stringify(status) ?? '' };
  } catch (error) {
    return { name, healthy: false, status: JSON.stringify({ error: reasonOf(error) }) };
  }
}
