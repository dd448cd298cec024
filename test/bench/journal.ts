/**
 * Measures the journal alone: complete lifecycles of requests (receive offered, accept, respond and finish, remove)
 * per second with 64 in flight, the CPU each costs, and the latency of one write on an idle disk.
 *
 * Run by test/bench/journal.js after a build.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openJournal } from '../../src/journal/open.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'ygg-bench-'));
const day = 24 * 3_600_000;
const journal = await openJournal({
  directory: path.join(directory, 'journal'),
  limits: {
    inbox: { messages: 250_000, bytes: 2 ** 31 },
    outbox: { messages: 100_000, bytes: 2 ** 28 },
    reports: 10_000,
    done: { messages: Number(process.argv[3] ?? 100_000), age: 7 * day },
    dead: { messages: 10_000, age: 30 * day },
  },
  reportFailures: true,
  clock: systemClock,
  log: silentLogger,
  count: () => {},
  onAlarm: () => {},
  runProbe: () => Promise.resolve({ exitCode: 0, signal: null, timedOut: false }),
});
const content = Buffer.alloc(300, 'x');
const metadata = {
  return_url: 'https://example.com/api',
  correlation: '5f1d3a52-6b5e-4f3a-9a59-7d3b7a2b6f0e',
};
let id = 0;

async function lifecycle({ inbox, outbox }: Journal): Promise<void> {
  const messageId = `00000000-0000-4000-8000-${String(id++).padStart(12, '0')}`;
  if (inbox.find(messageId)) throw new Error('an id was known before');
  const received = inbox.receive(
    { messageId, responseTo: '', directive: 'echo', metadata, content, cancel: false, origin: 'broker' },
    { redelivery: 'until-accepted' },
  );
  await received.flushed;
  if (!inbox.body(received.sequence)) throw new Error('no body');
  inbox.accept(received.sequence);
  const response = outbox.respond(
    {
      messageId: `r${messageId}`,
      responseTo: messageId,
      directive: 'echo',
      metadata,
      content,
      handler: 'echo',
    },
    received.sequence,
  );
  await response.flushed;
  if (!outbox.row(response.sequence) || !outbox.body(response.sequence)) throw new Error('no response');
  outbox.remove(response.sequence);
}

async function run(lifecycles: number, inFlight: number): Promise<void> {
  const end = id + lifecycles;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (id < end) await lifecycle(journal);
    }),
  );
  await journal.flush();
}

const lifecycles = Number(process.argv[2] ?? 100_000);
await run(20_000, 64);
const threadBefore = performance.eventLoopUtilization();
const before = process.cpuUsage();
const start = performance.now();
await run(lifecycles, 64);
const span = performance.now() - start;
const { user, system } = process.cpuUsage(before);
const { active } = performance.eventLoopUtilization(threadBefore);

const latencies: number[] = [];
for (let round = 0; round < 500; round++) {
  const from = performance.now();
  await journal.done.add(`command-${round}`).flushed;
  latencies.push(performance.now() - from);
}
latencies.sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    lifecycles,
    perSecond: Math.round((lifecycles / span) * 1_000),
    mainThreadMicroseconds: Number(((active * 1_000) / lifecycles).toFixed(1)),
    processMicroseconds: Number(((user + system) / lifecycles).toFixed(1)),
    flushP50: Number(latencies[250]?.toFixed(3)),
    flushP99: Number(latencies[495]?.toFixed(3)),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  })}\n`,
);
await journal.close();
rmSync(directory, { recursive: true });
