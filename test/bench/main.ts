/**
 * Measures the built daemon beside the yardstick, in the same run, and holds the figures against what they must be.
 *
 * Speeds are medians; every line names what it is, what was measured, and the bound.
 */
import { cpus, loadavg, release } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from '../helpers/child.ts';
import { type Mosquitto, startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import { childrenOf, cpuOf, memoryOf } from '../helpers/processes.ts';
import { Scope } from '../helpers/scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker, type WorkerFile } from '../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../helpers/yggd.ts';
import { type Latency, latency } from './latency.ts';
import { type Burst, burst } from './load.ts';

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it must be at least or at most; none: for information. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

interface Settings {
  readonly messages: number;
  readonly runs: number;
}

const mebibyte = 1024 * 1024;

export async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      json: { type: 'boolean', default: false },
      messages: { type: 'string', default: '20000' },
      runs: { type: 'string', default: '3' },
    },
  });
  const settings = { messages: Number(values.messages), runs: Number(values.runs) };
  const load = loadavg()[0] ?? 0;
  const figures = await measure(settings);
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`;
  const command = `npm run bench -- --messages ${settings.messages} --runs ${settings.runs}`;
  const date = new Date().toISOString().slice(0, 10);
  if (values.json) console.log(JSON.stringify({ command, date, machine, load, figures }, null, 2));
  else
    console.log(
      [`\`${command}\`, ${date}, ${machine}, load ${load} before`, '', ...table(figures)].join('\n'),
    );
  return figures.every(holds) ? 0 : 1;
}

async function measure({ messages, runs }: Settings): Promise<Figure[]> {
  const bare: Array<Burst & { readonly cpu: number }> = [];
  const daemon: DaemonRun[] = [];
  const goLike: DaemonRun[] = [];
  for (let run = 0; run < runs; run += 1) {
    bare.push(await bareRun(messages));
    daemon.push(await daemonRun(messages, echoWorker({ redelivery: 'until-done' }), 'echo'));
    goLike.push(await daemonRun(messages, nodeWorker({ handler: 'go', behaviours: ['go-like'] }), 'go'));
  }
  const latencies: Latency[] = [];
  for (let run = 0; run < runs; run += 1) latencies.push(await latencyRun());

  const all = [...daemon, ...goLike];
  const bareRate = median(bare.map(({ rate }) => rate));
  const echoRate = median(daemon.map(({ rate }) => rate));
  return [
    { name: 'bare MQTT.js client', value: bareRate, unit: 'messages/s' },
    { name: 'unary echo worker', value: echoRate, unit: 'messages/s' },
    { name: 'ratio', value: echoRate / bareRate, unit: '', atLeast: 0.13 },
    { name: 'worker that dials anew', value: median(goLike.map(({ rate }) => rate)), unit: 'messages/s' },
    { name: 'CPU of the bare client', value: median(bare.map(({ cpu }) => cpu)), unit: 'us/message' },
    { name: 'CPU of the daemon', value: median(daemon.map(({ cpu }) => cpu)), unit: 'us/message' },
    {
      name: 'CPU of the echo worker',
      value: median(daemon.map(({ workerCpu }) => workerCpu)),
      unit: 'us/message',
    },
    {
      name: 'latency at 200 messages/s, p50',
      value: median(latencies.map(({ p50 }) => p50)),
      unit: 'ms',
      atMost: 2,
    },
    {
      name: 'latency at 200 messages/s, p99',
      value: median(latencies.map(({ p99 }) => p99)),
      unit: 'ms',
      atMost: 10,
    },
    {
      name: 'start to online with the worker',
      value: median(daemon.map(({ start }) => start)),
      unit: 'ms',
      atMost: 600,
    },
    { name: 'idle memory, RSS', value: median(daemon.map(({ idle }) => idle)), unit: 'MiB', atMost: 85 },
    { name: 'peak memory, RSS', value: Math.max(...all.map(({ peakRss }) => peakRss)), unit: 'MiB' },
    {
      name: 'peak memory, RssAnon',
      value: Math.max(...all.map(({ peakAnonymous }) => peakAnonymous)),
      unit: 'MiB',
      atMost: 150,
    },
    {
      name: 'lost, echo',
      value: sum([...daemon, ...latencies].map(({ lost }) => lost)),
      unit: '',
      atMost: 0,
    },
    { name: 'lost, worker that dials anew', value: sum(goLike.map(({ lost }) => lost)), unit: '', atMost: 0 },
    { name: 'doubled', value: sum(all.map(({ doubled }) => doubled)), unit: '', atMost: 0 },
  ];
}

async function bareRun(messages: number): Promise<Burst & { readonly cpu: number }> {
  return await inScope(async (scope) => {
    const broker = await startMosquitto(scope);
    const program = path.join(import.meta.dirname, 'bare-client.js');
    const client = new Child(scope, process.execPath, [program, broker.url, 'bench']);
    await waitFor(() => client.lines.includes('subscribed'), {
      what: 'bare client',
      detail: () => client.output,
    });
    const before = cpuOf(client.pid);
    const result = await burst({ port: broker.port, clientId: 'bench', directive: 'echo', messages });
    return { ...result, cpu: ((cpuOf(client.pid) - before) * 1_000) / messages };
  });
}

interface DaemonRun extends Burst {
  /** Microseconds of processor time a message. */
  readonly cpu: number;
  readonly workerCpu: number;
  /** Milliseconds from the spawn to online with the worker registered. */
  readonly start: number;
  /** MiB. */
  readonly idle: number;
  readonly peakRss: number;
  readonly peakAnonymous: number;
}

async function daemonRun(messages: number, worker: WorkerFile, handler: string): Promise<DaemonRun> {
  return await inScope(async (scope) => {
    const { broker, yggd, start } = await startDaemon(scope, worker, handler);
    // Idle is what is left a while after the start, before the first message.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const idle = memoryOf(yggd.pid).rss;
    const workers = childrenOf(yggd.pid);
    const workerTime = (): number => sum(workers.map(cpuOf));
    const [cpuBefore, workerBefore] = [cpuOf(yggd.pid), workerTime()];
    let peakRss = 0;
    let peakAnonymous = 0;
    const sample = (): void => {
      const { rss, anonymous } = memoryOf(yggd.pid);
      peakRss = Math.max(peakRss, rss);
      peakAnonymous = Math.max(peakAnonymous, anonymous);
    };
    const result = await burst({
      port: broker.port,
      clientId: 'bench',
      directive: handler,
      messages,
      sample,
    });
    const perMessage = (milliseconds: number): number => (milliseconds * 1_000) / messages;
    const run = {
      ...result,
      cpu: perMessage(cpuOf(yggd.pid) - cpuBefore),
      workerCpu: perMessage(workerTime() - workerBefore),
      start,
      idle: idle / mebibyte,
      peakRss: peakRss / mebibyte,
      peakAnonymous: peakAnonymous / mebibyte,
    };
    await yggd.stopCleanly();
    return run;
  });
}

/** Messages before latencies are taken. */
const warmUp = 20_000;

async function latencyRun(): Promise<Latency> {
  return await inScope(async (scope) => {
    const { broker, yggd } = await startDaemon(scope, echoWorker({ redelivery: 'until-done' }), 'echo');
    const options = { url: broker.url, clientId: 'bench', directive: 'echo', rate: 200 };
    // A daemon runs for months: the first messages, which meet code that is not compiled yet, do not count.
    await burst({ port: broker.port, clientId: 'bench', directive: 'echo', messages: warmUp });
    await latency({ ...options, seconds: 2 });
    const result = await latency({ ...options, seconds: 10 });
    await yggd.stopCleanly();
    return result;
  });
}

interface Started {
  readonly broker: Mosquitto;
  readonly yggd: Yggd;
  readonly start: number;
}

async function startDaemon(scope: Scope, worker: WorkerFile, handler: string): Promise<Started> {
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url, { clientId: 'bench' });
  const home = createHome(scope, [worker]);
  const begun = performance.now();
  const yggd = startYggd(scope, { home, brokers: [broker.url], clientId: 'bench', logLevel: 'error' });
  const online = await server.online([handler]);
  await server.close();
  return { broker, yggd, start: online.at - begun };
}

async function inScope<T>(run: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  try {
    return await run(scope);
  } finally {
    await scope.end();
  }
}

/** Markdown, so that it goes into docs/performance.md as it is. */
function table(figures: readonly Figure[]): string[] {
  const rows = figures.map((figure) => [
    figure.name,
    `${format(figure.value)} ${figure.unit}`.trim(),
    bound(figure),
    figure.atLeast === undefined && figure.atMost === undefined ? '' : holds(figure) ? 'ok' : 'MISSED',
  ]);
  const head = ['figure', 'measured', 'must be', ''];
  const all = [head, head.map(() => '-'), ...rows];
  const width = (column: number): number => Math.max(...all.map((row) => row[column]?.length ?? 0));
  return all.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(width(column), cell === '-' ? '-' : ' '));
    return `| ${cells.join(' | ')} |`;
  });
}

function bound({ atLeast, atMost, unit }: Figure): string {
  if (atLeast !== undefined) return `at least ${atLeast} ${unit}`.trim();
  return atMost === undefined ? '' : `at most ${atMost} ${unit}`.trim();
}

function holds({
  value,
  atLeast = Number.NEGATIVE_INFINITY,
  atMost = Number.POSITIVE_INFINITY,
}: Figure): boolean {
  return value >= atLeast && value <= atMost;
}

function format(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
