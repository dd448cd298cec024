/**
 * What the journal costs alone: complete lifecycles of requests (receive offered, accept, respond and finish, remove)
 * per second with 64 in flight, the CPU each takes, and how long one write takes when the disk is idle.
 *
 *   node test/bench/journal.js [lifecycles] [done-limit]
 */
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openJournal } from '../../src/journal/open.ts';
import { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const window = 64;
const day = 24 * 3_600_000;
const content = Buffer.alloc(300, 'x');
const metadata = {
  return_url: 'https://example.com/api',
  correlation: '5f1d3a52-6b5e-4f3a-9a59-7d3b7a2b6f0e',
};

export async function main([lifecycles = '100000', doneLimit = '100000']: readonly string[]): Promise<void> {
  const scope = new Scope();
  try {
    const journal = await openJournal({
      directory: path.join(tempDir(scope, 'ygg-bench-'), 'journal'),
      limits: {
        inbox: { messages: 250_000, bytes: 2 ** 31 },
        outbox: { messages: 100_000, bytes: 2 ** 28 },
        reports: 10_000,
        done: { messages: Number(doneLimit), age: 7 * day },
        dead: { messages: 10_000, age: 30 * day },
      },
      reportFailures: true,
      clock: systemClock,
      log: silentLogger,
      count: () => {},
      onAlarm: () => {},
      runProbe: () => Promise.resolve({ exitCode: 0, signal: null, timedOut: false }),
    });
    scope.defer(() => journal.close());
    await run(journal, 0, 20_000);
    const figures = { ...(await measure(journal, Number(lifecycles))), ...(await latency(journal)) };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } finally {
    await scope.end();
  }
}

async function measure(journal: Journal, lifecycles: number): Promise<Record<string, number>> {
  const loop = performance.eventLoopUtilization();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run(journal, 20_000, lifecycles);
  const span = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const { active } = performance.eventLoopUtilization(loop);
  return {
    lifecycles,
    perSecond: Math.round((lifecycles / span) * 1_000),
    mainThreadMicroseconds: Number(((active * 1_000) / lifecycles).toFixed(1)),
    processMicroseconds: Number(((user + system) / lifecycles).toFixed(1)),
  };
}

/** Milliseconds from one write to its flush, nothing else going on. */
async function latency({ done }: Journal): Promise<Record<string, number>> {
  const spans: number[] = [];
  for (let round = 0; round < 500; round++) {
    const start = performance.now();
    await done.add(`command-${round}`).flushed;
    spans.push(performance.now() - start);
  }
  spans.sort((a, b) => a - b);
  return { flushP50: Number(spans[250]?.toFixed(3)), flushP99: Number(spans[495]?.toFixed(3)) };
}

async function run(journal: Journal, first: number, lifecycles: number): Promise<void> {
  let next = first;
  await Promise.all(
    Array.from({ length: window }, async () => {
      while (next < first + lifecycles) await live(journal, next++);
    }),
  );
  await journal.flush();
}

async function live({ inbox, outbox }: Journal, number: number): Promise<void> {
  const messageId = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  if (inbox.find(messageId)) throw new Error(`${messageId} came before`);
  const common = { directive: 'echo', metadata, content };
  const request = { ...common, messageId, responseTo: '', cancel: false, origin: 'broker' } as const;
  const { sequence, flushed } = inbox.receive(request, { redelivery: 'until-accepted' });
  await flushed;
  if (!inbox.body(sequence)) throw new Error(`${messageId} has no body`);
  inbox.accept(sequence);
  const answer = { ...common, messageId: `answer-${number}`, responseTo: messageId, handler: 'echo' };
  const response = outbox.respond(answer, sequence);
  await response.flushed;
  if (!outbox.row(response.sequence) || !outbox.body(response.sequence))
    throw new Error(`${messageId} has no answer`);
  outbox.remove(response.sequence);
}
