/**
 * Keeps a worker attached: dials, says hello, and dials again with back-off when the stream breaks.
 *
 * Owns the channel, the call and the writer of the stream of the moment. What is said on it belongs to the link.
 */
import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { Backoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { type ErrorCode, errorTable, reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { AttachLink } from './attach-link.ts';
import { FrameWriter } from './frame-writer.ts';
import type { DispatcherFrame, HandlerRefusal, Hello, Welcome, WorkerFrame } from './frames.ts';
import type { Protocol } from './protocol.ts';

export interface AttachClientDeps {
  readonly protocol: Protocol;
  readonly address: string;
  /** What this process says of itself; the link says what it has. */
  readonly hello: Omit<Hello, 'inWork' | 'unreceipted'>;
  readonly link: AttachLink;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** The daemon knows this worker now. */
  readonly onWelcome: (welcome: Welcome) => void;
}

/** Milliseconds a daemon may take for its welcome. */
const welcomeDeadline = 30_000;

export class AttachClient {
  readonly #deps: AttachClientDeps;
  readonly #backoff: Backoff;
  readonly #ended = new AbortController();
  #call: ClientDuplexStream<WorkerFrame, DispatcherFrame> | undefined;
  #writer: FrameWriter | undefined;
  #leaving = false;
  /** Of the last welcome. */
  #refused: readonly HandlerRefusal[] = [];
  #everWelcome = false;

  constructor(deps: AttachClientDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ floor: 100, cap: 5_000, random: deps.random });
  }

  /**
   * Resolves when the worker has left, or to `unimplemented` when the daemon does not know Attach.
   *
   * @throws YggError the reason of the daemon, when trying again would not help
   */
  async run(): Promise<'left' | 'unimplemented'> {
    const { log, link, protocol } = this.#deps;
    const { status } = protocol.grpc;
    for (;;) {
      const { code, details } = await this.#attach();
      if (this.#ended.signal.aborted || (this.#leaving && (code === status.OK || link.idle))) return 'left';
      if (code === status.UNIMPLEMENTED) return 'unimplemented';
      if (code === status.ABORTED) {
        log.warn({ error: details }, 'another stream of this process took the place of this one');
        return 'left';
      }
      if (code === status.INVALID_ARGUMENT || code === status.RESOURCE_EXHAUSTED) {
        throw new YggError('YGG_INTERNAL', `The daemon ended the stream: ${details}`);
      }
      if (code === status.FAILED_PRECONDITION && !this.#everWelcome)
        throw refusalError(this.#refused, details);
      const delay = this.#backoff.next();
      log.debug({ delay, error: details }, 'the stream to the daemon is gone, attaching again');
      await pause(delay, { abort: this.#ended.signal });
    }
  }

  /** No further deliveries are wanted; the stream ends when everything in hand has been said. */
  leave(reason: string): void {
    this.#leaving = true;
    this.#deps.link.leave(reason);
    this.check();
  }

  /** To be called when something may have been the last thing. */
  check(): void {
    if (!this.#leaving || !this.#deps.link.idle) return;
    if (this.#deps.link.connected) this.#writer?.end();
    else this.cut();
  }

  /** Ends whatever is left. */
  cut(): void {
    this.#ended.abort();
    this.#call?.cancel();
  }

  #attach(): Promise<StatusObject> {
    const { protocol, address } = this.#deps;
    const { grpc, Attach } = protocol;
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': 16 * 1024 * 1024,
    });
    return this.#converse(client, Attach).finally(() => client.close());
  }

  #converse(client: Client, Attach: Protocol['Attach']): Promise<StatusObject> {
    const { link, hello, clock } = this.#deps;
    return new Promise((resolve) => {
      const call = client.makeBidiStreamRequest(
        Attach.path,
        Attach.requestSerialize,
        Attach.responseDeserialize,
      );
      this.#call = call;
      const writer = new FrameWriter(
        (frame) => call.write(frame),
        () => call.end(),
      );
      this.#writer = writer;
      const impatience = clock.after(welcomeDeadline, () => call.cancel());
      call.on('error', () => {});
      call.on('drain', () => writer.drained());
      call.on('status', (status: StatusObject) => {
        impatience.cancel();
        writer.drop();
        link.close();
        this.#call = undefined;
        this.#writer = undefined;
        resolve(status);
      });
      call.on('data', (frame: DispatcherFrame) => {
        if (frame.welcome) {
          impatience.cancel();
          this.#onWelcome(writer, frame.welcome);
        }
        try {
          link.receive(frame);
        } catch (error) {
          // A fault of ours must not pass for one of the daemon's.
          this.#deps.log.error({ error: reasonOf(error) }, 'a frame of the daemon could not be taken');
          call.cancel();
        }
        this.check();
      });
      const { inWork, unreceipted, credit } = link.inventory();
      writer.say({ hello: { ...hello, inWork, unreceipted } });
      writer.credit(credit);
    });
  }

  #onWelcome(writer: FrameWriter, welcome: Welcome): void {
    const { link, log, onWelcome } = this.#deps;
    this.#refused = welcome.refused;
    for (const { name, code, reason } of welcome.refused) log.error({ handler: name, code }, reason);
    if (welcome.handlers.length === 0) return;
    this.#everWelcome = true;
    this.#backoff.reset();
    link.open(writer, welcome);
    onWelcome(welcome);
  }
}

function refusalError(refused: readonly HandlerRefusal[], details: string): YggError {
  const [first] = refused;
  if (!first) return new YggError('YGG_NOT_REGISTERED', details);
  const code: ErrorCode = isCode(first.code) ? first.code : 'YGG_NOT_REGISTERED';
  return new YggError(code, refused.map(({ name, reason }) => `${name}: ${reason}`).join('; '));
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
