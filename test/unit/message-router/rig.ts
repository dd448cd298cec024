/**
 * A router between a scripted broker and a journal in memory, with recorders in the places of the other parts.
 */
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { type Counters, createCounters } from '../../../src/counters.ts';
import { createDatastore, type Datastore, type Worker } from '../../../src/datastore.ts';
import { createJournal } from '../../../src/journal/create-journal.ts';
import type { Journal, JournalLimits, NewResponse } from '../../../src/journal/journal.ts';
import { type Disk, MemoryStore } from '../../../src/journal/memory-store.ts';
import { createMessageRouter, type MessageRouter } from '../../../src/message-router/message-router.ts';
import type { MessageRouterOptions } from '../../../src/message-router/router-options.ts';
import { encodeCommand } from '../../../src/messages.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import { createMqttConnector, type MqttOptions } from '../../../src/mqtt/mqtt-connector.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import {
  createSignals,
  flowConsumers,
  type SignalMap,
  type SignalName,
  type Signals,
} from '../../../src/signals.ts';
import {
  type BrokerConnection,
  type BrokerScript,
  type ScriptedBroker,
  startScriptedBroker,
} from '../../helpers/scripted-broker.ts';

export const topics: ReturnType<typeof createTopics> = createTopics('yggdrasil', 'host');

export interface RigOptions {
  readonly script?: BrokerScript;
  readonly limits?: Partial<JournalLimits>;
  readonly router?: Partial<MessageRouterOptions>;
  readonly mqtt?: Partial<MqttOptions>;
  readonly clock?: Clock;
  readonly disk?: Disk;
  readonly cleanStart?: boolean;
  /** Not set: the router runs already. */
  readonly idle?: boolean;
}

export interface Rig {
  readonly broker: ScriptedBroker;
  readonly router: MessageRouter;
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly journal: Journal;
  readonly store: MemoryStore;
  readonly counters: Counters;
  /** Everything emitted, in order, as `name` and payload. */
  readonly emitted: ReadonlyArray<{ readonly name: SignalName; readonly payload: unknown }>;
  of<Name extends SignalName>(name: Name): Array<SignalMap[Name]>;
  /** The host's tags; change them and call `hostChanged`. */
  tags: Record<string, string>;
  hostChanged(): void;
  register(worker?: Partial<Worker>): Worker;
  unregister(handler: string): void;
  /** Ends a request as the Dispatcher would. */
  settle(sequence: number, outcome?: 'done' | 'back'): void;
  respond(response?: Partial<NewResponse>): number;
  until(what: string, condition: () => boolean): Promise<void>;
}

const limits: JournalLimits = {
  inbox: { messages: 1_000, bytes: 10_000_000 },
  outbox: { messages: 1_000, bytes: 10_000_000 },
  reports: 100,
  done: { messages: 1_000, age: 3_600_000 },
  dead: { messages: 1_000, age: 3_600_000 },
};

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const clock = options.clock ?? systemClock;
  const broker = await startScriptedBroker(options.script ?? {});
  const store = new MemoryStore(options.disk);
  const { journal } = createJournal({
    store,
    limits: { ...limits, ...options.limits },
    reportFailures: true,
    clock,
    uuid: newId,
    idSeed: 1,
    defer: setImmediate,
    contentDirectory: '/nowhere',
    cleanStart: options.cleanStart ?? true,
    removeFile: () => {},
    onTrouble: () => {},
    onDamaged: () => {},
    onOverflow: () => {},
    onClosing: () => {},
  });
  const datastore = createDatastore();
  const counters = createCounters();
  const emitted: Array<{ name: SignalName; payload: unknown }> = [];
  const faults: unknown[] = [];
  const signals = createSignals({ onFault: ({ error }) => faults.push(error) });
  const listeners = new Set<() => void>();
  const names: SignalName[] = [
    'data-recv',
    'message-cancel',
    'message-send',
    'client-connect',
    'client-disconnect',
    'topic-subscribe',
  ];
  for (const name of names) signals.observe(name, (payload) => void emitted.push({ name, payload }));

  const host = {
    facts: () => ({
      insights_id: '',
      machine_id: '3d1219c7-c4c5-404a-aa1f-6d2a48adfda4',
      bios_uuid: '',
      subscription_manager_id: 'host',
      ip_addresses: ['192.0.2.2'],
      mac_addresses: ['02:fc:00:00:00:01'],
      fqdn: 'vm',
    }),
    tags: () => rig.tags,
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const router = createMessageRouter({
    signals,
    datastore,
    journal,
    counters,
    clock,
    host,
    random: Math.random,
    newId,
    log: silentLogger,
    connector: createMqttConnector({
      brokers: [parseBrokerAddress(broker.url)],
      topics,
      clientId: 'host',
      tls: () => ({ ca: [] }),
      clock: systemClock,
      log: silentLogger,
      options: () => ({ primeTopic: false, ...options.mqtt }),
    }),
    options: { reconnectFloor: 5, reconnectCap: 20, ...options.router },
  });

  const rig: Rig = {
    broker,
    router,
    signals,
    datastore,
    journal,
    store,
    counters,
    emitted,
    tags: {},
    of: (name) => emitted.flatMap((signal) => (signal.name === name ? [signal.payload as never] : [])),
    hostChanged() {
      for (const listener of listeners) listener();
    },
    register(worker = {}) {
      const added = datastore.workers.add({
        handler: 'echo',
        pid: 1,
        file: '',
        features: {},
        detached: false,
        redelivery: 'until-accepted',
        slots: 4,
        timeout: 3_600_000,
        registeredAt: 0,
        ...worker,
      });
      const { handler, pid, features, file } = added;
      void signals.emit('worker-register', { handler, pid, features, file });
      return added;
    },
    unregister(handler) {
      datastore.workers.remove(handler);
      void signals.emit('worker-unregister', { handler, pid: 1, features: {}, file: '' });
    },
    settle(sequence, outcome = 'done') {
      const doc = datastore.messages.get(sequence);
      if (!doc) throw new Error(`${sequence} is not in the working set`);
      const { directive } = doc;
      if (outcome === 'back') journal.inbox.back(sequence);
      else journal.inbox.finish(sequence);
      datastore.messages.remove(sequence);
      void signals.emit('message-settle', { sequence, directive, outcome });
    },
    respond(response = {}) {
      const { sequence } = journal.outbox.respond({
        messageId: newId(),
        responseTo: '',
        directive: 'echo',
        metadata: null,
        content: Buffer.from('"hello"'),
        handler: 'echo',
        ...response,
      });
      void signals.emit('data-consume', { sequence });
      return sequence;
    },
    until: (what, condition) => broker.until(what, condition),
  };
  router.init(new AbortController().signal);
  const missing = Object.entries(flowConsumers).filter(([, parts]) => parts.includes('message-router'));
  if (missing.length !== 5) throw new Error('the router consumes other signals now; look at the rig');
  onTestFinished(async () => {
    delete broker.script.publish;
    await router.stop(new AbortController().signal);
    signals.close();
    await journal.close();
    await broker.close();
    if (faults.length > 0) throw new Error(`signal handlers threw: ${faults.join('; ')}`);
  });
  if (!options.idle) await router.run?.();
  return rig;
}

let ids = 0;

/** A UUID that says in which order it was made. */
export function newId(): string {
  ids += 1;
  return `00000000-0000-4000-8000-${String(ids).padStart(12, '0')}`;
}

/** The connection, once its first status came. */
export async function online(rig: Rig, index = 0): Promise<BrokerConnection> {
  const connection = await rig.broker.connection(index);
  await rig.until('online', () => connection.texts('control/out').some((text) => text.includes('"online"')));
  return connection;
}

export interface DataFields {
  readonly id?: string;
  readonly directive?: string;
  readonly content?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A data message as a server writes it. */
export function dataMessage({
  id = newId(),
  directive = 'echo',
  content = '"hello"',
  metadata,
}: DataFields = {}): string {
  return `{"type":"data","message_id":"${id}","version":1,"sent":"${new Date().toISOString()}","directive":"${directive}","metadata":${JSON.stringify(metadata ?? null)},"content":${content}}`;
}

export function sendData(connection: BrokerConnection, fields: DataFields = {}): number {
  return connection.publish({ topic: topics.dataIn, payload: dataMessage(fields) });
}

export function sendCommand(
  connection: BrokerConnection,
  command: string,
  args: Readonly<Record<string, string | number>> | null = null,
  id: string = newId(),
): string {
  const payload = encodeCommand({ messageId: id, sent: Date.now() }, command, args);
  connection.publish({ topic: topics.controlIn, payload });
  return id;
}

/** What the host said on a topic, parsed. */
export function said(connection: BrokerConnection, topicEnd: string): Array<Record<string, never>> {
  return connection.texts(topicEnd).map((text) => JSON.parse(text));
}
