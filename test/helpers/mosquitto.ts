/** A real mosquitto on a free loopback port, with a configuration and a data folder of its own. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Certificates } from './certificates.ts';
import { Child } from './child.ts';
import { answers, freePort } from './loopback.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

export interface MosquittoOptions {
  /** Sessions and messages survive the broker's end. */
  readonly persistence?: boolean;
  readonly tls?: Certificates;
  /** Further lines of mosquitto.conf. */
  readonly lines?: readonly string[];
}

export class Mosquitto {
  readonly port: number;
  /** As `--broker` takes it. */
  readonly url: string;
  readonly #scope: Scope;
  readonly #config: string;
  #child: Child | undefined;

  constructor(scope: Scope, port: number, config: string, scheme: string) {
    this.#scope = scope;
    this.port = port;
    this.url = `${scheme}://127.0.0.1:${port}`;
    this.#config = config;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What it logged last. */
  get output(): string {
    return this.#child?.output ?? '';
  }

  /** Starts it (again, on the same port and data) and waits until it answers. */
  async start(): Promise<void> {
    const child = new Child(this.#scope, mosquittoProgram(), ['-c', this.#config]);
    this.#child = child;
    await waitFor(() => (child.exit ? Promise.reject(new Error(child.output)) : answers(this.port)), {
      what: `mosquitto on port ${this.port}`,
      detail: () => child.output,
    });
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Freezes it: connections stay open and nothing answers. `wake` lets it go on. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  wake(): void {
    this.#child?.kill('SIGCONT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.ended();
  }
}

export async function startMosquitto(scope: Scope, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await createMosquitto(scope, options);
  await broker.start();
  return broker;
}

/** Configured and not yet started, for a daemon that comes first. */
export async function createMosquitto(scope: Scope, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { persistence = false, tls, lines = [] } = options;
  const folder = tempDir(scope, 'mosquitto-');
  const port = await freePort();
  const config = path.join(folder, 'mosquitto.conf');
  const all = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'set_tcp_nodelay true',
    // The daemon may be away while thousands are sent to it.
    'max_queued_messages 0',
    'log_dest stderr',
    `persistence ${persistence}`,
    ...(persistence
      ? [`persistence_location ${folder}/`, 'autosave_on_changes true', 'autosave_interval 1']
      : []),
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(tls
      ? [
          `cafile ${tls.ca}`,
          `certfile ${tls.server.cert}`,
          `keyfile ${tls.server.key}`,
          'require_certificate true',
        ]
      : []),
    ...lines,
  ];
  writeFileSync(config, `${all.join('\n')}\n`);
  return new Mosquitto(scope, port, config, tls ? 'mqtts' : 'mqtt');
}

function mosquittoProgram(): string {
  return ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((file) => existsSync(file)) ?? 'mosquitto';
}
