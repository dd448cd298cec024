/**
 * What one message costs the daemon without a broker: inbox, hand-over and answer over real sockets, outbox. Three times
 * each, a plain worker and an attached one in turn, so that their ratio means something.
 *
 *   node test/bench/rpc.js [messages] [behaviours of the plain worker] [of the attached one] [window]
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { execPath } from 'node:process';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createCounters } from '../../src/counters.ts';
import { createDatastore } from '../../src/datastore.ts';
import { createDispatcher } from '../../src/dispatcher/dispatcher.ts';
import { openJournal } from '../../src/journal/open.ts';
import { createSignals } from '../../src/signals.ts';
import { Child } from '../helpers/child.ts';
import { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const runs = 3;

export async function main(words: readonly string[]): Promise<void> {
  const [count = '20000', plain = '', attached = '', window = '64'] = words;
  for (let run = 0; run < runs; run += 1) {
    for (const [worker, behaviours] of [
      ['node-worker', plain],
      ['attached-worker', attached],
    ] as const) {
      const scope = new Scope();
      try {
        await measure(scope, { messages: Number(count), worker, behaviours, window: Number(window) });
      } finally {
        await scope.end();
      }
    }
  }
}

interface Load {
  readonly messages: number;
  /** A file of test/fixtures/workers. */
  readonly worker: string;
  readonly behaviours: string;
  readonly window: number;
}

async function measure(scope: Scope, { messages, worker, behaviours, window }: Load): Promise<void> {
  const folder = tempDir(scope);
  const plenty = { messages: 250_000, bytes: 1024 ** 3 };
  const ages = { messages: 100_000, age: 86_400_000 };
  const journal = await openJournal({
    ...{
      directory: path.join(folder, 'journal'),
      clock: systemClock,
      log: silentLogger,
      reportFailures: true,
    },
    limits: { inbox: plenty, outbox: plenty, reports: 1_000, done: ages, dead: ages },
    count: () => {},
    onAlarm: (sentence) => console.error(sentence),
    runProbe: () => Promise.reject(new Error('a fresh journal needs no probe')),
  });
  scope.defer(() => journal.close());
  const datastore = createDatastore();
  const signals = createSignals();
  const dispatcher = createDispatcher({
    ...{
      signals,
      datastore,
      journal,
      window,
      runtimeDirectory: folder,
      userSocketsDirectory: `${folder}-workers`,
    },
    ...{ counters: createCounters(), clock: systemClock, log: silentLogger, random: Math.random },
    responseLimit: 1024 * 1024,
    configDirectory: '/etc/yggdrasil',
    settings: { logLevel: '', clientId: '', server: '', certFile: '', keyFile: '', caRoot: '' },
  });
  await dispatcher.init(new AbortController().signal);
  scope.defer(() => dispatcher.stop(new AbortController().signal));
  const registered = new Promise((resolve) => signals.observe('worker-register', resolve));
  const fixture = new URL(`../fixtures/workers/${worker}.mjs`, import.meta.url).pathname;
  const environment = { YGG_SOCKET_ADDR: `unix:${folder}/dispatcher.sock`, FIXTURE_HANDLER: 'echo' };
  const told = { FIXTURE_BEHAVIOURS: behaviours, FIXTURE_CONCURRENCY: String(window) };
  new Child(scope, execPath, [fixture], { env: { ...environment, ...told } });
  await registered;
  signals.observe('data-return', ({ sequence }) => {
    journal.outbox.remove(sequence);
  });

  let handed = 0;
  let done = 0;
  const hand = (): void => {
    for (; handed < messages && handed - done < window; handed += 1) {
      const [messageId, directive, content] = [randomUUID(), 'echo', Buffer.from('"hello"')];
      const request = { messageId, directive, content, responseTo: '', metadata: null } as const;
      const { sequence, committed } = journal.inbox.receive(
        { ...request, cancel: false, origin: 'broker' },
        { redelivery: 'until-accepted' },
      );
      void committed.then(() => {
        const facts = { sequence, messageId, directive, cancel: false, size: content.length } as const;
        datastore.messages.add({ ...facts, state: 'offered', slot: true });
        void signals.emit('data-process', { sequence, directive, cancel: false });
      });
    }
  };
  const begun = performance.now();
  const cpu = process.cpuUsage();
  await new Promise<void>((resolve) => {
    signals.observe('message-settle', ({ outcome }) => {
      if (outcome === 'dead' || outcome === 'back') throw new Error(`settled ${outcome}`);
      if (outcome !== 'done') return;
      done += 1;
      if (done === messages) resolve();
      else hand();
    });
    hand();
  });
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round((messages / (performance.now() - begun)) * 1_000);
  const cost = Math.round((user + system) / messages);
  console.log(`${worker}: ${rate} messages/s, ${cost} microseconds of CPU each`);
}
