/**
 * What the author of a worker says of it, and what a worker can do.
 */
import type { Logger } from '../base/log.ts';
import type { EventDefinitions, PayloadOf } from './commands.ts';
import type { DaemonConfig } from './daemon-config.ts';
import type { BrokerEvent, Metadata } from './frames.ts';
import type { HandlerOptions, OnMessage } from './handler.ts';
import type { HealthCheck, HealthEndpoint } from './health.ts';

interface CommonOptions<Events extends EventDefinitions> {
  /** Events it sends of its own accord, or any handler answers with. */
  readonly events?: Events;
  /** A URL for people, told to the server. */
  readonly help?: string;
  /** Run every few seconds; the daemon shows what they find. */
  readonly health?: readonly HealthCheck[];
  /** Serves the health by HTTP: 200 when all is well, 500 otherwise. */
  readonly healthEndpoint?: HealthEndpoint;
  /** What becomes of the daemon's connection to its broker. */
  readonly onEvent?: (event: BrokerEvent) => void;
  /** Where the worker's own lines go (standard error, which the daemon reads). */
  readonly log?: Logger;
  /** Milliseconds for what is in hand when the worker is to end (8000); the daemon kills it after 10 s. */
  readonly patience?: number;
}

export type OneHandler<Events extends EventDefinitions = EventDefinitions> = CommonOptions<Events> &
  HandlerOptions & {
    /** The directive it takes messages for. */
    readonly handler: string;
  };

export interface SeveralHandlers<Events extends EventDefinitions = EventDefinitions>
  extends CommonOptions<Events> {
  /** By the directive each takes messages for. */
  readonly handlers: Readonly<Record<string, HandlerOptions | OnMessage>>;
}

export type WorkerOptions<Events extends EventDefinitions = EventDefinitions> =
  | OneHandler<Events>
  | SeveralHandlers<Events>;

export interface RunOptions {
  /** The daemon's socket (`YGG_SOCKET_ADDR`). */
  readonly daemon?: string;
  /** False: SIGTERM and SIGINT are left alone (true). */
  readonly signals?: boolean;
  /** False: the plain protocol of Register and Send is spoken, also with a daemon that knows Attach (true). */
  readonly attach?: boolean;
}

export interface SendOptions {
  readonly directive?: string;
  readonly metadata?: Metadata;
  /** The message that it answers. */
  readonly responseTo?: string;
}

export interface Worker<Events extends EventDefinitions = EventDefinitions> {
  /**
   * Works until it is stopped, then resolves. A program's main: it ends the worker on SIGTERM and SIGINT.
   *
   * @throws YggError `YGG_HANDLER_TAKEN`, `YGG_CONFIG`, ... when the daemon will not have it
   */
  run(options?: RunOptions): Promise<void>;
  /** Takes nothing more, finishes what is in hand, and says goodbye. */
  stop(): Promise<void>;
  /**
   * Settings of the daemon, the files of the host's certificate among them; `undefined` when it does not tell them.
   *
   * @throws YggError `YGG_CLOSED` while the worker does not run, `YGG_LINK` when the daemon does not answer
   */
  config(): Promise<DaemonConfig | undefined>;
  /** Sends an event of its own accord; resolves when it is safe with the daemon. */
  send<Name extends keyof Events & string>(
    event: Name,
    payload: PayloadOf<Events[Name]>,
    options?: SendOptions,
  ): Promise<void>;
}
