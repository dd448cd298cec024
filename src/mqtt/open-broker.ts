/**
 * The connector that the options ask for: to brokers elsewhere, to the embedded one, or to none.
 *
 * Owns the embedded broker, if there is one.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { TlsMaterial } from '../base/tls.ts';
import { type BrokerAddress, parseBrokerAddress } from './broker-address.ts';
import { type Connector, noConnector } from './connector.ts';
import { createMqttConnector, type MqttOptions } from './mqtt-connector.ts';
import { createTopics } from './topics.ts';

export interface OpenBrokerDeps {
  readonly protocol: 'mqtt' | 'none';
  /** URLs in the order in which they are tried, or `embedded`. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly topicPrefix: string;
  readonly runtimeDir: string;
  readonly tls: () => TlsMaterial;
  /** Asked for each connection, as `tls` is; not set: defaults. */
  readonly mqtt?: () => Partial<MqttOptions>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface OpenBroker {
  readonly connector: Connector;
  /** Host names of the brokers that were configured; their neighbours may see the client certificate. */
  readonly hosts: readonly string[];
  /** Some of them are shown the certificate. */
  readonly secure: boolean;
  /** Ends the embedded broker. */
  close(): Promise<void>;
}

/** Throws `YGG_CONFIG` for a URL, prefix or client id that cannot be used. */
export async function openBroker(deps: OpenBrokerDeps): Promise<OpenBroker> {
  const { protocol, clientId, topicPrefix, runtimeDir, tls, clock, log } = deps;
  const topics = createTopics(topicPrefix, clientId);
  if (protocol === 'none') return { connector: noConnector, hosts: [], secure: false, close: async () => {} };
  const configured = deps.brokers.filter((url) => url !== 'embedded').map(parseBrokerAddress);
  const brokers: BrokerAddress[] = [];
  const closes: Array<() => Promise<void>> = [];
  if (configured.length < deps.brokers.length) {
    // Most daemons never need it.
    const { startEmbeddedBroker } = await import('./embedded.ts');
    const embedded = await startEmbeddedBroker({ runtimeDir, clientId, topicPrefix, log });
    closes.push(() => embedded.close());
    const { username, password } = embedded;
    brokers.push({ ...parseBrokerAddress(embedded.url), username, password, version: 4 });
  }
  brokers.push(...configured);
  return {
    connector: createMqttConnector({
      brokers,
      topics,
      clientId,
      tls,
      clock,
      log,
      ...(deps.mqtt && { options: deps.mqtt }),
    }),
    hosts: configured.map(({ host }) => host),
    secure: configured.some(({ transport }) => transport === 'tls' || transport === 'wss'),
    async close() {
      for (const close of closes) await close();
    },
  };
}
