/** A worker that attaches and says exactly what a test tells it to. */
import { readFileSync } from 'node:fs';
import { Client, type ClientDuplexStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { parseProcessStat } from '../../../src/base/process-stat.ts';
import {
  type Delivery,
  type DispatcherFrame,
  type DispatcherLists,
  type HandlerOffer,
  type Hello,
  outcomeResults,
  redeliveries,
  type WorkerFrame,
} from '../../../src/rpc/attach-frames.ts';
import type { Method } from '../../../src/rpc/proto-file.ts';
import { loadProtocol } from '../../../src/rpc/protocol.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

/** As the worker writes and reads it: what it leaves out is left out, what it reads is all there. */
type Said = {
  [Field in keyof WorkerFrame]?: WorkerFrame[Field] extends ReadonlyArray<infer Entry>
    ? ReadonlyArray<Entry extends object ? Partial<Entry> : Entry>
    : WorkerFrame[Field] extends object | null
      ? object
      : WorkerFrame[Field];
};
type Heard = { [List in keyof DispatcherLists]: Array<DispatcherLists[List]> };

export interface AttachedOptions {
  readonly hello?: Partial<Hello>;
  /** Of its only handler. */
  readonly offer?: Partial<HandlerOffer>;
  readonly credit?: number;
}

export const ownPid: number = process.pid;
export const ownStart: string = parseProcessStat(readFileSync('/proc/self/stat', 'utf8'))?.startTime ?? '';

export class Attached {
  /** What the daemon said on this stream, by list. */
  readonly heard: Heard = {
    drops: [],
    receipts: [],
    recorded: [],
    settled: [],
    deliveries: [],
    chunks: [],
    pulls: [],
    cancels: [],
    events: [],
  };
  readonly frames: DispatcherFrame[] = [];
  welcome: DispatcherFrame['welcome'];
  drain: DispatcherFrame['drain'];
  goodbye: DispatcherFrame['goodbye'];
  readonly credit = { answers: 0, bytes: 0 };
  /** How the stream ended. */
  end: { readonly code: keyof typeof status; readonly details: string } | undefined;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<object, DispatcherFrame>;

  constructor(socket: string) {
    const { Attach } = loadProtocol().dispatcher;
    const { path, requestSerialize, responseDeserialize } = Attach as unknown as Method<
      object,
      DispatcherFrame
    >;
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#call = this.#client.makeBidiStreamRequest(
      path,
      (said) => (Buffer.isBuffer(said) ? said : requestSerialize(said)),
      responseDeserialize,
    );
    this.#call.on('data', (frame: DispatcherFrame) => this.#onFrame(frame));
    this.#call.on('error', ({ code, details }: ServiceError) => this.#onEnd(code, details));
    this.#call.on('status', ({ code, details }) => this.#onEnd(code, details));
    testScope().defer(() => this.cut());
  }

  say(frame: Said): void {
    this.#call.write(frame);
  }

  /** A message of these bytes, whatever they are. */
  sayBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  halfClose(): void {
    this.#call.end();
  }

  /** The connection is gone, as when a process dies. */
  cut(): void {
    this.#call.cancel();
    this.#client.close();
  }

  /** Waits until the daemon has said so many entries of a list on this stream. */
  async hears<List extends keyof Heard>(list: List, count = 1): Promise<Heard[List]> {
    const heard = (): string => JSON.stringify({ ...this.heard, end: this.end });
    await waitFor(() => this.heard[list].length >= count, {
      what: `${count} ${list}`,
      deadline: 5_000,
      detail: heard,
    });
    return this.heard[list];
  }

  async ends(): Promise<NonNullable<Attached['end']>> {
    await waitFor(() => this.end !== undefined, { what: 'the end of the stream', deadline: 5_000 });
    return this.end ?? { code: 'UNKNOWN', details: '' };
  }

  /** Answers a delivery with its own content and says it is done, in one frame. */
  echo({ number, messageId, directive, content }: Delivery, answerId = `answer-${number}`): void {
    this.say({
      answers: [{ messageId: answerId, responseTo: messageId, directive, content, delivery: number }],
      outcomes: [{ delivery: number, result: outcomeResults.done }],
      credit: 1,
    });
  }

  #onFrame(frame: DispatcherFrame): void {
    this.frames.push(frame);
    for (const list of Object.keys(this.heard) as Array<keyof Heard>) {
      (this.heard[list] as unknown[]).push(...(frame[list] ?? []));
    }
    if (frame.welcome) this.welcome = frame.welcome;
    if (frame.drain) this.drain = frame.drain;
    if (frame.goodbye) this.goodbye = frame.goodbye;
    this.credit.answers += frame.credit?.answers ?? 0;
    this.credit.bytes += frame.credit?.bytes ?? 0;
  }

  #onEnd(code: number, details: string): void {
    this.end ??= { code: (status[code] ?? 'UNKNOWN') as keyof typeof status, details };
  }
}

/** Opens a stream and says hello, as this process unless told otherwise; does not wait for the welcome. */
export function attachTo(socket: string, options: AttachedOptions = {}): Attached {
  const attached = new Attached(socket);
  const offer = {
    ...{ name: 'echo', detached: false, features: {}, redelivery: redeliveries.unsaid },
    ...{ concurrency: 8, accepts: false },
    ...options.offer,
  };
  const hello = {
    ...{
      version: 1,
      features: ['chunks', 'cancel', 'files'],
      library: 'test',
      pid: ownPid,
      startTime: ownStart,
    },
    ...{ handlers: [offer], inWork: [], unreceipted: [] },
    ...options.hello,
  };
  attached.say({ hello, credit: options.credit ?? 16 });
  return attached;
}

export async function attach(socket: string, options: AttachedOptions = {}): Promise<Attached> {
  const attached = attachTo(socket, options);
  await waitFor(() => attached.welcome !== undefined, {
    what: 'the welcome',
    deadline: 5_000,
    detail: () => JSON.stringify(attached.end),
  });
  return attached;
}
