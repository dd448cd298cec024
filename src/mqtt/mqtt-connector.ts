/**
 * The connector on MQTT.js: tries the brokers in the order they are listed, and holds one connection.
 */
import type { Clock } from '../base/clock.ts';
import { within } from '../base/deadline.ts';
import { codeOf, reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { TlsMaterial } from '../base/tls.ts';
import type { BrokerAddress, Transport } from './broker-address.ts';
import type { MqttVersion } from './client-options.ts';
import type { Connected, ConnectOptions, Connector, OutTopic, Receiver } from './connector.ts';
import type { Dial } from './dial.ts';
import type { MqttConnection } from './mqtt-connection.ts';
import type { Topics } from './topics.ts';

export interface MqttConnectorDeps {
  /** In the order in which they are tried, each time from the first. */
  readonly brokers: readonly BrokerAddress[];
  readonly topics: Topics;
  readonly clientId: string;
  /** Asked for each connection, so that new certificates count from the next one on. */
  readonly tls: () => TlsMaterial;
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked for each connection too. */
  readonly options?: () => Partial<MqttOptions>;
}

/** Times in milliseconds, sizes in bytes. */
export interface MqttOptions {
  readonly version: MqttVersion;
  readonly sessionExpiry: number;
  readonly cleanSession: boolean;
  readonly keepAlive: number;
  readonly connectTimeout: number;
  readonly publishTimeout: number;
  readonly primeTopic: boolean;
  readonly maxMessageSize: number;
  /** Messages, and their bytes, received and not settled before parsing is held. */
  readonly receiveWindow: number;
  readonly receiveWindowBytes: number;
}

const defaults: MqttOptions = {
  version: 4,
  sessionExpiry: 7 * 86_400_000,
  cleanSession: false,
  keepAlive: 30_000,
  connectTimeout: 10_000,
  publishTimeout: 30_000,
  primeTopic: true,
  maxMessageSize: 2 * 1024 * 1024,
  // The receiver decides how many of them are on their way to the disk, where each lies in memory three times.
  receiveWindow: 16_384,
  receiveWindowBytes: 16 * 1024 * 1024,
};

/** What an envelope may add to the largest message. */
const envelopeAllowance = 64 * 1024;

export function createMqttConnector(deps: MqttConnectorDeps): Connector {
  const { brokers, topics, clientId, tls, clock, log } = deps;
  /**
   * Brokers whose session this process has completed. One found from an earlier life may lack a subscription, when
   * that ended between CONNECT and SUBSCRIBE, or have those of another prefix.
   */
  const subscribed = new Set<string>();
  let connection: MqttConnection | undefined;

  async function connectTo(
    address: BrokerAddress,
    receiver: Receiver,
    { will, abort }: ConnectOptions,
  ): Promise<Connected> {
    // Loading it takes a while, in which workers start already.
    const [{ MqttConnection }, dial] = await Promise.all([
      import('./mqtt-connection.ts'),
      dialOf(address.transport),
    ]);
    const { maxMessageSize, receiveWindow, receiveWindowBytes, ...options } = {
      ...defaults,
      ...deps.options?.(),
    };
    const limits = {
      messages: receiveWindow,
      bytes: receiveWindowBytes,
      packet: maxMessageSize + Buffer.byteLength(topics.controlOut) + envelopeAllowance,
    };
    const candidate = new MqttConnection({
      ...options,
      version: address.version ?? options.version,
      address,
      tls: tls(),
      dial,
      topics,
      clientId,
      receiver,
      will,
      clock,
      limits,
      subscribeAlways: !subscribed.has(address.name),
    });
    const deadline = { step: `connecting to ${address.name}`, ms: options.connectTimeout, abort };
    const connected = await within(deadline, (cut) => candidate.open(cut));
    subscribed.add(address.name);
    connection = candidate;
    return connected;
  }

  return {
    async connect(receiver, connectOptions) {
      const failures: string[] = [];
      let refused = false;
      for (const address of brokers) {
        try {
          return await connectTo(address, receiver, connectOptions);
        } catch (error) {
          if (connectOptions.abort.aborted) throw error;
          if (codeOf(error) === 'YGG_BROKER_REFUSED') refused = true;
          log.debug({ broker: address.name, error: reasonOf(error) }, 'a broker was tried in vain');
          failures.push(`${address.name}: ${reasonOf(error)}`);
        }
      }
      throw new YggError(refused ? 'YGG_BROKER_REFUSED' : 'YGG_BROKER_UNREACHABLE', failures.join(' '));
    },
    publish(topic: OutTopic, payload: Uint8Array) {
      if (connection) return connection.publish(topic, payload);
      return Promise.reject(new YggError('YGG_BROKER_LOST', 'There is no connection to a broker.'));
    },
    async close() {
      await connection?.close();
      connection = undefined;
    },
  };
}

/** Most daemons never need a websocket. */
async function dialOf(transport: Transport): Promise<Dial> {
  if (transport === 'tcp' || transport === 'tls') return (await import('./dial.ts')).dial;
  return (await import('./dial-websocket.ts')).dialWebsocket;
}
