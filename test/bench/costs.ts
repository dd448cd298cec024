/** What a message costs when there is more of something: workers, bytes, messages that wait. */
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { openJournal } from '../../src/journal/open.ts';
import { childrenOf } from '../helpers/processes.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { createHome, type Home } from '../helpers/yggd.ts';
import { Answers } from './answers.ts';
import { type Bench, type Figure, lossless, median, type Settings } from './figures.ts';
import {
  bareRun,
  clientId,
  type DaemonRun,
  daemonRun,
  inScope,
  processorTime,
  sdkWorker,
  startDaemon,
} from './hosts.ts';

export const costBenches: readonly Bench[] = [
  { name: 'workers', about: 'a burst to 1, 10 and 50 attached workers', measure: manyWorkers },
  { name: 'sizes', about: 'bursts of 200 B, 10 KiB and 1 MiB, attached and bare', measure: sizes },
  { name: 'backlog', about: 'a backlog of 1,000,000 worked off, attached', measure: backlog },
];

/** Of the cost with the least of it. */
const bound = 1.25;

async function manyWorkers({ messages, runs, say }: Settings): Promise<Figure[]> {
  const counts = [1, 10, 50];
  const found = new Map<number, DaemonRun[]>(counts.map((count) => [count, []]));
  for (let run = 1; run <= runs; run += 1) {
    for (const count of counts) {
      say(`run ${run} of ${runs}: ${count} workers`);
      const names = Array.from({ length: count }, (_, n) => `echo-${n}`);
      const workers = Object.fromEntries(names.map((handler) => [handler, sdkWorker({ handler })]));
      found.get(count)?.push(await daemonRun(workers, { messages }));
    }
  }
  const cost = (count: number): number => median(found.get(count) ?? [], ({ cpu }) => cpu);
  const rate = (count: number): number => median(found.get(count) ?? [], (run) => run.rate);
  return [
    ...counts.map((count) => ({ name: `${count} workers`, value: rate(count), unit: 'messages/s' })),
    ...counts.map((count) => ({
      name: `CPU of the daemon, ${count} workers`,
      value: cost(count),
      unit: 'us/message',
    })),
    { name: 'cost at 50 workers, of that at 1', value: cost(50) / cost(1), unit: '', atMost: bound },
    ...lossless('1 to 50 workers', [...found.values()].flat()),
  ];
}

async function sizes({ messages, runs, say }: Settings): Promise<Figure[]> {
  const figures: Figure[] = [];
  const all: DaemonRun[] = [];
  for (const [title, size, share] of [
    ['200 B', 0, 1],
    ['10 KiB', 10 * 1024, 1 / 4],
    ['1 MiB', 1024 * 1024, 1 / 50],
  ] as const) {
    const load = { messages: Math.ceil(messages * share), size };
    const bare: number[] = [];
    const daemon: DaemonRun[] = [];
    for (let run = 1; run <= runs; run += 1) {
      say(`run ${run} of ${runs}: ${title}`);
      bare.push((await bareRun(load)).rate);
      daemon.push(await daemonRun({ echo: sdkWorker() }, load));
    }
    const [bareRate, rate] = [median(bare, (value) => value), median(daemon, (run) => run.rate)];
    figures.push(
      { name: `${title}, bare client`, value: bareRate, unit: 'messages/s' },
      { name: `${title}, attached`, value: rate, unit: 'messages/s' },
      { name: `${title}, attached, of the bare client`, value: rate / bareRate, unit: '' },
      { name: `CPU of the daemon, ${title}`, value: median(daemon, ({ cpu }) => cpu), unit: 'us/message' },
      {
        name: `peak memory, RssAnon, ${title}`,
        value: Math.max(...daemon.map(({ peakAnonymous }) => peakAnonymous)),
        unit: 'MiB',
      },
    );
    all.push(...daemon);
  }
  return [...figures, ...lossless('all sizes', all)];
}

interface Drained {
  readonly cpu: number;
  readonly rate: number;
}

async function backlog({ messages, runs, say }: Settings): Promise<Figure[]> {
  const [few, many] = [4 * messages, 1_000_000];
  const drains = new Map<number, Drained[]>();
  for (const waiting of [few, many]) {
    await inScope(async (scope) => {
      const home = createHome(scope, [sdkWorker()]);
      const found: Drained[] = [];
      drains.set(waiting, found);
      for (let run = 1; run <= runs; run += 1) {
        say(`run ${run} of ${runs}: ${waiting} wait`);
        await fill(home, waiting);
        found.push(await drain(home, messages));
      }
    });
  }
  const cost = (waiting: number): number => median(drains.get(waiting) ?? [], ({ cpu }) => cpu);
  return [few, many].flatMap((waiting): Figure[] => [
    {
      name: `worked off while ${waiting} wait`,
      value: median(drains.get(waiting) ?? [], ({ rate }) => rate),
      unit: 'messages/s',
    },
    { name: `CPU of the daemon while ${waiting} wait`, value: cost(waiting), unit: 'us/message' },
    ...(waiting === many
      ? [
          {
            name: `cost while ${many} wait, of that while ${few} do`,
            value: cost(many) / cost(few),
            unit: '',
            atMost: bound,
          },
        ]
      : []),
  ]);
}

/** So many requests wait in the journal of a daemon that does not run. */
async function fill(home: Home, waiting: number): Promise<void> {
  const most = { messages: 3_000_000, bytes: 2 ** 33 };
  const ages = { messages: 100_000, age: 7 * 86_400_000 };
  const journal = await openJournal({
    directory: path.join(home.stateDir, 'journal'),
    limits: { inbox: most, outbox: most, reports: 10_000, done: ages, dead: ages },
    reportFailures: true,
    clock: systemClock,
    log: silentLogger,
    count: () => {},
    onAlarm: (sentence) => process.stderr.write(`${sentence}\n`),
    runProbe: () => Promise.resolve({ exitCode: 0, signal: null, timedOut: false }),
  });
  const common = { directive: 'echo', metadata: { bench: 'yes' }, responseTo: '', cancel: false } as const;
  let n = journal.inbox.fill().messages;
  while (n < waiting) {
    const page = Array.from({ length: Math.min(1_024, waiting - n) }, () => {
      n += 1;
      const messageId = crypto.randomUUID();
      const content = Buffer.from(JSON.stringify({ n }));
      return journal.inbox.receive({ ...common, messageId, content, origin: 'broker' }).flushed;
    });
    await Promise.all(page);
  }
  await journal.close();
}

/** The daemon works off `messages` of what waits, after some that it warms up with. */
async function drain(home: Home, messages: number): Promise<Drained> {
  return await inScope(async (scope) => {
    const flags = ['--inbox-limit', '3000000 / 8GiB', '--worker-grace', '7d'];
    const { broker, yggd } = await startDaemon(scope, { echo: sdkWorker() }, { home, flags });
    const topic = `yggdrasil/${clientId}/data/out`;
    const words = ['-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', topic];
    const answers = new Answers(scope, words);
    const deadline = 60_000;
    const reaches = (total: number): Promise<true> =>
      waitFor(() => answers.total >= total, {
        what: `${total} answers`,
        deadline,
        detail: () => yggd.output,
      });
    await waitFor(() => childrenOf(yggd.pid).length > 0, { what: 'a worker' });
    await reaches(messages);
    const begun = performance.now();
    const from = answers.total;
    const spent = processorTime(yggd);
    await reaches(from + messages);
    const done = answers.total - from;
    const { cpu } = spent(done);
    const rate = (done / (performance.now() - begun)) * 1_000;
    await yggd.stop();
    return { cpu, rate };
  });
}
