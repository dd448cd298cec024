/**
 * A server's side of the broker: a connection under a client id of its own, for programs that speak to hosts.
 *
 * Owns one MQTT connection without a session and without reconnecting: who asks something waits for seconds, and a
 * lost connection is told at once. Messages are acknowledged as soon as `receive` has taken them.
 */

import { isIPv6 } from 'node:net';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { asBuffer } from '../base/bytes.ts';
import { within } from '../base/deadline.ts';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';
import { secureOptions, type TlsMaterial } from '../base/tls.ts';
import { type BrokerAddress, parseBrokerAddress } from './broker-address.ts';
import { websocketOptions } from './dial-websocket.ts';

export interface RemoteClientOptions {
  /** One broker; a user and password in it are used unless others are given. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsMaterial | undefined;
  /** Milliseconds for connecting, and again for each subscription and acknowledgement. */
  readonly deadline: number;
}

/** While it returns a promise that is pending, nothing more is read from the broker. */
export type Receive = (topic: string, payload: Buffer, retained: boolean) => void | Promise<void>;

export interface RemoteClient {
  /** Resolves, once, with the reason when the connection ends without `close`. */
  readonly lost: Promise<YggError>;
  /** Subscribes; messages go to `receive` from then on. Throws `YGG_BROKER_REFUSED` naming the topics refused. */
  listen(topics: readonly string[], receive: Receive): Promise<void>;
  /** Resolves when the broker has acknowledged it. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const closeDeadline = 2_000;
/** Bytes. */
const largestFrame = 256 * 1024 * 1024;
/** What the library calls each transport. */
const protocols = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' } as const;

/** Throws `YGG_CONFIG` for what is no broker's URL, `YGG_BROKER_UNREACHABLE` or `YGG_BROKER_REFUSED`. */
export async function connectRemoteClient(options: RemoteClientOptions): Promise<RemoteClient> {
  const { deadline } = options;
  const address = parseBrokerAddress(options.url);
  const { name } = address;
  const client = connect(clientOptions(options, address));
  let receive: Receive = () => {};
  let closing = false;
  let lastError: unknown;
  const lost = new Promise<YggError>((resolve) => {
    client.on('error', (error) => {
      lastError = error;
    });
    client.on('close', () => {
      if (closing) return;
      const why = lastError === undefined ? 'the broker closed it' : reasonOf(lastError);
      resolve(
        new YggError('YGG_BROKER_LOST', `The connection to ${name} ended: ${why}.`, { cause: lastError }),
      );
    });
  });
  client.handleMessage = (packet: IPublishPacket, done) => {
    const payload = Buffer.from(packet.payload);
    // After the call returned: the library wants its callback on a stack of its own.
    Promise.resolve(receive(packet.topic, payload, packet.retain)).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  };

  try {
    await within({ step: `${name}: connecting`, ms: deadline }, () => connected(client));
  } catch (error) {
    closing = true;
    client.end(true);
    throw refusedOrUnreachable(name, error);
  }

  /** One exchange with the broker, ended early by a lost connection. */
  async function answered<T>(step: string, run: () => Promise<T>): Promise<T> {
    const cut = lost.then((error) => Promise.reject(error));
    return within({ step: `${name}: ${step}`, ms: deadline }, () => Promise.race([run(), cut]));
  }

  return {
    lost,
    async listen(topics, handler) {
      receive = handler;
      const codes = await answered('subscribing', () => subscribe(client, topics));
      const refused = topics.filter((_topic, index) => (codes[index] ?? 128) >= 128);
      if (refused.length === 0) return;
      throw new YggError(
        'YGG_BROKER_REFUSED',
        `${name} does not let this client subscribe to ${refused.join(', ')}. Ask for it in the broker's access list.`,
      );
    },
    async publish(topic, payload) {
      await answered(`publishing to ${topic}`, () =>
        client.publishAsync(topic, asBuffer(payload), {
          qos: 1,
        }),
      );
    },
    async close() {
      closing = true;
      if (!client.connected) {
        client.end(true);
        return;
      }
      try {
        await within({ step: `${name}: leaving`, ms: closeDeadline }, () => client.endAsync());
      } catch {
        client.end(true);
      }
    },
  };
}

function clientOptions(options: RemoteClientOptions, address: BrokerAddress): IClientOptions {
  const { clientId, tls = {}, deadline, username = address.username, password = address.password } = options;
  const isWebsocket = address.transport === 'ws' || address.transport === 'wss';
  return {
    protocol: protocols[address.transport],
    host: isIPv6(address.host) && isWebsocket ? `[${address.host}]` : address.host,
    ...(isWebsocket && { path: address.path, wsOptions: websocketOptions(tls, largestFrame) }),
    port: address.port,
    clientId,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: deadline,
    keepalive: 30,
    resubscribe: false,
    protocolVersion: 4,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...secureOptions(tls),
  };
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => {
      const { stream } = client;
      if ('setNoDelay' in stream && typeof stream.setNoDelay === 'function') stream.setNoDelay(true);
      resolve();
    });
    client.once('error', reject);
    client.once('close', () => reject(new Error('the broker closed the connection')));
  });
}

/** The SUBACK's codes, one per topic. */
function subscribe(client: MqttClient, topics: readonly string[]): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    client.subscribe([...topics], { qos: 1 }, (error, _granted, packet) => {
      // A refusal is an error to the library, but its SUBACK says which topic was refused.
      if (packet?.cmd === 'suback') resolve(packet.granted.map(Number));
      else if (error) reject(error);
      else resolve(topics.map(() => 1));
    });
  });
}

function refusedOrUnreachable(name: string, error: unknown): YggError {
  // The library gives a refused CONNACK its return code (MQTT 3.1.1, 3.2.2.3) as a number.
  if (typeof systemCodeOf(error) === 'number') {
    return new YggError('YGG_BROKER_REFUSED', `${name} refused the connection: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
  return new YggError('YGG_BROKER_UNREACHABLE', `${name} could not be reached: ${reasonOf(error)}.`, {
    cause: error,
  });
}
