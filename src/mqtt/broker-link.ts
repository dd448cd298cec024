/**
 * Keeps the connection to a broker while it is wanted.
 *
 * Owns the loop around a connector: connect, last, wait, again. It never gives up and never ends the process.
 *
 *   away -> connecting -> connected -> waiting -> connecting ...
 *   any -> leaving -> away
 */
import { Backoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { codeOf, YggError } from '../base/errors.ts';
import type { Connected, Connector, Incoming, OutTopic, Receiver } from './connector.ts';

type Link =
  /** No connection is wanted. */
  | { readonly kind: 'away' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly broker: string; readonly resumed: boolean }
  /** The last attempt failed, or the connection was lost; the next attempt comes at `until`. */
  | { readonly kind: 'waiting'; readonly until: number; readonly reason: string }
  | { readonly kind: 'leaving' };

/** `since`: since when there is this connection, or none; milliseconds since the epoch. */
export type LinkState = Link & { readonly since: number };

export interface LinkUp extends Connected {
  /** The connection before this one was lost, or the process before this one ended without a goodbye. */
  readonly afterLoss: boolean;
}

export interface LinkDown {
  /** This side ended it. */
  readonly asked: boolean;
  readonly reason: Error;
}

export interface LinkFailure {
  readonly error: unknown;
  /** Milliseconds until the next attempt. */
  readonly wait: number;
  /** Failures in a row. */
  readonly attempts: number;
}

export interface LinkEvents {
  onMessage(message: Incoming): void;
  onUp(up: LinkUp): void;
  onDown(down: LinkDown): void;
  /** A message was taken to which nobody has subscribed. */
  onUnheard(): void;
  /** An attempt failed. */
  onFailure(failure: LinkFailure): void;
}

export interface BrokerLinkDeps {
  readonly connector: Connector;
  readonly events: LinkEvents;
  /** What the broker says for this host if it vanishes; made anew for each connection. */
  readonly will: () => Uint8Array;
  readonly clock: Clock;
  readonly random: () => number;
  /** Milliseconds of the shortest and the longest wait; may change. */
  readonly floor: number;
  readonly cap: number;
  /** How the process before this one left: without a goodbye. */
  readonly lostBefore: boolean;
}

/** Milliseconds of connection after which the next loss is a first one again. */
const stableAfter = 30_000;
/** Shortest wait after a refusal: it will hardly be taken back within a second. */
const refusedFloor = 10_000;

export class BrokerLink {
  readonly #deps: BrokerLinkDeps;
  readonly #backoff: Backoff;
  #state: Link = { kind: 'away' };
  #since: number;
  #loop: { readonly cut: AbortController; readonly over: Promise<void> } | undefined;
  /** The connection, or the attempt at one, is ended only to begin anew at once. */
  #renewing = false;
  /** Set if and only if it waits: ends the wait. */
  #wake: (() => void) | undefined;
  #lost: boolean;

  constructor(deps: BrokerLinkDeps) {
    const { lostBefore } = deps;
    this.#deps = deps;
    this.#since = deps.clock.now();
    this.#backoff = new Backoff(deps);
    this.#lost = lostBefore;
  }

  get state(): LinkState {
    return { ...this.#state, since: this.#since };
  }

  /** Wants a connection; does nothing when one is wanted already. */
  join(): void {
    if (this.#loop) return;
    this.#renewing = false;
    const cut = new AbortController();
    this.#loop = { cut, over: this.#run(cut.signal) };
  }

  /** Says DISCONNECT and stays away until `join`. */
  async leave(): Promise<void> {
    const loop = this.#loop;
    if (!loop) return;
    this.#state = { kind: 'leaving' };
    loop.cut.abort(new YggError('YGG_CLOSED', 'The broker is not wanted any more.'));
    await this.#deps.connector.close();
    await loop.over;
    if (this.#loop !== loop) return;
    this.#loop = undefined;
    this.#state = { kind: 'away' };
  }

  /**
   * Says DISCONNECT and connects again at once: the broker sends again what was left to it, and is shown what holds by
   * now. An attempt under way is followed by another.
   */
  async renew(): Promise<void> {
    this.wake();
    const { kind } = this.#state;
    if (kind === 'connected' || kind === 'connecting') this.#renewing = true;
    if (kind === 'connected') await this.#deps.connector.close();
  }

  /** Makes the next attempt now instead of at the end of a wait. */
  wake(): void {
    this.#wake?.();
  }

  publish(topic: OutTopic, payload: Uint8Array): Promise<void> {
    return this.#deps.connector.publish(topic, payload);
  }

  async #run(cut: AbortSignal): Promise<void> {
    const { clock, events } = this.#deps;
    while (!cut.aborted) {
      this.#state = { kind: 'connecting' };
      const { failure, reason } = await this.#once(cut);
      if (cut.aborted) return;
      if (this.#renewing) {
        this.#renewing = false;
        continue;
      }
      const wait = this.#nextWait(failure);
      this.#state = { kind: 'waiting', until: clock.now() + wait, reason };
      if (failure) events.onFailure({ error: failure.error, wait, attempts: this.#backoff.failures });
      await this.#pause(wait, cut);
    }
  }

  async #pause(wait: number, cut: AbortSignal): Promise<void> {
    const end = new AbortController();
    const wake = (): void => end.abort();
    cut.addEventListener('abort', wake, { once: true });
    this.#wake = wake;
    await pause(wait, { abort: end.signal, clock: this.#deps.clock });
    this.#wake = undefined;
    cut.removeEventListener('abort', wake);
  }

  /** One connection from its beginning to its end, or the attempt at one. */
  async #once(cut: AbortSignal): Promise<{ failure?: { error: unknown }; reason: string }> {
    const { connector, events, will, clock } = this.#deps;
    let closed: (reason: Error) => void = () => {};
    const end = new Promise<Error>((resolve) => {
      closed = resolve;
    });
    const receiver: Receiver = {
      onMessage: (message) => events.onMessage(message),
      onClose: (reason) => closed(reason),
      onUnheard: () => events.onUnheard(),
    };
    let connected: Connected;
    try {
      connected = await connector.connect(receiver, { will: will(), abort: cut });
    } catch (error) {
      return { failure: { error }, reason: error instanceof Error ? error.message : String(error) };
    }
    if (this.#renewing && !cut.aborted) {
      await connector.close();
      return { reason: 'It is made anew.' };
    }
    const begun = clock.monotonic();
    const { broker, sessionPresent } = connected;
    this.#state = { kind: 'connected', broker, resumed: sessionPresent };
    this.#since = clock.now();
    const afterLoss = this.#lost;
    this.#lost = false;
    events.onUp({ ...connected, afterLoss });
    const reason = await end;
    this.#since = clock.now();
    if (clock.monotonic() - begun >= stableAfter) this.#backoff.reset();
    const asked = cut.aborted || this.#renewing;
    this.#lost = !asked;
    events.onDown({ asked, reason });
    return { reason: reason.message };
  }

  #nextWait(failure: { readonly error: unknown } | undefined): number {
    const wait = this.#backoff.next();
    const refused = codeOf(failure?.error) === 'YGG_BROKER_REFUSED';
    return refused ? Math.max(wait, Math.min(refusedFloor, this.#deps.cap)) : wait;
  }
}
