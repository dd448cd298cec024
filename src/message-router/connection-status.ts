/**
 * Says on control/out who this host is and which handlers it has.
 *
 * Owns what was said last. A status is published after every connect and after every change of handlers, features,
 * facts or tags, the changes of a moment together, and never twice the same on one connection without a reason: the
 * will of a lost connection may arrive late and delete the host on the server, so after a loss it is said once more.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Worker } from '../datastore.ts';
import type { Host } from '../host/host.ts';
import {
  type ConnectionStatus,
  encodeConnectionStatus,
  encodeLastWill,
  type StringMap,
} from '../messages.ts';

/** What is known of the host; its values are read again when it says that they changed. */
export interface KnownHost extends Pick<Host, 'facts' | 'tags' | 'onChange'> {
  /** Said in each status when it is set. */
  readonly client?: { readonly name: string; readonly version: string };
}

/** Remembers over restarts when something was said last. */
export interface StatusTimes {
  /** Milliseconds since the epoch; 0 when nothing is known. */
  readonly last: number;
  keep(sent: number): void;
}

export interface ConnectionStatusDeps {
  readonly host: KnownHost;
  readonly workers: () => readonly Worker[];
  readonly say: (payload: Uint8Array) => Promise<void>;
  /** Not set: time goes on from this process alone. */
  readonly statusTimes?: StatusTimes | undefined;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds in which changes are gathered. */
const gather = 20;
/** Milliseconds until a status that could not be said is tried again. */
const again = 1_000;
/** Milliseconds after connecting when a late will has certainly been published. */
const lateWill = 15_000;

export class ConnectionStatusPublisher {
  readonly #deps: ConnectionStatusDeps;
  #online = false;
  /** What was said last on this connection, without its envelope. */
  #said = '';
  /** Stands for the status on its way; a new connection starts without one. */
  #saying: object | undefined;
  #gathering: Timer | undefined;
  #lateWill: Timer | undefined;
  #lastSent: number;

  constructor(deps: ConnectionStatusDeps) {
    this.#deps = deps;
    this.#lastSent = deps.statusTimes?.last ?? 0;
  }

  onUp({ afterLoss }: { readonly afterLoss: boolean }): void {
    this.#online = true;
    this.#said = '';
    this.#saying = undefined;
    this.#publish();
    if (!afterLoss) return;
    this.#lateWill = this.#deps.clock.after(lateWill, () => {
      this.#said = '';
      this.#publish();
    });
  }

  /** Nothing more is said on this connection but, perhaps, offline. */
  onDown(): void {
    this.#online = false;
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#lateWill?.cancel();
  }

  /** Handlers, features, facts or tags may have changed. */
  changed(): void {
    this.#publishAfter(gather);
  }

  #publishAfter(delay: number): void {
    if (!this.#online || this.#gathering) return;
    this.#gathering = this.#deps.clock.after(delay, () => {
      this.#gathering = undefined;
      this.#publish();
    });
  }

  /** Says offline, for a connection that is about to be ended on purpose. */
  offline(): Promise<void> {
    this.onDown();
    return this.#deps.say(this.#encode({ ...this.#status(), dispatchers: {}, state: 'offline' }));
  }

  /** What the broker says when this host vanishes. */
  will(): Uint8Array {
    return encodeLastWill(this.#envelope());
  }

  #publish(): void {
    if (!this.#online || this.#saying) return;
    const status = this.#status();
    const text = JSON.stringify(status);
    if (text === this.#said) return;
    this.#said = text;
    const saying = {};
    this.#saying = saying;
    const { say, log } = this.#deps;
    say(this.#encode(status)).then(
      () => {
        if (this.#saying !== saying) return;
        this.#saying = undefined;
        // It may have changed on the way.
        this.#publish();
      },
      (error: unknown) => {
        log.debug({ error: reasonOf(error) }, 'the connection status was not published');
        if (this.#saying !== saying) return;
        this.#saying = undefined;
        this.#said = '';
        // There was no place for it, or the connection is gone and it is said on the next.
        this.#publishAfter(again);
      },
    );
  }

  #status(): ConnectionStatus {
    const { host, workers } = this.#deps;
    const dispatchers: Record<string, StringMap> = Object.create(null);
    for (const { handler, features } of [...workers()].sort(byHandler)) dispatchers[handler] = features;
    return { facts: host.facts(), dispatchers, state: 'online', tags: host.tags(), client: host.client };
  }

  #encode(status: ConnectionStatus): Uint8Array {
    return encodeConnectionStatus(this.#envelope(), status);
  }

  /** Servers ignore a status older than the last one they stored, so time never goes back here, nor over a restart. */
  #envelope(): { readonly messageId: string; readonly sent: number } {
    const { clock, newId, statusTimes } = this.#deps;
    this.#lastSent = Math.max(clock.now(), this.#lastSent + 1);
    statusTimes?.keep(this.#lastSent);
    return { messageId: newId(), sent: this.#lastSent };
  }
}

function byHandler(a: Worker, b: Worker): number {
  return a.handler < b.handler ? -1 : 1;
}
