/**
 * The MessageRouter: between the broker and everything else in this daemon.
 *
 * In: takes messages from the broker into the inbox (`intake.ts`), admits them into the working set (`admission.ts`,
 * `grace.ts`), carries out commands (`commands.ts`, `cancels.ts`). Out: publishes responses and failure reports
 * (`publishing.ts`) and who this host is (`connection-status.ts`). Comes and goes (`presence.ts`).
 * Signals in: `message-settle`, `data-consume`, `inbox-add`, `worker-register`, `worker-unregister`. Out: `data-recv`,
 * `message-cancel`, `message-send`, `client-connect`, `client-disconnect`, `topic-subscribe`. Never calls a worker and
 * never fetches anything; nothing that the broker waits for waits for a signal.
 */
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal, ResponseRow } from '../journal/journal.ts';
import type { DrainStage, Part } from '../lifecycle.ts';
import { encodeEvent } from '../messages.ts';
import { BrokerLink, type LinkDown, type LinkState, type LinkUp } from '../mqtt/broker-link.ts';
import type { Connector } from '../mqtt/connector.ts';
import type { Signals } from '../signals.ts';
import { Admission } from './admission.ts';
import { Cancels } from './cancels.ts';
import { Commands } from './commands.ts';
import { ConnectionStatusPublisher, type KnownHost, type StatusTimes } from './connection-status.ts';
import { EarlyCommands } from './early-commands.ts';
import { Grace } from './grace.ts';
import { Intake } from './intake.ts';
import { LeftBehind } from './left-behind.ts';
import { LinkAnnouncer } from './link-announcer.ts';
import { Presence } from './presence.ts';
import { Publishing } from './publishing.ts';
import { completeOptions, type MessageRouterOptions } from './router-options.ts';

export interface MessageRouterDeps {
  readonly signals: Signals;
  readonly datastore: Pick<Datastore, 'workers' | 'messages'>;
  readonly journal: Pick<
    Journal,
    'inbox' | 'outbox' | 'done' | 'trouble' | 'cleanStart' | 'flush' | 'onReport'
  >;
  readonly connector: Connector;
  readonly host: KnownHost;
  /** Keeps the times of connection statuses from going back over a restart. */
  readonly statusTimes?: StatusTimes;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
  /** A new UUID. */
  readonly newId: () => string;
  readonly log: Logger;
  readonly options?: Partial<MessageRouterOptions>;
}

export interface MessageRouter extends Part {
  /** Connects now, as SIGHUP asks for: after the command `disconnect`, or instead of waiting any longer. */
  resume(): void;
  /** The options have changed: what waits for a worker is looked at again. */
  reconsider(): void;
  /** Makes the connection anew, for new certificates or options; one that is not wanted is not made. */
  renew(): Promise<void>;
  readonly link: LinkState;
}

/** Milliseconds of the goodbye in which the outbox may empty. */
const emptyDeadline = 1_500;

export function createMessageRouter(deps: MessageRouterDeps): MessageRouter {
  return new Router(deps);
}

class Router implements MessageRouter {
  readonly name = 'message-router';
  readonly #deps: MessageRouterDeps;
  readonly #link: BrokerLink;
  readonly #intake: Intake;
  readonly #admission: Admission;
  readonly #grace: Grace;
  readonly #commands: Commands;
  readonly #publishing: Publishing;
  readonly #status: ConnectionStatusPublisher;
  readonly #presence: Presence;
  readonly #leftBehind: LeftBehind;
  readonly #announcer: LinkAnnouncer;
  readonly #early: EarlyCommands;
  /** Ends what it listens to beside signals. */
  #deafen: Array<() => void> = [];

  constructor(deps: MessageRouterDeps) {
    const { signals, datastore, journal, host, newId, clock } = deps;
    const options = completeOptions(deps.options);
    this.#deps = deps;
    this.#announcer = new LinkAnnouncer(deps);
    this.#link = new BrokerLink({
      ...deps,
      events: {
        onMessage: (message) => this.#intake.take(message),
        onUp: (up) => this.#onUp(up),
        onDown: (down) => this.#onDown(down),
        onUnheard: () => deps.counters.count('publishes_unheard'),
        onFailure: (failure) => {
          this.#announcer.onFailure(failure);
          this.#early.release();
        },
      },
      will: () => this.#status.will(),
      get floor() {
        return options.reconnectFloor;
      },
      get cap() {
        return options.reconnectCap;
      },
      lostBefore: !journal.cleanStart,
    });
    this.#publishing = new Publishing({
      ...deps,
      outbox: journal.outbox,
      publish: (topic, payload) => this.#link.publish(topic, payload),
      onSent: (row) => this.#onSent(row),
    });
    this.#status = new ConnectionStatusPublisher({
      ...deps,
      host,
      workers: () => datastore.workers.all(),
      say: (payload) => this.#publishing.say(payload),
    });
    this.#presence = new Presence({
      ...deps,
      link: this.#link,
      publishing: this.#publishing,
      status: this.#status,
    });
    this.#leftBehind = new LeftBehind({ ...deps, renew: () => void this.#presence.renew() });
    this.#grace = new Grace({
      ...deps,
      inbox: journal.inbox,
      workers: datastore.workers,
      get grace() {
        return options.workerGrace;
      },
    });
    this.#admission = new Admission({
      ...deps,
      inbox: journal.inbox,
      window: options.window,
      onAdmitted: (sequence, directive, cancel) => {
        void signals.emit('data-recv', { sequence, directive, cancel });
      },
      onOrphaned: (directive) => this.#grace.watch(directive),
      onRoom: (directive) => this.#intake.onRoom(directive),
    });
    const cancels = new Cancels({
      ...deps,
      inbox: journal.inbox,
      messages: datastore.messages,
      onWorking: (directive, messageId) => void signals.emit('message-cancel', { directive, messageId }),
      onDropped: (sequence, directive) => this.#admission.drop(sequence, directive),
    });
    this.#early = new EarlyCommands(() => this.#link.state.kind === 'connecting');
    this.#commands = new Commands({
      ...deps,
      done: journal.done,
      connection: () => this.#connection(),
      whenUp: (act) => this.#early.whenUp(act),
      actions: {
        pong: (responseTo) =>
          this.#say('pong', encodeEvent({ messageId: newId(), responseTo, sent: clock.now() }, 'pong')),
        disconnect: () => void this.#presence.leave(options.disconnectHold),
        reconnect: (delay) => void this.#presence.leave(delay),
        cancel: (directive, messageId) => cancels.cancel(directive, messageId),
      },
    });
    this.#intake = new Intake({
      ...deps,
      receive: (request) => this.#admission.receive(request),
      outlook: (directive, size) => this.#admission.outlook(directive, size),
      hasRoomForSeveral: (directive) => this.#admission.hasRoomForSeveral(directive),
      settled: (directive) => this.#admission.settled(directive),
      onCommand: (message) => this.#commands.take(message),
      onLeft: () => this.#leftBehind.add(),
      isCancelled: (directive, messageId) => cancels.cameBefore(directive, messageId),
    });
  }

  get link(): LinkState {
    return this.#link.state;
  }

  init(): void {
    const { signals, journal, host } = this.#deps;
    signals.on('message-settle', this.name, ({ sequence, directive, outcome }) =>
      this.#admission.settle(sequence, directive, outcome),
    );
    signals.on('data-consume', this.name, ({ sequence }) => this.#publishing.consume(sequence));
    signals.on('inbox-add', this.name, ({ directive }) => this.#admission.onAdded(directive));
    signals.on('worker-register', this.name, ({ handler }) => {
      this.#grace.onRegister(handler);
      this.#admission.onRegister(handler);
      this.#status.changed();
    });
    signals.on('worker-unregister', this.name, ({ handler }) => {
      this.#admission.onUnregister(handler);
      this.#grace.onUnregister(handler);
      this.#status.changed();
    });
    this.#deafen = [
      host.onChange(() => this.#status.changed()),
      journal.onReport(() => this.#publishing.lookForReports()),
    ];
    for (const directive of journal.inbox.directives()) this.#grace.watch(directive);
  }

  run(): void {
    this.#presence.resume();
  }

  async drain(stage: DrainStage, abort: AbortSignal): Promise<void> {
    if (stage === 'quiet') {
      this.#intake.close();
      this.#admission.close();
      this.#grace.close();
    } else if (stage === 'goodbye') {
      const { clock } = this.#deps;
      await Promise.race([this.#emptied(), pause(emptyDeadline, { abort, clock })]);
      await this.#presence.end();
    }
  }

  async stop(): Promise<void> {
    this.#intake.close();
    this.#admission.close();
    this.#grace.close();
    for (const stop of this.#deafen.splice(0)) stop();
    await this.#presence.end();
  }

  resume(): void {
    this.#presence.resume();
    this.#link.wake();
  }

  reconsider(): void {
    this.#grace.reconsider();
  }

  renew(): Promise<void> {
    return this.#presence.renew();
  }

  /** The outbox, with the reports of what has just died. */
  async #emptied(): Promise<void> {
    await this.#deps.journal.flush();
    await this.#publishing.idle();
  }

  #onUp(up: LinkUp): void {
    this.#publishing.onUp(up);
    this.#status.onUp(up);
    this.#announcer.onUp(up);
    this.#early.release();
  }

  #onDown(down: LinkDown): void {
    this.#status.onDown();
    this.#publishing.onDown();
    this.#leftBehind.onDown();
    this.#announcer.onDown(down);
  }

  #onSent({ sequence, messageId, kind }: ResponseRow): void {
    if (kind === 'response') this.#deps.signals.nudge('message-send', { sequence, messageId });
  }

  #say(what: string, payload: Uint8Array): void {
    this.#publishing
      .say(payload)
      .catch((error: unknown) =>
        this.#deps.log.warn({ error: reasonOf(error) }, `the ${what} was not published`),
      );
  }

  /** Before the connection is reported, messages of a resumed session may come already. */
  #connection(): { readonly since: number; readonly resumed: boolean } {
    const { state } = this.#link;
    return state.kind === 'connected' ? state : { since: this.#deps.clock.now(), resumed: true };
  }
}
