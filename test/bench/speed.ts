/** Bursts: how fast each kind of worker is beside the yardstick, and what the daemon takes for it. */
import { echoWorker, leanGoWorker, type WorkerFile } from '../helpers/worker-files.ts';
import { type Bench, type Figure, lossless, median, type Settings } from './figures.ts';
import { bareRun, type DaemonRun, daemonRun, sdkWorker } from './hosts.ts';

interface Kind {
  /** As it is chosen. */
  readonly name: string;
  readonly title: string;
  readonly handler: string;
  readonly worker: WorkerFile;
  /** Of the yardstick's speed. */
  readonly atLeast: number;
  readonly more: (runs: readonly DaemonRun[]) => readonly Figure[];
}

const kinds: readonly Kind[] = [
  {
    name: 'attached',
    title: 'attached echo worker',
    handler: 'echo',
    worker: sdkWorker(),
    atLeast: 0.65,
    more: () => [],
  },
  {
    name: 'unary',
    title: 'unary echo worker',
    handler: 'echo',
    worker: echoWorker({ redelivery: 'until-done' }),
    atLeast: 0.13,
    more: startAndMemory,
  },
  {
    name: 'dial-anew',
    title: 'worker that dials anew',
    handler: 'go',
    worker: leanGoWorker({ handler: 'go' }),
    atLeast: 0.12,
    more: () => [],
  },
];

export const speedBenches: readonly Bench[] = kinds.map((kind) => ({
  name: kind.name,
  about: `a burst to the ${kind.title}, beside the bare client`,
  measure: (settings) => measure(kind, settings),
}));

async function measure(kind: Kind, { messages, runs, say }: Settings): Promise<Figure[]> {
  const { title, handler, worker, atLeast } = kind;
  const bare: Array<Awaited<ReturnType<typeof bareRun>>> = [];
  const daemon: DaemonRun[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`run ${run} of ${runs}: bare client`);
    bare.push(await bareRun({ messages }));
    say(`run ${run} of ${runs}: ${title}`);
    daemon.push(await daemonRun({ [handler]: worker }, { messages }));
  }
  const bareRate = median(bare, ({ rate }) => rate);
  const rate = median(daemon, (run) => run.rate);
  return [
    { name: 'bare MQTT.js client', value: bareRate, unit: 'messages/s' },
    { name: title, value: rate, unit: 'messages/s' },
    { name: `${title}, of the bare client`, value: rate / bareRate, unit: '', atLeast },
    { name: 'CPU of the bare client', value: median(bare, ({ cpu }) => cpu), unit: 'us/message' },
    { name: `CPU of the daemon, ${title}`, value: median(daemon, ({ cpu }) => cpu), unit: 'us/message' },
    { name: `CPU of the ${title}`, value: median(daemon, ({ workerCpu }) => workerCpu), unit: 'us/message' },
    ...kind.more(daemon),
    {
      name: `peak memory, RssAnon, ${title}`,
      value: Math.max(...daemon.map(({ peakAnonymous }) => peakAnonymous)),
      unit: 'MiB',
      atMost: 150,
    },
    ...lossless(title, daemon),
  ];
}

function startAndMemory(runs: readonly DaemonRun[]): Figure[] {
  return [
    {
      name: 'start to online with the worker',
      value: median(runs, ({ start }) => start),
      unit: 'ms',
      atMost: 600,
    },
    { name: 'idle memory, RSS', value: median(runs, ({ idle }) => idle), unit: 'MiB', atMost: 85 },
    { name: 'peak memory, RSS', value: Math.max(...runs.map(({ peakRss }) => peakRss)), unit: 'MiB' },
  ];
}
