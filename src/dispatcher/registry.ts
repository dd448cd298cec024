/**
 * Who is the worker of which directive.
 *
 * Owns the live workers and their documents in the datastore; answers Register. Signals out: worker-register,
 * worker-unregister. Never touches a message; `onJoin` and `onLeave` say where messages may go.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { codeOf, reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { defaultWorkerConfig } from '../config/worker-config.ts';
import type { Counters } from '../counters.ts';
import type { Datastore, Worker } from '../datastore.ts';
import type { Redelivery } from '../journal/journal.ts';
import type { Protocol, RegistrationRequest } from '../rpc/protocol.ts';
import type { Signals } from '../signals.ts';
import type { Caller } from './caller.ts';
import type { Holders } from './holders.ts';
import { LiveWorker } from './live-worker.ts';
import { checkMayRegister, taken } from './rules.ts';
import { UnaryLink } from './unary-link.ts';
import type { WorkerLink } from './worker-link.ts';

export interface RegistryDeps {
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
  readonly holders: Holders;
  readonly protocol: Protocol;
  /** Slots of a worker whose configuration names none. */
  readonly window: number;
  /** A worker may be given messages. */
  readonly onJoin: (worker: LiveWorker) => void;
  /** The channel to a worker came up. */
  readonly onReady: (worker: LiveWorker) => void;
  /** A worker may not be given messages any longer; `ended`: its process is gone, and nobody else will say so. */
  readonly onLeave: (worker: LiveWorker, ended: boolean) => void;
}

/** What an attached process says of one handler. */
export interface Offer extends RegistrationRequest {
  /** Not set: as the configuration says. */
  readonly redelivery: Redelivery | undefined;
  readonly concurrency: number | undefined;
  readonly accepts: boolean;
}

/** Milliseconds the holder of a handler has to show that it lives when another one asks for it. */
const probe = 200;
/** Milliseconds a registered worker may be unreachable before it is said. */
const patience = 60_000;
export class Registry {
  readonly #deps: RegistryDeps;
  readonly #live = new Map<string, LiveWorker>();

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
  }

  get(handler: string): LiveWorker | undefined {
    return this.#live.get(handler);
  }

  all(): Iterable<LiveWorker> {
    return this.#live.values();
  }

  /**
   * Makes the caller the worker of a directive; resolves to the path where it is to listen.
   *
   * @throws YggError `YGG_HANDLER_INVALID`, `YGG_HANDLER_TAKEN`, `YGG_MESSAGE_TOO_LARGE`, `YGG_CLOSED`
   */
  async register(caller: Caller, request: RegistrationRequest): Promise<string> {
    const holder = await this.#claim(caller, request, (worker) => {
      return isSame(worker, caller, request) && worker.link instanceof UnaryLink;
    });
    if (holder?.link instanceof UnaryLink) return this.#renew(holder, holder.link, request);
    return this.#join(caller, request);
  }

  /**
   * Makes an attached process the worker of a directive, over its one link. `onEnter` is called when it was not before,
   * and before anybody hears of it.
   *
   * @throws YggError as {@link register}
   */
  async attach(
    caller: Caller,
    offer: Offer,
    link: WorkerLink,
    onEnter: (worker: LiveWorker) => void,
  ): Promise<LiveWorker> {
    const holder = await this.#claim(caller, offer, (worker) => worker.link === link);
    const facts = this.#facts(caller, offer);
    if (holder) {
      const { registeredAt } = holder.facts;
      if (!isDeepStrictEqual({ ...facts, registeredAt }, holder.facts)) this.#restate(holder, facts);
      return holder;
    }
    const worker = new LiveWorker({ facts, caller, link, now: this.#deps.clock.monotonic() });
    worker.accepts = offer.accepts;
    this.#enter(worker, onEnter);
    return worker;
  }

  /** Frees the handler for the caller; resolves to the worker that has it already when that `isItself`. */
  async #claim(
    caller: Caller,
    request: RegistrationRequest,
    isItself: (worker: LiveWorker) => boolean,
  ): Promise<LiveWorker | undefined> {
    try {
      return await this.#free(caller, request, isItself);
    } catch (error) {
      const { counters, log } = this.#deps;
      counters.count('registrations_refused');
      const reason = { code: codeOf(error), error: reasonOf(error) };
      log.warn({ handler: request.handler, worker: caller.title, ...reason }, 'registration refused');
      throw error;
    }
  }

  async #free(
    caller: Caller,
    request: RegistrationRequest,
    isItself: (worker: LiveWorker) => boolean,
  ): Promise<LiveWorker | undefined> {
    const { handler } = request;
    const { holders, datastore } = this.#deps;
    const isHeld = (name: string): boolean => this.#live.has(name);
    checkMayRegister({ processes: datastore.processes, holders, isHeld }, caller, request);
    for (let holder = this.#live.get(handler); holder; holder = this.#live.get(handler)) {
      if (isItself(holder)) return holder;
      // A newer incarnation of the same file: the old one has ended, or is about to.
      const replaces = !caller.shared && holder.caller !== caller && holder.caller.file === caller.file;
      if (!replaces && (await this.#lives(holder))) throw taken(holder.caller.title);
      const why = replaces ? 'replaced by its next incarnation' : 'it does not answer';
      this.leave(holder, why, holder.caller.shared || holder.caller === caller);
    }
    if (caller.ended) throw new YggError('YGG_CLOSED', `${caller.title} has ended.`);
    return undefined;
  }

  /**
   * The worker is gone, or as good as. What it has in hand is decided on by `onLeave` when it `ended`, else by the
   * caller of this.
   */
  leave(worker: LiveWorker, why: string, ended: boolean): void {
    if (!worker.live) return;
    const { datastore, log, onLeave } = this.#deps;
    const { handler } = worker;
    worker.live = false;
    this.#live.delete(handler);
    datastore.workers.remove(handler);
    this.#tell('worker-unregister', worker);
    log.info(
      { handler, pid: worker.facts.pid, worker: worker.caller.title, reason: why },
      'worker unregistered',
    );
    onLeave(worker, ended);
  }

  #join(caller: Caller, request: RegistrationRequest): string {
    const { protocol, clock } = this.#deps;
    const { place } = caller;
    const path = place.newPath();
    const onChange = (ready: boolean): void => this.reaches(worker, ready);
    const link = new UnaryLink({ socket: place.reach(path), protocol, clock, onChange });
    const facts = this.#facts(caller, request);
    const worker: LiveWorker = new LiveWorker({ facts, caller, link, now: clock.monotonic() });
    this.#enter(worker);
    return path;
  }

  #enter(worker: LiveWorker, onEnter?: (worker: LiveWorker) => void): void {
    const { datastore, counters, log, holders } = this.#deps;
    const { caller, facts } = worker;
    datastore.workers.add({ ...facts });
    this.#live.set(facts.handler, worker);
    caller.workers.set(facts.handler, worker);
    if (!caller.shared) holders.set(facts.handler, caller.file);
    counters.count('registrations');
    log.info({ handler: facts.handler, pid: facts.pid, worker: caller.title }, 'worker registered');
    onEnter?.(worker);
    this.#deps.onJoin(worker);
    this.#tell('worker-register', worker);
  }

  /** The same worker once more. What it has in hand stays, its facts may have changed, and it gets another address. */
  #renew(worker: LiveWorker, link: UnaryLink, request: RegistrationRequest): string {
    const { place } = worker.caller;
    const path = place.newPath();
    link.renew(place.reach(path));
    this.#restate(worker, this.#facts(worker.caller, request));
    return path;
  }

  #restate(worker: LiveWorker, facts: Worker): void {
    const { datastore, counters, log } = this.#deps;
    worker.facts = facts;
    datastore.workers.remove(worker.handler);
    datastore.workers.add({ ...facts });
    counters.count('registrations');
    log.info({ handler: worker.handler, pid: facts.pid }, 'worker registered again');
    this.#tell('worker-register', worker);
  }

  /** A worker can be reached, or cannot any longer. */
  reaches(worker: LiveWorker, ready: boolean): void {
    worker.downSince = ready ? undefined : this.#deps.clock.monotonic();
    worker.complained = false;
    if (ready && worker.live) this.#deps.onReady(worker);
  }

  #facts(caller: Caller, request: RegistrationRequest & Partial<Offer>): Worker {
    const process = caller.shared ? undefined : this.#deps.datastore.processes.get(caller.file);
    const config = process?.config ?? defaultWorkerConfig;
    return {
      handler: request.handler,
      // A wrapper's child tells its own pid; the one that was started is the one that is watched.
      pid: process && process.pid > 0 ? process.pid : request.pid,
      file: caller.file,
      features: request.features,
      detached: request.detachedContent,
      redelivery: config.redelivery ?? request.redelivery ?? 'until-accepted',
      slots: config.concurrency ?? request.concurrency ?? this.#deps.window,
      timeout: config.timeout,
      registeredAt: this.#deps.clock.now(),
    };
  }

  #lives({ link, caller, facts }: LiveWorker): Promise<boolean> {
    return link.lives(probe, caller.ended ? 0 : facts.pid);
  }

  #tell(signal: 'worker-register' | 'worker-unregister', { facts }: LiveWorker): void {
    const { handler, pid, features, file } = facts;
    void this.#deps.signals.emit(signal, { handler, pid, features, file });
  }

  /** Says, once, who has registered and does not listen; its messages wait, for it may only ever want to speak. */
  complain(): void {
    const now = this.#deps.clock.monotonic();
    for (const worker of this.#live.values()) {
      const { downSince, complained, handler, caller } = worker;
      if (complained || downSince === undefined || now - downSince < patience) continue;
      worker.complained = true;
      const sentence = 'registered and not listening at its address for a minute; its messages wait';
      this.#deps.log.warn({ handler, worker: caller.title }, sentence);
    }
  }

  /** Forgets a worker that left, once everything it had in hand was decided on. */
  close(worker: LiveWorker): void {
    worker.closed = true;
    worker.link.close();
  }
}

/** Whether it is the same process that asks once more. */
function isSame(worker: LiveWorker, caller: Caller, { pid }: RegistrationRequest): boolean {
  return worker.caller === caller && (!caller.shared || worker.facts.pid === pid);
}
