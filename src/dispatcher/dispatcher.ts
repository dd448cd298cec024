/**
 * Hands messages to workers and takes their responses.
 *
 * Owns the dispatcher sockets, the registry of workers and one lane per directive. Signals in: data-process,
 * message-cancel, data-deliver, client-connect, client-disconnect, process-prepare, process-die. Signals out:
 * dispatcher-listen, socket-listen, worker-register, worker-unregister, data-dispatch, message-progress,
 * data-return, message-settle.
 * Never fetches or posts content, never publishes, never starts or stops a process.
 */
import path from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal } from '../journal/journal.ts';
import type { DrainStage, Part } from '../lifecycle.ts';
import { type BrokerEvent, loadProtocol, type WorkerSettings } from '../rpc/protocol.ts';
import type { SignalMap, Signals } from '../signals.ts';
import { Attachments } from './attachments.ts';
import { Callers } from './callers.ts';
import { ForeignWatch } from './foreign-watch.ts';
import { Holders } from './holders.ts';
import { Lane } from './lane.ts';
import { settleLeftovers } from './leftovers.ts';
import type { LiveWorker } from './live-worker.ts';
import { MemoryRoom } from './memory-room.ts';
import { Registry } from './registry.ts';
import { Retirement } from './retirement.ts';
import { Returns } from './returns.ts';
import { Settler } from './settler.ts';
import { clearPlaces } from './socket-place.ts';

export interface DispatcherDeps {
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly journal: Journal;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
  /** A directory that only we can enter; sockets are made in it. */
  readonly runtimeDirectory: string;
  /** Where each user that workers run as gets a directory for their sockets. */
  readonly userSocketsDirectory: string;
  /** The socket for workers that somebody else starts; not set: `dispatcher.sock` in the runtime directory. */
  readonly sharedSocket?: string | undefined;
  /** Where the last holder of each handler is remembered; not set: for this run only. */
  readonly holdersFile?: string | undefined;
  /** Slots per directive of workers whose configuration names no concurrency. */
  readonly window: number;
  /** Bytes of the largest content of a response. */
  readonly responseLimit: number;
  /** Where workers find their configuration. */
  readonly configDirectory: string;
  /** What GetConfig tells, but for the socket. */
  readonly settings: Omit<WorkerSettings, 'socketAddr'>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Milliseconds. */
const sweepInterval = 250;
const watchInterval = 1_000;
/** How long what is in hand is waited for at a stop. */
const finishPatience = 5_000;

export function createDispatcher(deps: DispatcherDeps): Part {
  return new Dispatcher(deps);
}

class Dispatcher implements Part {
  readonly name = 'dispatcher';
  readonly #deps: DispatcherDeps;
  readonly #sharedSocket: string;
  readonly #settler: Settler;
  readonly #registry: Registry;
  readonly #returns: Returns;
  readonly #watch: ForeignWatch;
  readonly #lanes = new Map<string, Lane>();
  readonly #callers: Callers;
  readonly #attachments: Attachments;
  readonly #retirement: Retirement;
  readonly #timers: Timer[] = [];
  #quiet = false;

  constructor(deps: DispatcherDeps) {
    const protocol = loadProtocol();
    this.#deps = deps;
    this.#sharedSocket = deps.sharedSocket ?? path.join(deps.runtimeDirectory, 'dispatcher.sock');
    this.#settler = new Settler(deps);
    this.#registry = new Registry({
      ...deps,
      get window() {
        return deps.window;
      },
      protocol,
      holders: new Holders({ file: deps.holdersFile, log: deps.log }),
      onJoin: (worker) => this.#onJoin(worker),
      onReady: (worker) => this.#lane(worker.handler).pump(),
      onLeave: (worker, ended) => this.#onLeave(worker, ended),
    });
    this.#returns = new Returns({
      ...deps,
      settler: this.#settler,
      workerOf: (directive) => this.#registry.get(directive),
      onFinish: (directive) => this.#lane(directive).pump(),
    });
    this.#callers = new Callers({
      ...deps,
      protocol,
      register: (caller, request) => this.#registry.register(caller, request),
      send: (caller, data, answer) => this.#returns.send(caller, data, answer),
      attach: (caller, stream) => this.#attachments.accept(caller, stream),
    });
    this.#attachments = new Attachments({
      ...deps,
      settler: this.#settler,
      returns: this.#returns,
      registry: this.#registry,
      laneOf: (directive) => this.#lane(directive),
      memory: new MemoryRoom(2 * deps.responseLimit),
      terms: {
        clientId: deps.settings.clientId,
        configDirectory: deps.configDirectory,
        maxContentSize: deps.responseLimit,
      },
      onGone: (worker) => this.#retirement.retire(worker, true),
    });
    this.#watch = new ForeignWatch({
      now: () => deps.clock.monotonic(),
      onEnd: (worker) => this.#onForeignEnd(worker),
    });
    this.#retirement = new Retirement({
      ...{ log: deps.log, registry: this.#registry, watch: this.#watch },
      laneOf: (directive) => this.#lane(directive),
    });
    this.#listenToSignals();
  }

  async init(abort: AbortSignal): Promise<void> {
    clearPlaces(this.#deps);
    await settleLeftovers(this.#deps, abort);
    await this.#callers.openShared(this.#sharedSocket);
    const { clock } = this.#deps;
    this.#timers.push(
      clock.every(sweepInterval, () => this.#sweep()),
      clock.every(watchInterval, () => this.#watch.look()),
    );
  }

  run(): void {
    void this.#deps.signals.emit('dispatcher-listen', { path: this.#sharedSocket });
  }

  async drain(stage: DrainStage, abort: AbortSignal): Promise<void> {
    if (stage === 'quiet') {
      this.#quiet = true;
      for (const lane of this.#lanes.values()) lane.quiet();
      this.#attachments.drain('the daemon stops', finishPatience);
    }
    const busy = {
      quiet: () => false,
      finish: () => this.#inHand() > 0,
      // What workers say last is taken before the broker is left.
      workers: () => this.#callers.anyRegistered || this.#retirement.size > 0,
      goodbye: () => false,
    }[stage];
    while (busy() && !abort.aborted) await pause(10, { abort });
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#returns.close();
    await this.#attachments.close('the daemon stops');
    await this.#retirement.over();
    for (const worker of [...this.#registry.all()]) this.#registry.close(worker);
    this.#callers.close();
    // Committed as offered when it arrived, and never handed over: no worker knows of it.
    for (const { sequence, state } of this.#deps.datastore.messages.all()) {
      if (state === 'offered' && !this.#isInHand(sequence)) this.#deps.journal.inbox.back(sequence);
    }
  }

  #listenToSignals(): void {
    const { signals, datastore } = this.#deps;
    signals.on('data-process', this.name, ({ sequence, directive }) => {
      const doc = datastore.messages.get(sequence);
      if (doc) this.#lane(directive).take(doc);
    });
    signals.on('message-cancel', this.name, (cancel) => this.#onCancel(cancel));
    signals.on('data-deliver', this.name, (result) => this.#returns.deliver(result));
    signals.on('client-connect', this.name, ({ restored }) => {
      if (restored) this.#tellWorkers('connection-restored');
    });
    signals.on('client-disconnect', this.name, ({ asked }) =>
      this.#tellWorkers(asked ? 'received-disconnect' : 'unexpected-disconnect'),
    );
    signals.on('process-prepare', this.name, (request) => this.#prepare(request));
    signals.on('process-die', this.name, ({ file, asked }) => {
      const caller = this.#callers.end(file);
      // Not waited for: another worker's end must not stand in line behind this one's last words.
      if (caller) this.#retirement.retireCaller(caller, asked);
    });
  }

  /** Answers with a socket of its own for the next incarnation of a worker file. */
  async #prepare({ file, account }: SignalMap['process-prepare']): Promise<void> {
    const { signals, log } = this.#deps;
    try {
      void signals.emit('socket-listen', { file, path: await this.#callers.prepare(file, account) });
    } catch (error) {
      log.error({ worker: file, error: reasonOf(error) }, 'no socket for a worker');
      void signals.emit('socket-listen', { file, error: reasonOf(error) });
    }
  }

  #onJoin(worker: LiveWorker): void {
    if (worker.caller.shared) this.#watch.add(worker);
    this.#lane(worker.handler).attach(worker);
  }

  #onLeave(worker: LiveWorker, ended: boolean): void {
    this.#lane(worker.handler).detach();
    // The end of a spawned worker is told by process-die, and what it has in hand is settled there.
    if (ended) this.#retirement.retire(worker, false);
  }

  #onForeignEnd(worker: LiveWorker): void {
    if (worker.live) this.#registry.leave(worker, 'it ended', true);
    else this.#retirement.retire(worker, false);
  }

  #onCancel({ directive, messageId }: SignalMap['message-cancel']): void {
    if (this.#lanes.get(directive)?.cancel(messageId)) return;
    const { journal, log } = this.#deps;
    const job =
      this.#registry.get(directive)?.find(messageId) ?? this.#attachments.find(directive, messageId);
    if (!job || job.answering) return;
    job.calledOff = true;
    journal.inbox.callOff(job.doc.sequence).committed.then(
      () => {
        if (job.phase === 'settled' || job.worker?.link.cancel(job) !== false) return;
        const sentence = 'cancel: the worker has it in hand and knows no cancel call, it goes on';
        log.info({ message_id: messageId, directive }, sentence);
      },
      (error: unknown) => {
        log.error({ message_id: messageId, error: reasonOf(error) }, 'a cancel was not recorded');
      },
    );
  }

  #tellWorkers(event: BrokerEvent): void {
    // One link may serve several handlers.
    const links = new Map([...this.#registry.all()].map(({ link, handler }) => [link, handler]));
    for (const [link, handler] of links) {
      if (!link.ready) continue;
      void link.notify(event).then((outcome) => {
        if (outcome === 'failed') this.#deps.log.debug({ handler, event }, 'a worker did not hear an event');
      });
    }
  }

  #lane(directive: string): Lane {
    let lane = this.#lanes.get(directive);
    if (!lane) {
      lane = new Lane(directive, { ...this.#deps, settler: this.#settler });
      if (this.#quiet) lane.quiet();
      this.#lanes.set(directive, lane);
    }
    return lane;
  }

  #sweep(): void {
    for (const lane of this.#lanes.values()) lane.sweep();
    this.#registry.complain();
  }

  #inHand(): number {
    let count = 0;
    // Who answers nothing is not waited for.
    for (const { hands, silent } of this.#registry.all()) count += silent ? 0 : hands.size;
    return count;
  }

  #isInHand(sequence: number): boolean {
    for (const worker of this.#registry.all()) if (worker.hands.has(sequence)) return true;
    return false;
  }
}
