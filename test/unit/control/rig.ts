/** What the control service looks at: a journal on memory, a store, signals. The other parts are played by the test. */
import { onTestFinished } from 'vitest';
import { defaultWorkerConfig } from '../../../src/config/worker-config.ts';
import type { MessageKey, MessageQuery } from '../../../src/control-api.ts';
import { type Counters, createCounters } from '../../../src/counters.ts';
import { createDatastore, type Datastore, type Worker, type WorkerProcess } from '../../../src/datastore.ts';
import { createSignals, type SignalMap, type SignalName, type Signals } from '../../../src/signals.ts';
import { type Opened, openOnMemory, type Setting } from '../journal/journal-on-memory.ts';

export interface Rig extends Opened {
  readonly datastore: Datastore;
  readonly counters: Counters;
  readonly signals: Signals;
  /** Payloads of a signal that is observed from the beginning: `inbox-add`, `data-return`. */
  of<Name extends SignalName>(name: Name): ReadonlyArray<SignalMap[Name]>;
  worker(given?: Partial<Worker>): Worker;
  process(given?: Partial<WorkerProcess>): WorkerProcess;
  /** Admits a waiting request and offers it, as router and dispatcher do. */
  offer(sequence: number, state?: 'offered' | 'in-hand'): void;
  /** Ends a request that was offered. */
  finish(sequence: number): void;
}

export function createRig(setting: Setting = {}): Rig {
  const opened = openOnMemory(setting);
  const { journal } = opened;
  const datastore = createDatastore();
  const signals = createSignals();
  const emitted: Array<{ name: SignalName; payload: unknown }> = [];
  for (const name of ['inbox-add', 'data-return'] as const) {
    signals.observe(name, (payload) => void emitted.push({ name, payload }));
  }
  onTestFinished(() => signals.close());
  return {
    ...opened,
    datastore,
    signals,
    counters: createCounters(),
    of: (name) => emitted.flatMap((signal) => (signal.name === name ? [signal.payload as never] : [])),
    worker: (given = {}) =>
      datastore.workers.add({
        handler: 'echo',
        pid: 71,
        file: '/workers/echo-worker',
        features: { version: '1' },
        detached: false,
        redelivery: 'until-accepted',
        slots: 64,
        timeout: 3_600_000,
        registeredAt: 1_000,
        ...given,
      }),
    process: (given = {}) =>
      datastore.processes.add({
        file: '/workers/echo-worker',
        config: defaultWorkerConfig,
        pid: 71,
        state: 'registered',
        startedAt: 900,
        restarts: 0,
        reason: '',
        ...given,
      }),
    offer(sequence, state = 'offered') {
      journal.inbox.offer(sequence, 'until-accepted');
      if (state === 'in-hand') journal.inbox.accept(sequence);
      const row = journal.inbox.row(sequence);
      if (!row) throw new Error(`no request ${sequence}`);
      const { messageId, directive, cancel, size } = row;
      datastore.messages.add({ sequence, messageId, directive, cancel, size, state, slot: true });
    },
    finish(sequence) {
      journal.inbox.finish(sequence);
      datastore.messages.remove(sequence);
    },
  };
}

export const everything: MessageQuery = { directive: '', states: [], since: 0, until: 0, limit: 0 };

export const never: AbortSignal = new AbortController().signal;

export function byNumber(sequence: number): MessageKey {
  return { sequence, messageId: '' };
}

export function byId(messageId: string): MessageKey {
  return { sequence: 0, messageId };
}

export async function collect<T>(given: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of given) all.push(one);
  return all;
}
