/** Latencies of single messages: at a steady rate, one after the other, and of a worker beside a slow one. */
import { connectAsync } from 'mqtt';
import { dataMessage } from '../helpers/mqtt-server.ts';
import { echoWorker, type WorkerFile } from '../helpers/worker-files.ts';
import { type Bench, type Figure, lossless, median, type Settings } from './figures.ts';
import { clientId, inScope, type Started, sdkWorker, startDaemon } from './hosts.ts';
import { atRate, type Latency, oneAtATime } from './latency.ts';
import { burst } from './load.ts';

/** Messages before latencies are taken. */
const warmUp = 20_000;
const rate = 200;
const seconds = 10;
/** Of the slow worker; it takes its time for each. */
const slowMessages = 1_000;
const slowDelay = 20;

const kinds = [
  { name: 'latency', title: 'unary', worker: echoWorker({ redelivery: 'until-done' }) },
  { name: 'latency-attached', title: 'attached', worker: sdkWorker() },
];

export const latencyBenches: readonly Bench[] = [
  ...kinds.map(({ name, title, worker }) => ({
    name,
    about: `${rate} messages a second for ${seconds} seconds, ${title}`,
    measure: (settings: Settings) => steady(title, worker, settings),
  })),
  {
    name: 'one-at-a-time',
    about: 'each message after the answer to the one before, attached',
    measure: alone,
  },
  {
    name: 'slow-beside-fast',
    about: `${rate} messages a second beside a worker with ${slowMessages} messages of ${slowDelay} ms, attached`,
    measure: besideSlow,
  },
];

async function steady(title: string, worker: WorkerFile, { runs, say }: Settings): Promise<Figure[]> {
  const latencies: Latency[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`run ${run} of ${runs}: ${rate} messages/s, ${title}`);
    latencies.push(
      await warm({ echo: worker }, ({ broker: { url } }) =>
        atRate({ url, clientId, directive: 'echo', rate, seconds }),
      ),
    );
  }
  return [
    {
      name: `latency at ${rate} messages/s, p50, ${title}`,
      value: median(latencies, ({ p50 }) => p50),
      unit: 'ms',
      atMost: 2,
    },
    {
      name: `latency at ${rate} messages/s, p99, ${title}`,
      value: median(latencies, ({ p99 }) => p99),
      unit: 'ms',
      atMost: 10,
    },
    ...lossless(`at ${rate} messages/s, ${title}`, latencies),
  ];
}

async function alone({ runs, say }: Settings): Promise<Figure[]> {
  const latencies: Latency[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`run ${run} of ${runs}: one at a time`);
    latencies.push(
      await warm({ echo: sdkWorker({ concurrency: 0 }) }, ({ broker: { url } }) =>
        oneAtATime({ url, clientId, directive: 'echo', messages: 2_000 }),
      ),
    );
  }
  return [
    { name: 'one at a time, p50, attached', value: median(latencies, ({ p50 }) => p50), unit: 'ms' },
    { name: 'one at a time, p99, attached', value: median(latencies, ({ p99 }) => p99), unit: 'ms' },
    ...lossless('one at a time', latencies),
  ];
}

interface Pair {
  readonly own: Latency;
  readonly beside: Latency;
}

async function besideSlow({ runs, say }: Settings): Promise<Figure[]> {
  const pairs: Pair[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`run ${run} of ${runs}: beside a slow worker`);
    const slow = sdkWorker({ handler: 'slow', concurrency: 0, delay: slowDelay });
    pairs.push(
      await warm({ echo: sdkWorker(), slow }, async ({ broker: { url } }) => {
        const load = { url, clientId, directive: 'echo', rate, seconds };
        const own = await atRate(load);
        await publish(url, 'slow', slowMessages);
        return { own, beside: await atRate(load) };
      }),
    );
  }
  const own = median(pairs, (pair) => pair.own.p99);
  const beside = median(pairs, (pair) => pair.beside.p99);
  return [
    { name: 'p99 of a fast worker alone', value: own, unit: 'ms' },
    { name: 'p99 of a fast worker beside a slow one', value: beside, unit: 'ms' },
    { name: 'beside a slow worker, of its own p99', value: beside / own, unit: '', atMost: 1.5 },
    ...lossless(
      'beside a slow worker',
      pairs.flatMap((pair) => [pair.own, pair.beside]),
    ),
  ];
}

/** A daemon runs for months: the first messages, which meet code that is not compiled yet, do not count. */
async function warm<Result>(
  workers: Readonly<Record<string, WorkerFile>>,
  measure: (started: Started) => Promise<Result>,
): Promise<Result> {
  return await inScope(async (scope) => {
    const started = await startDaemon(scope, workers);
    const { broker, yggd } = started;
    await burst({ port: broker.port, clientId, directives: ['echo'], messages: warmUp });
    await atRate({ url: broker.url, clientId, directive: 'echo', rate, seconds: 2 });
    const result = await measure(started);
    await yggd.stopCleanly();
    return result;
  });
}

async function publish(url: string, directive: string, messages: number): Promise<void> {
  const client = await connectAsync(url, { clientId: 'bench-load' });
  const topic = `yggdrasil/${clientId}/data/in`;
  const content = { long: 'yes' };
  await Promise.all(
    Array.from({ length: messages }, () =>
      client.publishAsync(topic, dataMessage({ directive, content }).text, { qos: 1 }),
    ),
  );
  await client.endAsync();
}
