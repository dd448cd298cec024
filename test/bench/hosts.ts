/** What is put under load: the yardstick, and the built daemon with its workers, each beside a broker of its own. */
import path from 'node:path';
import { Child } from '../helpers/child.ts';
import { type Mosquitto, startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import { childrenOf, cpuOf, memoryOf } from '../helpers/processes.ts';
import { Scope } from '../helpers/scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { nodeScript, type WorkerFile } from '../helpers/worker-files.ts';
import { createHome, type Home, startYggd, type Yggd } from '../helpers/yggd.ts';
import { sum } from './figures.ts';
import { type Burst, type BurstOptions, burst } from './load.ts';

export const clientId = 'bench';

const mebibyte = 1024 * 1024;
/** Deliveries an attached worker has in hand at a time: what a plain worker gets by itself. */
const window = 64;

export interface SdkWorkerOptions {
  readonly handler?: string;
  /** Messages at a time; 0: what the SDK does by itself. */
  readonly concurrency?: number;
  /** Milliseconds it takes for each. */
  readonly delay?: number;
}

/** An echo worker on the SDK, attached. */
export function sdkWorker(options: SdkWorkerOptions = {}): WorkerFile {
  const { handler = 'echo', concurrency = window, delay = 0 } = options;
  const environment = [`BENCH_HANDLER=${handler}`, `BENCH_DELAY=${delay}`];
  if (concurrency > 0) environment.push(`BENCH_CONCURRENCY=${concurrency}`);
  return {
    name: `${handler}-worker`,
    text: nodeScript(path.join(import.meta.dirname, 'sdk-worker.js')),
    config: [`env = ${JSON.stringify(environment)}`],
  };
}

type Load = Pick<BurstOptions, 'messages' | 'size'>;

/** Milliseconds of the same, unmeasured: a daemon runs for months, and its code is compiled. */
const warmUpTime = 10_000;

async function warmUp(options: BurstOptions): Promise<void> {
  const end = performance.now() + warmUpTime;
  while (performance.now() < end) await burst(options);
}

export interface BareRun extends Burst {
  /** Microseconds of processor time a message. */
  readonly cpu: number;
}

/** The client that answers each message by itself. */
export async function bareRun(load: Load): Promise<BareRun> {
  return await inScope(async (scope) => {
    const broker = await startMosquitto(scope);
    const program = path.join(import.meta.dirname, 'bare-client.js');
    const client = new Child(scope, process.execPath, [program, broker.url, clientId]);
    await waitFor(() => client.lines.includes('subscribed'), {
      what: 'bare client',
      detail: () => client.output,
    });
    const options = { port: broker.port, clientId, directives: ['echo'], ...load };
    await warmUp(options);
    const before = cpuOf(client.pid);
    const result = await burst(options);
    return { ...result, cpu: ((cpuOf(client.pid) - before) * 1_000) / load.messages };
  });
}

export interface DaemonRun extends Burst {
  /** Microseconds of processor time a message. */
  readonly cpu: number;
  readonly workerCpu: number;
  /** Milliseconds from the spawn to online with the workers registered. */
  readonly start: number;
  /** MiB. */
  readonly idle: number;
  readonly peakRss: number;
  readonly peakAnonymous: number;
}

/** A daemon and these workers by their handlers; the messages go to each in turn. */
export async function daemonRun(
  workers: Readonly<Record<string, WorkerFile>>,
  load: Load,
): Promise<DaemonRun> {
  return await inScope(async (scope) => {
    const { broker, yggd, start } = await startDaemon(scope, workers);
    // Idle is what is left a while after the start, before the first message.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const idle = memoryOf(yggd.pid).rss;
    const options = { port: broker.port, clientId, directives: Object.keys(workers), ...load };
    await warmUp(options);
    const spent = processorTime(yggd);
    let peakRss = 0;
    let peakAnonymous = 0;
    const sample = (): void => {
      const { rss, anonymous } = memoryOf(yggd.pid);
      peakRss = Math.max(peakRss, rss);
      peakAnonymous = Math.max(peakAnonymous, anonymous);
    };
    const result = await burst({ ...options, sample });
    const run = {
      ...result,
      ...spent(load.messages),
      start,
      idle: idle / mebibyte,
      peakRss: peakRss / mebibyte,
      peakAnonymous: peakAnonymous / mebibyte,
    };
    await yggd.stopCleanly();
    return run;
  });
}

/** What daemon and workers take from now on: microseconds a message. */
export function processorTime(yggd: Yggd): (messages: number) => Pick<DaemonRun, 'cpu' | 'workerCpu'> {
  const workers = childrenOf(yggd.pid);
  const workerTime = (): number => sum(workers.map(cpuOf));
  const [before, workersBefore] = [cpuOf(yggd.pid), workerTime()];
  return (messages) => ({
    cpu: ((cpuOf(yggd.pid) - before) * 1_000) / messages,
    workerCpu: ((workerTime() - workersBefore) * 1_000) / messages,
  });
}

export interface Started {
  readonly broker: Mosquitto;
  readonly yggd: Yggd;
  readonly start: number;
}

/** Online with these workers, by their handlers. */
export async function startDaemon(
  scope: Scope,
  workers: Readonly<Record<string, WorkerFile>>,
  options: { readonly home?: Home; readonly flags?: readonly string[] } = {},
): Promise<Started> {
  const { home = createHome(scope, Object.values(workers)), flags = [] } = options;
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url, { clientId });
  const begun = performance.now();
  const yggd = startYggd(scope, { home, brokers: [broker.url], clientId, logLevel: 'error', flags });
  const online = await server.online(Object.keys(workers), { deadline: 60_000 });
  await server.close();
  return { broker, yggd, start: online.at - begun };
}

export async function inScope<T>(run: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  try {
    return await run(scope);
  } finally {
    await scope.end();
  }
}
