/**
 * What the library is told of one connection: who connects, which session it wants, what is said when it vanishes.
 */
import type { IClientOptions, IClientSubscribeOptions } from 'mqtt';
import type { BrokerAddress } from './broker-address.ts';
import type { Topics } from './topics.ts';

/** Of the protocol; with 5 the session has a length, and both sides say why they refuse something. */
export type MqttVersion = 4 | 5;

export interface ConnectTerms {
  readonly address: BrokerAddress;
  readonly topics: Topics;
  readonly clientId: string;
  readonly will: Uint8Array;
  readonly version: MqttVersion;
  readonly cleanSession: boolean;
  /** Milliseconds; with MQTT 5 the broker keeps the session so long after the connection has ended. */
  readonly sessionExpiry: number;
  /** Milliseconds. */
  readonly keepAlive: number;
  readonly connectTimeout: number;
}

/**
 * Messages with QoS 1 that an MQTT 5 broker may send without an acknowledgement. Those that are left to it count until
 * the connection ends, so there is room for them beside those that wait for the disk or for their worker.
 */
const receiveMaximum = 32_768;
/**
 * Seconds an MQTT 5 broker waits with the last will: a daemon that is started again by then has not been away. No
 * Maximum Packet Size is announced: what is larger would be thrown away by the broker without a word (docs/decisions).
 */
const willDelay = 5;
const longestExpiry = 0xffff_ffff;

export function clientOptions(terms: ConnectTerms): IClientOptions {
  const { address, topics, clientId, will, version, cleanSession, sessionExpiry } = terms;
  const seconds = Math.min(longestExpiry, Math.ceil(sessionExpiry / 1000));
  return {
    manualConnect: true,
    clientId,
    protocolVersion: version,
    clean: cleanSession,
    keepalive: Math.ceil(terms.keepAlive / 1000),
    connectTimeout: terms.connectTimeout,
    reconnectPeriod: 0,
    resubscribe: false,
    will: {
      topic: topics.controlOut,
      payload: Buffer.from(will),
      qos: 1,
      retain: false,
      ...(version === 5 && { properties: { willDelayInterval: willDelay } }),
    },
    ...(version === 5 && {
      properties: { sessionExpiryInterval: cleanSession ? 0 : seconds, receiveMaximum },
    }),
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password !== undefined && { password: address.password }),
    // A cache of all numbers up to 65,535 as buffers would take twelve megabytes.
    writeCache: false,
    // The library formats every payload for its debug log otherwise.
    log: () => {},
  };
}

/** Retained messages are never wanted; only MQTT 5 can say so (MQTT 5, 3.8.3.1). */
export function subscribeOptions(version: MqttVersion): IClientSubscribeOptions {
  return version === 5 ? { qos: 1, rh: 2 } : { qos: 1 };
}
