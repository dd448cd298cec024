/**
 * What the daemon can be told: every option with its type. How each is spelled, read and explained is in `table.ts`.
 *
 * Spans are milliseconds, sizes are bytes, paths are absolute. What is not set and has no default is `undefined`.
 */

import type { LogLevel } from '../base/log.ts';
import type { LogFormat } from '../base/logger.ts';

export interface Options {
  /** Broker URLs in the order they are tried, or `embedded`. */
  readonly broker: readonly string[];
  readonly protocol: 'mqtt' | 'none';
  /** Not set: the common name of the certificate, else the id kept in the state directory. */
  readonly clientId: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caRoot: readonly string[];
  readonly topicPrefix: string;

  /** 4 is MQTT 3.1.1. */
  readonly mqttVersion: 4 | 5;
  readonly cleanSession: boolean;
  readonly mqttKeepAlive: number;
  readonly mqttSessionExpiry: number;
  readonly mqttConnectTimeout: number;
  readonly mqttPublishTimeout: number;
  /** Floor of the back-off between connections. */
  readonly mqttReconnectDelay: number;
  /** Cap of the back-off between connections. */
  readonly mqttConnectRetryInterval: number;
  readonly mqttPrimeTopic: boolean;
  /** How long a `disconnect` command holds; infinite: until SIGHUP or a restart. */
  readonly disconnectHold: number;
  readonly maxMessageSize: number;

  /** `host` or `host:port` that replaces the host of every content URL. */
  readonly dataHost: string | undefined;
  readonly contentHosts: readonly string[];
  readonly contentHostsOnly: boolean;
  readonly maxContentSize: number;
  /** Deliveries that look permanently refused before a response is given up. */
  readonly httpRetries: number;
  /** For one whole request. */
  readonly httpTimeout: number;
  readonly httpRetryAge: number;

  readonly workerDir: readonly string[];
  /** File names, with or without `.worker`. */
  readonly excludeWorker: readonly string[];
  readonly workerGrace: number;
  readonly workerWindow: number;
  readonly reportFailures: boolean;

  readonly inboxLimit: { readonly messages: number; readonly bytes: number };
  readonly outboxLimit: { readonly messages: number; readonly bytes: number };
  readonly doneLimit: { readonly messages: number; readonly age: number };
  readonly deadLimit: { readonly messages: number; readonly age: number };

  readonly configDir: string;
  readonly runtimeDir: string;
  readonly stateDir: string;
  /** Path of the dispatcher's shared socket. */
  readonly socketAddr: string;
  readonly factsFile: string | undefined;
  readonly tagsFile: string;

  readonly logLevel: LogLevel;
  /** Not set: what suits the place the log goes to. */
  readonly logFormat: LogFormat | undefined;
  readonly stopTimeout: number;
}

/** What the defaults depend on, given from outside. */
export interface Environment {
  readonly uid: number;
  readonly currentDirectory: string;
  readonly homeDirectory: string;
  readonly temporaryDirectory: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}
