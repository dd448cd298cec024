/**
 * What one unary message costs without a broker: inbox, hand-over and answer over real sockets, outbox.
 *
 *   node test/bench/rpc.js [messages] [go-like]
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

const window = 64;
const fixture = new URL('../fixtures/workers/node-worker.mjs', import.meta.url).pathname;

export async function main([count = '20000', behaviour = '']: readonly string[]): Promise<void> {
  const scope = new Scope();
  try {
    await measure(scope, Number(count), behaviour);
  } finally {
    await scope.end();
  }
}

async function measure(scope: Scope, messages: number, behaviour: string): Promise<void> {
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
    ...{ signals, datastore, journal, window, runtimeDirectory: folder },
    ...{ counters: createCounters(), clock: systemClock, log: silentLogger, random: Math.random },
    responseLimit: 1024 * 1024,
    settings: { logLevel: '', clientId: '', server: '', certFile: '', keyFile: '', caRoot: '' },
  });
  await dispatcher.init(new AbortController().signal);
  scope.defer(() => dispatcher.stop(new AbortController().signal));
  const registered = new Promise((resolve) => signals.observe('worker-register', resolve));
  const environment = { YGG_SOCKET_ADDR: `unix:${folder}/dispatcher.sock`, FIXTURE_HANDLER: 'echo' };
  new Child(scope, execPath, [fixture], { env: { ...environment, FIXTURE_BEHAVIOURS: behaviour } });
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
  console.log(`${rate} messages/s, ${Math.round((user + system) / messages)} microseconds of CPU each`);
}
