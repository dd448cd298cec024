/**
 * What each part is told of the options. Whatever a reload may change is behind a getter, so that a part that reads it
 * where it needs it follows.
 */
import { userSocketsDir } from './config/directories.ts';
import type { Options } from './config/options.ts';
import type { DataProcessorOptions } from './data-processor/data-processor.ts';
import type { MessageRouterOptions } from './message-router/router-options.ts';
import type { MqttOptions } from './mqtt/mqtt-connector.ts';
import type { ProcessManagerOptions } from './process/manager-options.ts';

/** Messages, and bytes of them, in the working set over all directives. */
const globalWindow = { messages: 1_024, bytes: 16 * 1024 * 1024 };

export function routerOptions(options: Options): MessageRouterOptions {
  return {
    window: globalWindow,
    get workerGrace() {
      return options.workerGrace;
    },
    get disconnectHold() {
      return Number.isFinite(options.disconnectHold) ? options.disconnectHold : undefined;
    },
    get reconnectFloor() {
      return options.mqttReconnectDelay;
    },
    get reconnectCap() {
      return options.mqttConnectRetryInterval;
    },
  };
}

/** A connection is made with what holds when it is. */
export function mqttOptions(options: Options): () => Partial<MqttOptions> {
  const { maxMessageSize } = options;
  return () => ({
    version: options.mqttVersion,
    sessionExpiry: options.mqttSessionExpiry,
    cleanSession: options.cleanSession,
    keepAlive: options.mqttKeepAlive,
    connectTimeout: options.mqttConnectTimeout,
    publishTimeout: options.mqttPublishTimeout,
    primeTopic: options.mqttPrimeTopic,
    maxMessageSize,
  });
}

/** Those of {@link mqttOptions} that a reload may change: the connection is made anew for them. */
export const mqttFields: readonly (keyof Options)[] = [
  'mqttVersion',
  'mqttSessionExpiry',
  'cleanSession',
  'mqttKeepAlive',
  'mqttConnectTimeout',
  'mqttPublishTimeout',
  'mqttPrimeTopic',
];

export function processorOptions(options: Options, brokerHosts: readonly string[]): DataProcessorOptions {
  return {
    brokerHosts,
    maxContentSize: options.maxContentSize,
    get dataHost() {
      return options.dataHost;
    },
    get contentHosts() {
      return options.contentHosts;
    },
    get contentHostsOnly() {
      return options.contentHostsOnly;
    },
    get httpRetries() {
      return options.httpRetries;
    },
    get httpTimeout() {
      return options.httpTimeout;
    },
    get httpRetryAge() {
      return options.httpRetryAge;
    },
  };
}

export function processManagerOptions(options: Options, clientId: string): ProcessManagerOptions {
  const { workerDir: workerDirs, configDir, runtimeDir } = options;
  return {
    workerDirs,
    configDir,
    runtimeDir,
    userSocketsDir: userSocketsDir(runtimeDir),
    clientId,
    get excludeWorkers() {
      return options.excludeWorker;
    },
    get logLevel() {
      return options.logLevel;
    },
  };
}
