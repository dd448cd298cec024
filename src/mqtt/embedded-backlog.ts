/**
 * Counts what the embedded broker keeps for its host, because the broker itself sets no limit to that queue.
 *
 * Every message with an acknowledgement, on a topic that the host has subscribed, is kept until the host
 * acknowledges it; a new session of the host forgets them all.
 */
import type { Aedes } from 'aedes';

export interface BacklogDeps {
  readonly broker: Aedes;
  readonly clientId: string;
  /** The topics that the host subscribes. */
  readonly topics: ReadonlySet<string>;
}

export interface Backlog {
  /** Messages that wait for the host's acknowledgement. */
  readonly size: number;
}

export function watchBacklog({ broker, clientId, topics }: BacklogDeps): Backlog {
  const subscribed = new Set<string>();
  let size = 0;
  broker.on('clientReady', (client) => {
    if (client.id !== clientId || !client.clean) return;
    subscribed.clear();
    size = 0;
  });
  broker.on('subscribe', (subscriptions, client) => {
    if (client.id !== clientId || client.clean) return;
    for (const { topic } of subscriptions) if (topics.has(topic)) subscribed.add(topic);
  });
  broker.on('publish', ({ topic, qos }) => {
    if (qos > 0 && subscribed.has(topic)) size += 1;
  });
  broker.on('ack', (_packet, client) => {
    if (client.id === clientId && size > 0) size -= 1;
  });
  return {
    get size() {
      return size;
    },
  };
}
