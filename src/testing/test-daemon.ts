/**
 * A daemon for the unit tests of workers: one socket, no broker, no journal, no processes.
 *
 * It speaks Attach as the daemon does, so that a worker under test is the worker that will run. Messages come from
 * the test, and what the worker makes of them goes back to it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { handleBidiStreamingCall, handleUnaryCall, Server } from '@grpc/grpc-js';
import { contentOf } from '../worker/content.ts';
import type { ConfigFrame, DaemonConfig } from '../worker/daemon-config.ts';
import { brokerEvents, type DispatcherFrame, type Metadata, type WorkerFrame } from '../worker/frames.ts';
import { loadProtocol, type Protocol } from '../worker/protocol.ts';
import { AttachedWorker, type Books } from './attached-worker.ts';
import { type TestAnswer, TestDelivery, type TestMessage, type TestResult } from './test-delivery.ts';

/** What a test needs of a worker to run it. */
interface Runnable {
  run(options: { readonly daemon: string; readonly signals: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** What a server says to an answer that is posted to it; 200 and nothing more when not set. */
export interface TestPost {
  readonly status?: number;
  readonly headers?: Metadata;
  /** Bytes as they are, anything else as JSON. */
  readonly body?: unknown;
}

export interface TestDaemonOptions {
  /** Plays the server that answers are posted to. */
  readonly post?: (answer: TestAnswer) => TestPost | Promise<TestPost>;
  /** What `worker.config()` is to find; `undefined` as under a daemon that does not tell. */
  readonly config?: Partial<DaemonConfig>;
}

export interface TestDaemon {
  /** Of its socket, as a worker finds it in `YGG_SOCKET_ADDR`. */
  readonly address: string;
  /** Messages that workers sent of their own accord. */
  readonly sent: readonly TestAnswer[];
  /** The last results of the worker's health checks. */
  readonly health: Books['health'];
  /** Runs a worker; resolves when it is attached. It is stopped with the daemon. */
  run(worker: Runnable): Promise<void>;
  /** What the worker of a handler says it offers. */
  features(handler: string): Metadata | undefined;
  /** Gives the worker a message. */
  deliver(message: TestMessage): TestDelivery;
  /** Gives the worker a message and waits for its end. */
  send(message: TestMessage): Promise<TestResult>;
  /** Cuts every stream, as a daemon that dies does; workers attach again. */
  disconnect(): void;
  /** Tells workers what became of the connection to the broker. */
  event(name: 'received-disconnect' | 'unexpected-disconnect' | 'connection-restored'): void;
  /** Tells workers that the daemon is about to stop. */
  drain(patience: number): void;
  /** Stops the workers it runs, and itself. */
  stop(): Promise<void>;
}

/** Milliseconds a worker may take to attach. */
const attachDeadline = 10_000;

export async function createTestDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const protocol = await loadProtocol();
  const folder = mkdtempSync(path.join(tmpdir(), 'yggd-test-'));
  const address = `unix:${path.join(folder, 'd.sock')}`;
  const { post = (): TestPost => ({}), config } = options;
  const books: Books = {
    deliveries: new Map(),
    known: new Set(),
    sent: [],
    health: [],
    post: async (answer) => {
      const { status = 200, headers = {}, body } = await post(answer);
      return { status, headers, body: body === undefined ? new Uint8Array(0) : contentOf(body) };
    },
  };
  const streams = new Set<AttachedWorker>();
  const attached = new Set<() => void>();
  const workers = new Map<Runnable, Promise<void>>();
  let deliveries = 0;

  const onCall = (call: Call): void => {
    const stream = new AttachedWorker(call, books, () => {
      for (const tell of [...attached]) tell();
    });
    streams.add(stream);
    call.on('close', () => streams.delete(stream));
  };
  const server = await serve(protocol, { address, onCall, config });

  const say = (frame: Partial<DispatcherFrame>): void => {
    for (const stream of streams) stream.say(frame);
  };

  const daemon: TestDaemon = {
    address,
    sent: books.sent,
    get health() {
      return books.health;
    },
    async run(worker) {
      const welcomed = once(attached);
      const running = worker.run({ daemon: address, signals: false });
      workers.set(worker, running);
      await Promise.race([welcomed, running]);
    },
    features(handler) {
      for (const { handlers } of streams) {
        const found = handlers.find(({ name }) => name === handler);
        if (found) return found.features;
      }
      return undefined;
    },
    deliver(message) {
      deliveries += 1;
      const delivery = new TestDelivery(deliveries, message, ({ number, messageId }) =>
        say({ cancels: [{ delivery: number, messageId }] }),
      );
      books.deliveries.set(deliveries, delivery);
      for (const stream of streams) if (stream.takes(message.directive)) stream.pump();
      return delivery;
    },
    send(message) {
      return daemon.deliver(message).result;
    },
    disconnect() {
      for (const stream of streams) stream.end(protocol.grpc.status.UNAVAILABLE, 'cut by the test');
    },
    event(name) {
      const number = Object.keys(brokerEvents).find((key) => brokerEvents[Number(key)] === name);
      say({ events: [{ name: Number(number), detail: '' }] });
    },
    drain(patienceMs) {
      say({ drain: { reason: 'the daemon stops', patienceMs } });
    },
    async stop() {
      const stopped = [...workers].map(async ([worker, running]) => {
        await worker.stop();
        await running.catch(() => {});
      });
      await Promise.all(stopped);
      server.forceShutdown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return daemon;
}

const noConfig = { logLevel: 'INFO', clientId: 'test-host', server: '', certFile: '', keyFile: '' };

type Call = Parameters<handleBidiStreamingCall<WorkerFrame, Partial<DispatcherFrame>>>[0];

interface Calls {
  readonly address: string;
  readonly onCall: (call: Call) => void;
  readonly config: Partial<DaemonConfig> | undefined;
}

async function serve(
  { grpc, Attach, GetConfig }: Protocol,
  { address, onCall, config }: Calls,
): Promise<Server> {
  const server = new grpc.Server({ 'grpc.enable_channelz': 0 });
  if (config) {
    const { path: name, responseSerialize, requestDeserialize } = GetConfig;
    const settings: ConfigFrame = { ...noConfig, ...config, caRoot: (config.caRoots ?? []).join(';') };
    const tell: handleUnaryCall<object, ConfigFrame> = (_, answer) => answer(null, settings);
    server.register(name, tell, responseSerialize, requestDeserialize, 'unary');
  }
  server.register<WorkerFrame, DispatcherFrame>(
    Attach.path,
    (call: Call) => onCall(call),
    Attach.responseSerialize,
    Attach.requestDeserialize,
    'bidi',
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

/** Resolves when the next worker has attached. */
function once(attached: Set<() => void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      attached.delete(tell);
      reject(new Error(`No worker has attached within ${attachDeadline} ms.`));
    }, attachDeadline);
    const tell = (): void => {
      clearTimeout(timer);
      attached.delete(tell);
      resolve();
    };
    attached.add(tell);
  });
}
