/** A Dispatcher on real sockets, a journal in memory, a hand-wound clock, and workers that do as they are told. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { Clock } from '../../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import { defaultWorkerConfig } from '../../../src/config/worker-config.ts';
import { type Counters, createCounters } from '../../../src/counters.ts';
import {
  createDatastore,
  type Datastore,
  type WorkerConfig,
  type WorkingMessage,
} from '../../../src/datastore.ts';
import { createDispatcher } from '../../../src/dispatcher/dispatcher.ts';
import type { NewRequest, RequestRow } from '../../../src/journal/journal.ts';
import type { Part } from '../../../src/lifecycle.ts';
import { refusalTrailer } from '../../../src/rpc/dispatcher-socket.ts';
import type { Method } from '../../../src/rpc/proto-file.ts';
import {
  type Data,
  loadProtocol,
  type RegistrationRequest,
  type RegistrationResponse,
  type Response,
  type WorkerSettings,
} from '../../../src/rpc/protocol.ts';
import { createSignals, type SignalMap, type SignalName, type Signals } from '../../../src/signals.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { MemoryJournal } from './memory-journal.ts';

const protocol = loadProtocol();

export interface Rig {
  readonly dispatcher: Part;
  readonly journal: MemoryJournal;
  readonly datastore: Datastore;
  readonly signals: Signals;
  readonly counters: Counters;
  readonly clock: HandClock;
  readonly folder: string;
  /** What the Dispatcher signalled, as `settle 1 done`, `register echo`. */
  readonly heard: string[];
  /** A process document, as the ProcessManager would keep it. */
  process(file: string, config?: Partial<WorkerConfig>): void;
  /** Asks for a socket as the ProcessManager does. */
  prepare(file: string, account?: SignalMap['process-prepare']['account']): Promise<string>;
  /** Puts a request into the inbox and the working set, and signals that its content is there. */
  hand(request?: Partial<NewRequest>, row?: Partial<RequestRow>): number;
  die(file: string, options?: { readonly asked?: boolean }): void;
  /** Waits until the Dispatcher has signalled this. */
  hears(line: string): Promise<void>;
}

export interface RigOptions {
  readonly clock?: Clock;
  readonly journal?: MemoryJournal;
  readonly window?: number;
  /** Bytes; 1 MiB when not set. */
  readonly responseLimit?: number;
  readonly log?: Logger;
  readonly holdersFile?: string;
  readonly folder?: string;
  readonly userSocketsDirectory?: string;
}

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const scope = testScope();
  const folder = options.folder ?? tempDir(scope);
  const clock = new HandClock();
  const journal = options.journal ?? new MemoryJournal();
  journal.contentDirectory = path.join(folder, 'content');
  mkdirSync(journal.contentDirectory, { recursive: true });
  const datastore = createDatastore();
  const counters = createCounters();
  const faults: unknown[] = [];
  const signals = createSignals({ onFault: (fault) => faults.push(fault) });
  const heard: string[] = [];
  const note = <Name extends SignalName>(name: Name, line: (payload: SignalMap[Name]) => string): void => {
    signals.observe(name, (payload) => {
      heard.push(line(payload));
    });
  };
  note('message-settle', ({ sequence, outcome }) => `settle ${sequence} ${outcome}`);
  note('worker-register', ({ handler }) => `register ${handler}`);
  note('worker-unregister', ({ handler }) => `unregister ${handler}`);
  note('data-dispatch', ({ sequence, attempt }) => `dispatch ${sequence} attempt ${attempt}`);
  note('data-return', ({ sequence }) => `return ${sequence}`);
  note('dispatcher-listen', () => 'listen');
  const dispatcher = createDispatcher({
    ...{ signals, datastore, counters, journal: journal.journal, log: options.log ?? silentLogger },
    clock: options.clock ?? clock,
    runtimeDirectory: folder,
    userSocketsDirectory: options.userSocketsDirectory ?? `${folder}-workers`,
    holdersFile: options.holdersFile,
    configDirectory: '/etc/yggdrasil',
    window: options.window ?? 64,
    responseLimit: options.responseLimit ?? 1024 * 1024,
    settings: {
      ...{ logLevel: 'INFO', clientId: 'host', server: 'tcp://broker' },
      ...{ certFile: '', keyFile: '', caRoot: '' },
    },
    random: Math.random,
  });
  await dispatcher.init(new AbortController().signal);
  await dispatcher.run?.();
  scope.defer(async () => {
    await dispatcher.stop(new AbortController().signal);
    signals.close();
    if (faults.length > 0) throw new Error(`signal handlers threw: ${JSON.stringify(faults)}`);
  });

  return {
    ...{ dispatcher, journal, datastore, signals, counters, clock, folder, heard },
    process(file, config = {}) {
      datastore.processes.add({
        ...{ file, pid: 0, state: 'starting', startedAt: 0, restarts: 0, reason: '' },
        config: {
          ...defaultWorkerConfig,
          ...config,
        },
      });
    },
    prepare(file, account) {
      return new Promise((resolve, reject) => {
        const stop = signals.observe('socket-listen', (answer) => {
          if (answer.file !== file) return;
          stop();
          if ('path' in answer) resolve(answer.path);
          else reject(new Error(answer.error));
        });
        void signals.emit('process-prepare', account ? { file, account } : { file });
      });
    },
    hand(request, row) {
      const sequence = journal.add(request, row);
      const kept = journal.row(sequence);
      if (!kept) throw new Error('not added');
      const { messageId, directive, cancel, size, state } = kept;
      const doc: WorkingMessage = { sequence, messageId, directive, cancel, size, state, slot: !cancel };
      datastore.messages.add(doc);
      void signals.emit('data-process', { sequence, directive, cancel });
      return sequence;
    },
    die(file, { asked = false } = {}) {
      void signals.emit('process-die', { file, pid: 0, exitCode: null, signal: 'SIGKILL', asked });
    },
    async hears(line) {
      const detail = (): string => `heard: ${heard.join(', ')}; journal: ${journal.log.join(', ')}`;
      await waitFor(() => heard.includes(line), { what: line, deadline: 5_000, detail });
    },
  };
}

type Reply = 'ok' | 'never' | { readonly code: number; readonly details: string };

export interface TestWorker {
  /** What it was handed. */
  readonly taken: Data[];
  readonly events: number[];
  /** How it answers the next hand-overs. */
  reply: (data: Data) => Reply | Promise<Reply>;
  readonly registration: RegistrationResponse;
  /** Why it was not registered. */
  readonly refusal: string;
  /** Sends a response; resolves to the bytes of the answer. */
  send(data: Partial<Data>): Promise<Uint8Array>;
  /** Sends back what it was handed as that many-th. */
  answer(index?: number): Promise<Uint8Array>;
  register(request: Partial<RegistrationRequest>): Promise<RegistrationResponse>;
  settings(): Promise<WorkerSettings>;
  /** Cuts its connections and stops listening, as a process that ends does. */
  vanish(): void;
}

export interface TestWorkerOptions extends Partial<RegistrationRequest> {
  readonly userAgent?: string;
  readonly deaf?: boolean;
  /** Registers and does not listen. */
  readonly mute?: boolean;
}

export async function startWorker(socket: string, options: TestWorkerOptions = {}): Promise<TestWorker> {
  const scope = testScope();
  const { userAgent, deaf = false, mute = false, ...request } = options;
  const channel = {
    'grpc.use_local_subchannel_pool': 1,
    ...(userAgent && { 'grpc.primary_user_agent': userAgent }),
  };
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), channel);
  let refusal = '';
  const call = <Request, Answer>(method: Method<Request, Answer>, message: Request): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { path: name, requestSerialize, responseDeserialize } = method;
      const deadline = { deadline: Date.now() + 9_000 };
      client
        .makeUnaryRequest(name, requestSerialize, responseDeserialize, message, deadline, (error, answer) =>
          answer ? resolve(answer) : reject(error),
        )
        .on('status', ({ metadata }) => {
          refusal = String(metadata.get(refusalTrailer)[0] ?? '');
        });
    });
  const register = (changes: Partial<RegistrationRequest> = {}): Promise<RegistrationResponse> =>
    call(protocol.dispatcher.Register, {
      ...{ handler: 'echo', pid: process.pid, detachedContent: false, features: {} },
      ...request,
      ...changes,
    });
  const registration = await register();
  const server = new Server();
  const vanish = (): void => {
    client.close();
    server.forceShutdown();
  };
  scope.defer(vanish);
  const worker: TestWorker = {
    taken: [],
    events: [],
    reply: () => 'ok',
    registration,
    get refusal() {
      return refusal;
    },
    async send(data) {
      const whole = {
        messageId: '',
        metadata: {},
        content: Buffer.alloc(0),
        responseTo: '',
        directive: 'echo',
      };
      const { response } = await call(protocol.dispatcher.Send, { ...whole, ...data });
      return response ?? new Uint8Array(0);
    },
    answer(index = 0) {
      const data = worker.taken[index];
      if (!data) throw new Error(`was not handed a ${index}th message`);
      return worker.send({ content: data.content, metadata: data.metadata, responseTo: data.messageId });
    },
    register,
    settings: () => call(protocol.dispatcher.GetConfig, {}),
    vanish,
  };
  const { Send, NotifyEvent } = protocol.worker;
  server.register<Data, Response>(
    Send.path,
    (({ request: data }: { request: Data }, answer: (error: object | null, response?: Response) => void) => {
      worker.taken.push(data);
      void Promise.resolve(worker.reply(data)).then((reply) => {
        if (reply === 'ok') answer(null, {});
        else if (reply !== 'never') answer(reply);
      });
    }) as never,
    Send.responseSerialize,
    Send.requestDeserialize,
    'unary',
  );
  server.register<{ name: number }, object>(
    NotifyEvent.path,
    ((
      { request: event }: { request: { name: number } },
      answer: (error: object | null, value?: object) => void,
    ) => {
      worker.events.push(event.name);
      if (deaf) answer({ code: status.UNIMPLEMENTED, metadata: new Metadata() });
      else answer(null, {});
    }) as never,
    NotifyEvent.responseSerialize,
    NotifyEvent.requestDeserialize as never,
    'unary',
  );
  if (registration.registered && !mute) {
    const address = registration.address.replace(/^(?!unix:)/, 'unix:');
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  return worker;
}

/** A file of fetched content in the rig's journal. */
export function contentFile({ journal }: Rig, name: string, content: string): void {
  writeFileSync(path.join(journal.contentDirectory, name), content);
}
