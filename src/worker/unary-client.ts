/**
 * Keeps a worker registered with a daemon that does not know Attach: registers, listens where it is told, and does so
 * again when the daemon was gone.
 *
 * Owns the channel to the daemon and the server the daemon calls.
 */
import type { Client, Server, ServerUnaryCall, ServiceError, sendUnaryData } from '@grpc/grpc-js';
import { Backoff } from '../base/backoff.ts';
import { pause } from '../base/deadline.ts';
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { daemonAddress } from './daemon-address.ts';
import { askConfig } from './daemon-config.ts';
import { brokerEvents } from './frames.ts';
import type { Handler } from './handler.ts';
import { readHttpResult } from './http-result.ts';
import type { LinkReceiver } from './link.ts';
import type { Data, Method, Protocol } from './protocol.ts';
import { type OnSent, UnaryLink, type UnaryLinkDeps } from './unary-link.ts';

export interface UnaryClientDeps extends Pick<UnaryLinkDeps, 'clock'> {
  readonly protocol: Protocol;
  readonly address: string;
  readonly pid: number;
  readonly handlers: readonly Handler[];
  readonly receiver: LinkReceiver;
  readonly log: Logger;
  readonly random: () => number;
  readonly onConnect: () => void;
}

/** Milliseconds the daemon may take for one call. */
const callDeadline = 10_000;
/** The same, for an answer that is posted: a daemon that tells the result waits a minute for it. */
const postDeadline = 75_000;
/** Milliseconds until an answer that was not taken now is sent again. */
const rest = 1_000;

/** What daemons on grpc-js and Go say of a message over their limit, with the status of a queue that is full: it never fits. */
const tooLarge: RegExp = /message larger than max/i;

export class UnaryClient {
  readonly link: UnaryLink;
  readonly #deps: UnaryClientDeps;
  readonly #client: Client;
  readonly #backoff: Backoff;
  readonly #ended = new AbortController();
  #server: Server | undefined;
  #leaving = false;
  /** The daemon was asked for its settings, since this registration: it tells HTTP results then. */
  #asked: Promise<unknown> | undefined;
  /** Whether the daemon knows this worker now. */
  registered = false;

  constructor(deps: UnaryClientDeps) {
    this.#deps = deps;
    const { protocol, address, receiver, clock, random } = deps;
    this.link = new UnaryLink({
      receiver,
      clock,
      send: (data, done, wantsResult) => void this.#send(data, done, wantsResult),
      onIdle: () => this.#check(),
    });
    this.#backoff = new Backoff({ floor: 100, cap: 5_000, random });
    this.#client = new protocol.grpc.Client(address, protocol.grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.max_reconnect_backoff_ms': 5_000,
      // A channel that rests would look like a daemon that is gone.
      'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
    });
  }

  /**
   * Resolves when the worker has left.
   *
   * @throws YggError `YGG_HANDLER_TAKEN` when the daemon refuses a handler at the first registration
   */
  async run(): Promise<void> {
    const { log, handlers, onConnect } = this.#deps;
    let everRegistered = false;
    try {
      while (!this.#ended.signal.aborted) {
        try {
          await this.#register();
          this.registered = true;
          everRegistered = true;
          onConnect();
          this.#backoff.reset();
          log.info({ handlers: handlers.map(({ name }) => name).join() }, 'registered with the daemon');
          await this.#disconnected();
        } catch (error) {
          if (!everRegistered && error instanceof YggError) throw error;
          log.debug({ error }, 'could not register, trying again');
        }
        this.registered = false;
        this.#server?.tryShutdown(() => {});
        await pause(this.#backoff.next(), { abort: this.#ended.signal });
      }
    } finally {
      this.#server?.forceShutdown();
      this.#client.close();
    }
  }

  /** No further messages; ends when everything in hand is answered. */
  leave(): void {
    this.#leaving = true;
    this.#server?.tryShutdown(() => {});
    this.#check();
  }

  /** Ends whatever is left. */
  cut(): void {
    this.#ended.abort();
  }

  #check(): void {
    if (this.#leaving && this.link.idle) this.cut();
  }

  async #register(): Promise<void> {
    const server = this.#newServer();
    this.#asked = undefined;
    try {
      await this.#registerAll(server);
    } catch (error) {
      server.forceShutdown();
      throw error;
    }
    this.#server = server;
    if (this.#leaving) server.tryShutdown(() => {});
  }

  async #registerAll(server: Server): Promise<void> {
    const { handlers, pid, protocol } = this.#deps;
    const { grpc, Register } = protocol;
    for (const { name, detached, features } of handlers) {
      const request = { handler: name, pid, detachedContent: detached, features };
      const { registered, address } = await this.#call(Register, request);
      if (!registered)
        throw new YggError('YGG_HANDLER_TAKEN', `The daemon does not register ${name}: it is taken.`);
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(daemonAddress(address), grpc.ServerCredentials.createInsecure(), (error) =>
          error ? reject(error) : resolve(),
        );
      });
    }
  }

  #newServer(): Server {
    const { protocol, receiver } = this.#deps;
    const { grpc, Take, NotifyEvent } = protocol;
    const server = new grpc.Server({ 'grpc.enable_channelz': 0 });
    // An OK means accepted, not done.
    const take = ({ request }: ServerUnaryCall<Data, object>, answer: sendUnaryData<object>): void => {
      answer(null, {});
      this.link.take(request);
    };
    server.register(Take.path, take, Take.responseSerialize, Take.requestDeserialize, 'unary');
    const hear = (
      { request }: ServerUnaryCall<{ readonly name: number }, object>,
      answer: sendUnaryData<object>,
    ): void => {
      answer(null, {});
      const event = brokerEvents[request.name];
      if (event) receiver.onEvent(event);
    };
    server.register(
      NotifyEvent.path,
      hear,
      NotifyEvent.responseSerialize,
      NotifyEvent.requestDeserialize,
      'unary',
    );
    return server;
  }

  /** Resolves when the connection to the daemon is gone, or the worker ends. */
  #disconnected(): Promise<void> {
    const { READY } = this.#deps.protocol.grpc.connectivityState;
    return new Promise((resolve) => {
      const { signal } = this.#ended;
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
      this.#client.getChannel().watchConnectivityState(READY, Number.POSITIVE_INFINITY, () => resolve());
    });
  }

  async #send(data: Data, done: OnSent, wantsResult: boolean): Promise<void> {
    const { protocol, address, clock, log } = this.#deps;
    // One that is not asked, or cannot tell, gives no result; the answer goes out all the same.
    if (wantsResult) {
      this.#asked ??= askConfig(protocol, address).catch(() => {});
      await this.#asked;
    }
    const { status } = protocol.grpc;
    const again: readonly number[] = [
      status.UNAVAILABLE,
      status.RESOURCE_EXHAUSTED,
      status.DEADLINE_EXCEEDED,
    ];
    const posted = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(data.directive);
    this.#call(protocol.Send, data, posted ? postDeadline : callDeadline).then(
      ({ response }) => done(undefined, readHttpResult(response)),
      (error: ServiceError) => {
        if (!again.includes(error.code) || tooLarge.test(error.details)) {
          log.warn({ message_id: data.responseTo, error: error.details }, 'an answer was not taken');
          done(error);
        } else if (this.#ended.signal.aborted) done(error);
        else clock.after(rest, () => void this.#send(data, done, wantsResult));
      },
    );
  }

  #call<Request, Answer>(
    method: Method<Request, Answer>,
    request: Request,
    patience: number = callDeadline,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        { deadline: Date.now() + patience },
        (error, answer) => (answer ? resolve(answer) : reject(error ?? new Error('no answer'))),
      );
    });
  }
}
