/** A DataProcessor between fake neighbours, with a local content server and a clock wound by hand. */

import { type LogFields, type Logger, silentLogger } from '../../../src/base/log.ts';
import { type Counters, createCounters } from '../../../src/counters.ts';
import {
  createDataProcessor,
  type DataProcessorOptions,
} from '../../../src/data-processor/data-processor.ts';
import { createDatastore, type Datastore } from '../../../src/datastore.ts';
import type { ContentClient } from '../../../src/http/content-client.ts';
import type { RequestRow } from '../../../src/journal/journal.ts';
import type { Part } from '../../../src/lifecycle.ts';
import { createSignals, type SignalMap, type SignalName, type Signals } from '../../../src/signals.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { type ContentServer, startContentServer } from '../../helpers/http-content.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { createFakeJournal, type FakeJournal } from './fake-journal.ts';

export const never: AbortSignal = new AbortController().signal;

export interface House {
  readonly part: Part;
  /** What the part reads; what is assigned here holds from then on. */
  readonly options: { -readonly [Name in keyof DataProcessorOptions]: DataProcessorOptions[Name] };
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly journal: FakeJournal;
  readonly counters: Counters;
  readonly clock: HandClock;
  readonly server: ContentServer;
  /** Fields of each warning. */
  readonly warnings: LogFields[];
  /** What was emitted so far, of the signals the neighbours consume and of `message-send`. */
  seen<Name extends SignalName>(signal: Name): SignalMap[Name][];
  /** Waits until the signal was seen so often, and returns all of them. */
  expectSignals<Name extends SignalName>(signal: Name, count: number): Promise<SignalMap[Name][]>;
  /** Registers a worker. */
  register(handler: string, detached: boolean): void;
  /** Puts a request into journal and store and announces it. */
  admit(request: Partial<RequestRow> & { readonly directive: string }, content: string): RequestRow;
}

const consumed = ['data-process', 'message-settle', 'data-deliver', 'data-consume', 'message-send'] as const;

export interface HouseOptions extends Partial<DataProcessorOptions> {
  readonly client?: ContentClient;
  /** Not started yet: `init` and `run` are the test's. */
  readonly asleep?: boolean;
}

export async function createHouse({ client, asleep = false, ...options }: HouseOptions = {}): Promise<House> {
  const scope = testScope();
  const server = await startContentServer(scope);
  const clock = new HandClock();
  const signals = createSignals();
  const datastore = createDatastore();
  const counters = createCounters();
  const journal = createFakeJournal(clock, tempDir(scope));
  const warnings: LogFields[] = [];
  const log: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  const seen = new Map<SignalName, unknown[]>();
  for (const signal of consumed) {
    const list: unknown[] = [];
    seen.set(signal, list);
    signals.observe(signal, (payload) => void list.push(payload));
  }
  const now: House['options'] = {
    dataHost: undefined,
    contentHosts: [server.host],
    contentHostsOnly: false,
    brokerHosts: [],
    httpRetries: 5,
    httpTimeout: 600_000,
    httpRetryAge: 86_400_000,
    maxContentSize: 1_000,
    ...options,
  };
  const part = createDataProcessor({
    signals,
    datastore,
    journal,
    counters,
    clock,
    random: () => 0,
    log,
    options: now,
    tls: () => ({}),
    version: '1.2.3',
    ...(client && { client }),
  });
  if (!asleep) {
    await part.init(never);
    await part.run?.();
  }
  scope.defer(async () => {
    await part.stop(never);
    signals.close();
  });

  const house: House = {
    part,
    options: now,
    signals,
    datastore,
    journal,
    counters,
    clock,
    server,
    warnings,
    seen: <Name extends SignalName>(signal: Name) => [...(seen.get(signal) ?? [])] as SignalMap[Name][],
    expectSignals: (signal, count) =>
      waitFor(() => house.seen(signal).length >= count && house.seen(signal), {
        what: `${count} ${signal}`,
        detail: () => JSON.stringify(house.seen(signal)),
      }),
    register(handler, detached) {
      datastore.workers.remove(handler);
      datastore.workers.add({
        handler,
        pid: 1,
        file: '',
        features: {},
        detached,
        redelivery: 'until-accepted',
        slots: 64,
        timeout: 3_600_000,
        registeredAt: clock.now(),
      });
    },
    admit(request, content) {
      const row = journal.addRequest(request, content);
      const { sequence, messageId, directive, cancel, size, state } = row;
      datastore.messages.add({ sequence, messageId, directive, cancel, size, state, slot: !cancel });
      void signals.emit('data-recv', { sequence, directive, cancel });
      return row;
    },
  };
  return house;
}
