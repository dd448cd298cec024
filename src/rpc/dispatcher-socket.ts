/**
 * One unix socket with the gRPC service `Dispatcher` on it.
 *
 * Each spawned worker has its own, so that the socket says who calls. Owns the gRPC server; decides nothing about the
 * calls, it passes them on.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { pause } from '../base/deadline.ts';
import { reasonOf, type YggError } from '../base/errors.ts';
import { addressFor } from './address.ts';
import { AttachStream } from './attach-stream.ts';
import { openPrivateSocket } from './private-socket.ts';
import type { Method } from './proto-file.ts';
import type { Data, Protocol, RegistrationRequest, Response, WorkerSettings } from './protocol.ts';

/** Who gets the calls of one socket. */
export interface DispatcherCalls {
  /** Resolves to the path where the worker is to listen, or rejects with the reason why it is not registered. */
  register(request: RegistrationRequest): Promise<string>;
  /** Takes a response; `answer` is called once, when it is safe or refused. Must not throw. */
  send(response: Data, answer: (error: YggError | undefined, result?: Uint8Array) => void): void;
  /** A worker opened a stream; whoever takes it starts it. Must not throw. */
  attach(stream: AttachStream): void;
  settings(): WorkerSettings;
}

export interface DispatcherSocketOptions {
  readonly path: string;
  /** As in `openPrivateSocket`. */
  readonly mode?: number;
  readonly protocol: Protocol;
  readonly calls: DispatcherCalls;
  /** Bytes of the largest message a worker may send, of whatever kind. */
  readonly receiveLimit: number;
  /** Bytes of the largest frame of a stream; less than the receive limit, so that a larger one is our finding. */
  readonly frameLimit: number;
  /** Milliseconds of silence after which the other side of a connection is asked whether it is still there. */
  readonly silence?: number;
}

export interface DispatcherSocket {
  readonly path: string;
  /** Connections that are open now. */
  readonly connections: number;
  /** Everything that reached the socket was read; gives up after `ms`. Says whether it came to the end. */
  drained(ms: number): Promise<boolean>;
  /** Ends every call and connection and removes the file. */
  close(): void;
}

/** Of one socket. Workers that dial anew for every response have one or two open per response. */
const maxConnections = 1024;
/** Trailing metadata of Register's answer: why `registered` is false. */
export const refusalTrailer: string = 'ygg-reason';
const receipt: Response = {};

/** Rejects with `YGG_PATH_TOO_LONG`, `YGG_ALREADY_RUNNING`. */
export async function openDispatcherSocket(options: DispatcherSocketOptions): Promise<DispatcherSocket> {
  const { path, mode = 0o600 } = options;
  const socket = await openPrivateSocket({ path, mode, server: serve(options), maxConnections });
  return {
    path,
    get connections() {
      return socket.connections;
    },
    async drained(ms) {
      const deadline = performance.now() + ms;
      // One turn of the event loop takes in whatever waits to be accepted, the next one what was written there.
      await turn();
      await turn();
      while (socket.connections > 0 && performance.now() < deadline) await pause(5);
      // A request whose connection has ended is handled in the turn that follows.
      await turn();
      return socket.connections === 0;
    },
    close: () => socket.close(),
  };
}

function serve({
  protocol,
  calls,
  receiveLimit,
  frameLimit,
  silence = 60_000,
}: DispatcherSocketOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': receiveLimit,
    'grpc.max_concurrent_streams': 100,
    // Megabytes of buffers one connection may take.
    'grpc-node.max_session_memory': 10,
    'grpc.enable_channelz': 0,
    // After a frame that makes no sense Node reads a connection no further, and does not notice its end: without this
    // such connections would stay until no other is taken.
    'grpc.keepalive_time_ms': silence,
    'grpc.keepalive_timeout_ms': silence / 3,
  });
  const { Register, Send, Attach, GetConfig } = protocol.dispatcher;
  serveUnary(server, Register, (request, metadata, answer) => {
    const [userAgent = ''] = metadata.get('user-agent');
    calls.register(request).then(
      (socket) => answer(null, { registered: true, address: addressFor(String(userAgent), socket) }),
      (error: unknown) => answer(null, { registered: false, address: '' }, reasonTrailer(error)),
    );
  });
  serveUnary(server, Send, (response, _metadata, answer) => {
    calls.send(response, (error, result) => {
      if (error) answer({ code: error.facts.grpc, details: error.message });
      else answer(null, result ? { response: result } : receipt);
    });
  });
  const attach: handleBidiStreamingCall<Buffer, Buffer> = (call) =>
    calls.attach(new AttachStream(call, Attach, frameLimit));
  server.register(Attach.path, attach, asIs, asIs, 'bidi');
  serveUnary(server, GetConfig, (_request, _metadata, answer) => answer(null, calls.settings()));
  return server;
}

/** Frames are made from bytes, and into them, by the stream itself. */
function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/**
 * Existing workers look at `registered` alone, so a refusal is an answer and no error; the sentence that says why
 * travels behind it as trailing metadata, percent-encoded where it is not plain ASCII.
 */
function reasonTrailer(error: unknown): Metadata {
  const trailer = new Metadata();
  trailer.set(refusalTrailer, encodeURI(reasonOf(error)).replaceAll('%20', ' '));
  return trailer;
}

function serveUnary<Request, Answer>(
  server: Server,
  method: Method<Request, Answer>,
  handler: (request: Request, metadata: Metadata, answer: sendUnaryData<Answer>) => void,
): void {
  const call: handleUnaryCall<Request, Answer> = ({ request, metadata }, answer) =>
    handler(request, metadata, answer);
  server.register(method.path, call, method.responseSerialize, method.requestDeserialize, 'unary');
}
