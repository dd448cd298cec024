/**
 * A worker: its handlers, and its life from `run` to the last word to the daemon.
 *
 * Owns the session while it runs, and the answer to SIGTERM. What it needs of gRPC is loaded when it is run.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock, type Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { EventDefinitions } from './commands.ts';
import { contentOf } from './content.ts';
import { daemonAddress } from './daemon-address.ts';
import { askConfig, type DaemonConfig } from './daemon-config.ts';
import type { HealthResult } from './frames.ts';
import { type Handler, handlerOf } from './handler.ts';
import { Health } from './health.ts';
import { descriptionText } from './offer.ts';
import { loadProtocol, type Protocol } from './protocol.ts';
import { attachSession, type Session, unarySession } from './session.ts';
import { processSurroundings } from './surroundings.ts';
import { workerLog } from './worker-log.ts';
import type { RunOptions, SendOptions, Worker, WorkerOptions } from './worker-options.ts';

/** Milliseconds before the end of its patience at which the handlers are told. */
const warning = 1_000;

/** @throws YggError `YGG_HANDLER_INVALID`, `YGG_USAGE` for options that make no sense */
export function createWorker<const Events extends EventDefinitions = EventDefinitions>(
  options: WorkerOptions<Events>,
): Worker<Events> {
  return new StandardWorker(options);
}

function handlersOf(options: WorkerOptions): Handler[] {
  if ('handler' in options) return [handlerOf(options.handler, options, options)];
  const handlers = Object.entries(options.handlers).map(([name, of]) =>
    handlerOf(name, typeof of === 'function' ? { onMessage: of } : of, options),
  );
  if (handlers.length === 0) throw new YggError('YGG_USAGE', 'A worker needs at least one handler.');
  return handlers;
}

class StandardWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #handlers: readonly Handler[];
  readonly #clock: Clock = systemClock;
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  /** Set while it runs. */
  #daemon: { readonly protocol: Protocol; readonly address: string } | undefined;
  #health: readonly HealthResult[] = [];
  /** Why it is to end, once it is. */
  #stopping: string | undefined;
  #patience: readonly Timer[] = [];

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#handlers = handlersOf(options);
  }

  run(options: RunOptions = {}): Promise<void> {
    if (this.#running) return Promise.reject(new YggError('YGG_USAGE', 'The worker runs already.'));
    this.#stopping = undefined;
    this.#running = this.#run(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    if (this.#stopping === undefined) this.#leave('stopped');
    // Its failure belongs to whoever called run.
    await running.catch(() => {});
  }

  send(event: string, payload: unknown, options: SendOptions = {}): Promise<void> {
    const { directive = this.#handlers[0]?.name ?? '', metadata = {}, responseTo = '' } = options;
    const session = this.#session;
    return new Promise((resolve, reject) => {
      if (!session) throw new YggError('YGG_CLOSED', 'The worker does not run: nothing can be sent.');
      const answer = {
        messageId: randomUUID(),
        responseTo,
        directive,
        metadata: { ...metadata, event },
        content: contentOf(payload),
        delivery: 0,
      };
      session.link.answer(answer, (error) => (error ? reject(error) : resolve()));
    });
  }

  async config(): Promise<DaemonConfig | undefined> {
    if (!this.#daemon) throw new YggError('YGG_CLOSED', 'The worker does not run: no daemon can be asked.');
    return await askConfig(this.#daemon.protocol, this.#daemon.address);
  }

  async #run({ daemon, signals = true, attach = true }: RunOptions): Promise<void> {
    const { environment, words, pid, startTime, print, complain, onTerminate } = processSurroundings();
    if (words.includes('--describe')) {
      print(descriptionText(this.#handlers));
      return;
    }
    const { log = workerLog(complain, environment['YGG_LOG_LEVEL']), onEvent = () => {} } = this.#options;
    const address = daemonAddress(daemon ?? environment['YGG_SOCKET_ADDR']);
    const health = this.#newHealth();
    const unlisten = signals ? onTerminate((signal) => this.#leave(signal)) : () => {};
    try {
      const protocol = await loadProtocol();
      this.#daemon = { protocol, address };
      await health.start(this.#options.healthEndpoint);
      const handlers = this.#handlers;
      const clock = this.#clock;
      const self = { pid, startTime, handlers, clock, random: Math.random, log };
      const onConnect = (): void => void health.tell();
      const deps = { protocol, address, ...self, onEvent, onConnect };
      if (attach && (await this.#begin(attachSession(deps)).run()) === 'left') return;
      log.info({}, 'the plain protocol is spoken with the daemon');
      await this.#begin(unarySession(deps)).run();
    } finally {
      unlisten();
      health.stop();
      this.#session = undefined;
      this.#daemon = undefined;
      for (const timer of this.#patience) timer.cancel();
    }
  }

  #begin(session: Session): Session {
    this.#session = session;
    session.health(this.#health);
    if (this.#stopping !== undefined) session.leave(this.#stopping);
    return session;
  }

  #newHealth(): Health {
    return new Health({
      checks: this.#options.health ?? [],
      clock: this.#clock,
      context: () => ({ connected: this.#session?.connected ?? false }),
      onChange: (results) => {
        this.#health = results;
        this.#session?.health(results);
      },
    });
  }

  /** Asked a second time, it ends at once. */
  #leave(reason: string): void {
    if (this.#stopping !== undefined) {
      this.#session?.cut();
      return;
    }
    this.#stopping = reason;
    const { patience = 8_000 } = this.#options;
    this.#patience = [
      this.#clock.after(Math.max(0, patience - warning), () => this.#session?.interrupt()),
      this.#clock.after(patience, () => this.#session?.cut()),
    ];
    this.#session?.leave(reason);
  }
}
