/**
 * The DataProcessor: detached content in and out.
 *
 * In: a request of a worker with detached content gets the body of its address first (`fetches.ts`); all others pass.
 * Out: a response to an address is posted, any other is handed on to be published (`deliveries.ts`).
 * Signals in: `data-recv`, `message-cancel`, `data-return`. Out: `data-process`, `message-settle` (dead),
 * `data-deliver`, `data-consume`, `message-send`. Never touches MQTT or a worker.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { TlsMaterial } from '../base/tls.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import { type ContentClient, createContentClient } from '../http/content-client.ts';
import { createLiveEgress, type EgressOptions } from '../http/egress.ts';
import type { Proxies } from '../http/proxies.ts';
import type { Journal } from '../journal/journal.ts';
import type { Part } from '../lifecycle.ts';
import type { RequestSignal, Signals } from '../signals.ts';
import { Deliveries } from './deliveries.ts';
import { Fetches } from './fetches.ts';

/** Durations in milliseconds, sizes in bytes; read each time they are needed, for they may change. */
export interface DataProcessorOptions extends EgressOptions {
  readonly httpRetries: number;
  readonly httpTimeout: number;
  readonly httpRetryAge: number;
  readonly maxContentSize: number;
}

export interface DataProcessorDeps {
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly journal: Pick<Journal, 'inbox' | 'outbox' | 'contentDirectory'>;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly options: DataProcessorOptions;
  /** Loaded certificate, key and authorities; the same object until the files change. */
  readonly tls: () => TlsMaterial;
  /** Of this daemon, for `User-Agent: yggd/<version>`. */
  readonly version: string;
  /** Not set: everything goes straight. */
  readonly proxies?: Proxies;
  /** Not set: undici. */
  readonly client?: ContentClient;
}

/** Milliseconds. */
const connectTimeout = 10_000;
const idleTimeout = 60_000;

/** Throws `YGG_CONFIG` when `data-host` or `content-hosts` is not usable. */
export function createDataProcessor(deps: DataProcessorDeps): Part {
  const { signals, datastore, journal, clock, options } = deps;
  const userAgent = `yggd/${deps.version}`;
  const egress = createLiveEgress(options);
  const client =
    deps.client ??
    createContentClient({
      tls: deps.tls,
      proxies: deps.proxies,
      userAgent,
      clock,
      limits: {
        connect: connectTimeout,
        get idle() {
          return Math.min(idleTimeout, options.httpTimeout);
        },
        get total() {
          return options.httpTimeout;
        },
        content: options.maxContentSize,
      },
    });
  const fetches = new Fetches({
    ...deps,
    client,
    egress,
    get retries() {
      return options.httpRetries;
    },
  });
  const deliveries = new Deliveries({
    ...deps,
    client,
    egress,
    userAgent,
    get finalAnswers() {
      return options.httpRetries;
    },
    get retryAge() {
      return options.httpRetryAge;
    },
  });

  function onDataRecv(request: RequestSignal & { readonly cancel: boolean }): Promise<void> | undefined {
    const { sequence, directive } = request;
    const doc = datastore.messages.get(sequence);
    // Settled on the way here.
    if (!doc) return undefined;
    const row = datastore.workers.get(directive)?.detached ? journal.inbox.row(sequence) : undefined;
    if (row?.contentFile !== '') return signals.emit('data-process', request);
    if (doc.state === 'offered') {
      // It was admitted for a worker that took the content as it is, and another one has come since.
      journal.inbox.back(sequence);
      datastore.messages.remove(sequence);
      void signals.emit('message-settle', { sequence, directive, outcome: 'back' });
    } else fetches.add(row);
    return undefined;
  }

  return {
    name: 'data-processor',
    init() {
      signals.on('data-recv', 'data-processor', onDataRecv);
      signals.on('message-cancel', 'data-processor', ({ directive, messageId }) =>
        fetches.cancel(directive, messageId),
      );
      signals.on('data-return', 'data-processor', () => deliveries.nudge());
    },
    run() {
      deliveries.start();
    },
    async drain(stage, abort) {
      if (stage === 'quiet') fetches.quiet();
      if (stage === 'goodbye') await deliveries.drain(abort);
    },
    async stop() {
      await Promise.all([fetches.stop(), deliveries.stop()]);
      await client.close();
    },
  };
}
