/**
 * A worker: its handlers, and its life from `run` to the last word to the daemon.
 *
 * Owns the connection while it runs, and the answer to SIGTERM. Loads what it needs of gRPC when it is run.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { AttachClient } from './attach-client.ts';
import { AttachLink } from './attach-link.ts';
import { contentOf } from './content.ts';
import { daemonAddress } from './daemon-address.ts';
import {
  attachVersion,
  type BrokerEvent,
  type HandlerOffer,
  type Hello,
  type Metadata,
  redeliveries,
  workerFeatures,
} from './frames.ts';
import { type Handler, type HandlerOptions, handlerOf, type OnMessage } from './handler.ts';
import { Lanes } from './lanes.ts';
import type { Link } from './link.ts';
import { loadProtocol, type Protocol } from './protocol.ts';
import { processSurroundings, type Surroundings } from './surroundings.ts';
import { UnaryClient } from './unary-client.ts';
import { workerLog } from './worker-log.ts';

interface CommonOptions {
  /** What becomes of the daemon's connection to its broker. */
  readonly onEvent?: (event: BrokerEvent) => void;
  /** Where the worker's own lines go (standard error, which the daemon reads). */
  readonly log?: Logger;
  /** Milliseconds for what is in hand when the worker is to end (8000); the daemon kills it after 10 s. */
  readonly patience?: number;
}

export interface OneHandler extends CommonOptions, HandlerOptions {
  /** The directive it takes messages for. */
  readonly handler: string;
}

export interface SeveralHandlers extends CommonOptions {
  /** By the directive each takes messages for. */
  readonly handlers: Readonly<Record<string, HandlerOptions | OnMessage>>;
}

export type WorkerOptions = OneHandler | SeveralHandlers;

export interface RunOptions {
  /** The daemon's socket (`YGG_SOCKET_ADDR`). */
  readonly daemon?: string;
  /** False: SIGTERM and SIGINT are left alone (true). */
  readonly signals?: boolean;
}

export interface SendOptions {
  readonly directive?: string;
  readonly metadata?: Metadata;
  /** The message that it answers. */
  readonly responseTo?: string;
}

export interface Worker {
  /**
   * Works until it is stopped, then resolves. A program's main: it ends the worker on SIGTERM and SIGINT.
   *
   * @throws YggError `YGG_HANDLER_TAKEN`, `YGG_CONFIG`, ... when the daemon will not have it
   */
  run(options?: RunOptions): Promise<void>;
  /** Takes nothing more, finishes what is in hand, and says goodbye. */
  stop(): Promise<void>;
  /** Sends a message of its own accord; resolves when it is safe with the daemon. */
  send(content: unknown, options?: SendOptions): Promise<void>;
}

/** Milliseconds before the end of its patience at which the handlers are told. */
const warning = 1_000;

/** @throws YggError `YGG_HANDLER_INVALID`, `YGG_USAGE` for options that make no sense */
export function createWorker(options: WorkerOptions): Worker {
  return new StandardWorker(options);
}

function handlersOf(options: WorkerOptions): Handler[] {
  if ('handler' in options) return [handlerOf(options.handler, options)];
  const handlers = Object.entries(options.handlers).map(([name, of]) =>
    handlerOf(name, typeof of === 'function' ? { onMessage: of } : of),
  );
  if (handlers.length === 0) throw new YggError('YGG_USAGE', 'A worker needs at least one handler.');
  return handlers;
}

/** Whom a run of the worker speaks to. */
interface Connection {
  readonly protocol: Protocol;
  readonly address: string;
  readonly surroundings: Surroundings;
  readonly log: Logger;
}

/** What runs, and how it is ended. */
interface Session {
  readonly link: Link;
  leave(reason: string): void;
  cut(): void;
}

class StandardWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #handlers: readonly Handler[];
  readonly #clock: Clock = systemClock;
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  #lanes: Lanes | undefined;
  /** Why it is to end, once it is. */
  #stopping: string | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#handlers = handlersOf(options);
  }

  run(options: RunOptions = {}): Promise<void> {
    if (this.#running) throw new YggError('YGG_USAGE', 'The worker runs already.');
    this.#stopping = undefined;
    this.#running = this.#run(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#leave('stopped');
    // Its failure belongs to whoever called run.
    await running?.catch(() => {});
  }

  send(content: unknown, { directive, metadata = {}, responseTo = '' }: SendOptions = {}): Promise<void> {
    const session = this.#session;
    const [handler] = this.#handlers;
    return new Promise((resolve, reject) => {
      if (!session) throw new YggError('YGG_CLOSED', 'The worker does not run: nothing can be sent.');
      const answer = {
        messageId: randomUUID(),
        responseTo,
        directive: directive ?? handler?.name ?? '',
        metadata,
        content: contentOf(content),
        delivery: 0,
      };
      session.link.answer(answer, (error) => (error ? reject(error) : resolve()));
    });
  }

  async #run({ daemon, signals = true }: RunOptions): Promise<void> {
    const surroundings = processSurroundings();
    const { environment } = surroundings;
    const log = this.#options.log ?? workerLog(surroundings.complain, environment['YGG_LOG_LEVEL']);
    const address = daemonAddress(daemon ?? environment['YGG_SOCKET_ADDR']);
    const unlisten = signals ? surroundings.onTerminate((signal) => this.#leave(signal)) : () => {};
    try {
      const protocol = await loadProtocol();
      const connection = { protocol, address, surroundings, log };
      if ((await this.#attach(connection)) === 'unimplemented') await this.#register(connection);
    } finally {
      unlisten();
      this.#session = undefined;
      this.#lanes = undefined;
    }
  }

  async #attach({ protocol, address, surroundings, log }: Connection): Promise<'left' | 'unimplemented'> {
    const lanes = this.#newLanes(log);
    const link = new AttachLink({ receiver: lanes, clock: this.#clock });
    lanes.connect(link);
    const client = new AttachClient({
      protocol,
      address,
      hello: this.#hello(surroundings),
      link,
      log,
      clock: this.#clock,
      random: Math.random,
      onWelcome: ({ handlers }) =>
        log.info({ handlers: handlers.map(({ name }) => name).join() }, 'attached to the daemon'),
    });
    const leave = (reason: string): void => {
      lanes.giveBack();
      client.leave(reason);
    };
    this.#begin({ link, leave, cut: () => client.cut() });
    try {
      return await client.run();
    } finally {
      link.giveUp();
    }
  }

  async #register({ protocol, address, surroundings, log }: Connection): Promise<void> {
    const lanes = this.#newLanes(log);
    const client = new UnaryClient({
      protocol,
      address,
      pid: surroundings.pid,
      handlers: this.#handlers,
      receiver: lanes,
      log,
      clock: this.#clock,
      random: Math.random,
    });
    const { link } = client;
    lanes.connect(link);
    // What was taken cannot be given back here: it is finished.
    this.#begin({ link, leave: () => client.leave(), cut: () => client.cut() });
    await client.run();
  }

  #newLanes(log: Logger): Lanes {
    const { onEvent = () => {} } = this.#options;
    this.#lanes = new Lanes({ handlers: this.#handlers, clock: this.#clock, log, onEvent });
    return this.#lanes;
  }

  #begin(session: Session): void {
    this.#session = session;
    if (this.#stopping !== undefined) session.leave(this.#stopping);
  }

  /** A second time, it ends at once. */
  #leave(reason: string): void {
    if (this.#stopping !== undefined) {
      if (reason !== 'stopped') this.#session?.cut();
      return;
    }
    this.#stopping = reason;
    const { patience = 8_000 } = this.#options;
    const session = this.#session;
    session?.leave(reason);
    this.#clock.after(Math.max(0, patience - warning), () => {
      if (this.#session === session) this.#lanes?.interrupt('The worker has to end.');
    });
    this.#clock.after(patience, () => {
      if (this.#session === session) session?.cut();
    });
  }

  #hello({ pid, startTime }: Surroundings): Omit<Hello, 'inWork' | 'unreceipted'> {
    return {
      version: attachVersion,
      features: workerFeatures,
      library: `yggd/worker on Node ${process.versions.node}`,
      pid,
      startTime,
      handlers: this.#handlers.map(offerOf),
    };
  }
}

function offerOf(handler: Handler): HandlerOffer {
  const { name, detached, features, redelivery, concurrency, accepts } = handler;
  return { name, detached, features, redelivery: redeliveries[redelivery], concurrency, accepts };
}
