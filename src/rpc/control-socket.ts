/**
 * The control socket: passes the calls of `protocol/control.proto` on to a {@link Control}, and its errors back.
 *
 * Owns the socket and the calls under way. What comes in is checked here as far as its type does not say it.
 */
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { YggError } from '../base/errors.ts';
import type { LogLevel } from '../base/log.ts';
import { logLevels } from '../base/logger.ts';
import type { Control, MessageQuery } from '../control-api.ts';
import { type MessageState, messageStates } from '../journal/message-record.ts';
import { loadControlProtocol, statusOf } from './control-protocol.ts';
import { openPrivateSocket } from './private-socket.ts';
import type { Method } from './proto-file.ts';

export interface ControlSocketOptions {
  readonly path: string;
  readonly control: Control;
  /** Bytes a content may have that is dispatched here. */
  readonly maxMessageSize: number;
}

export interface ControlSocket {
  /** Ends every call and removes the file. */
  close(): void;
}

const maxConnections = 64;
/** Lists, contents, dispatches and watchers under way. */
const maxStreams = 64;
/** What a request may have beside its content. */
const requestMargin = 64 * 1024;

/** Rejects with `YGG_PATH_TOO_LONG`, `YGG_ALREADY_RUNNING`. */
export async function openControlSocket({
  path,
  control,
  maxMessageSize,
}: ControlSocketOptions): Promise<ControlSocket> {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageSize + requestMargin,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': maxStreams,
    'grpc-node.max_session_memory': 10,
    'grpc.enable_channelz': 0,
    // Connections that make no sense end here as they do on the sockets of workers.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
  const streams = new Streams();
  serve(server, control, streams);
  const socket = await openPrivateSocket({ path, server, maxConnections });
  return {
    close() {
      streams.end();
      socket.close();
    },
  };
}

function serve(server: Server, control: Control, streams: Streams): void {
  const protocol = loadControlProtocol();
  const unary = <Request, Answer>(
    { path, responseSerialize, requestDeserialize }: Method<Request, Answer>,
    answer: (request: Request) => Promise<Answer>,
  ): void => {
    const call: handleUnaryCall<Request, Answer> = ({ request }, done) => {
      Promise.resolve(request)
        .then(answer)
        .then(
          (given) => done(null, given),
          (error: unknown) => done(statusOf(error)),
        );
    };
    server.register(path, call, responseSerialize, requestDeserialize, 'unary');
  };
  const stream = <Request, Answer>(
    { path, responseSerialize, requestDeserialize }: Method<Request, Answer>,
    answers: (request: Request, abort: AbortSignal) => AsyncIterable<Answer>,
  ): void => {
    const call: handleServerStreamingCall<Request, Answer> = (open) => void streams.run(open, answers);
    server.register(path, call, responseSerialize, requestDeserialize, 'serverStream');
  };

  unary(protocol.Status, () => control.status());
  unary(protocol.Workers, async () => ({ workers: await control.workers() }));
  stream(protocol.ListMessages, (query, abort) => control.listMessages(checked(query), abort));
  unary(protocol.ShowMessage, (key) => control.showMessage(key));
  stream(protocol.Content, (key, abort) => control.content(key, abort));
  stream(protocol.ListDeadLetters, (query, abort) => control.listDeadLetters(checked(query), abort));
  unary(protocol.ShowDeadLetter, (key) => control.showDeadLetter(key));
  unary(protocol.RetryDeadLetter, (key) => control.retryDeadLetter(key));
  unary(protocol.DropDeadLetter, (key) => control.dropDeadLetter(key));
  stream(protocol.Dispatch, (request, abort) => control.dispatch(request, abort));
  stream(protocol.Events, (_request, abort) => control.events(abort));
  unary(protocol.Reload, () => control.reload());
  unary(protocol.Restart, (request) => control.restart(request));
  unary(protocol.SetLogLevel, async ({ level }) => {
    await control.setLogLevel(checkedLevel(level));
    return {};
  });
}

/** The streams under way: each written as fast as it is read, and ended with the socket. */
class Streams {
  readonly #open = new Set<AbortController>();

  end(): void {
    for (const abort of this.#open) abort.abort();
  }

  async run<Request, Answer>(
    call: ServerWritableStream<Request, Answer>,
    answers: (request: Request, abort: AbortSignal) => AsyncIterable<Answer>,
  ): Promise<void> {
    const abort = new AbortController();
    const gone = new Promise<void>((resolve) => {
      call.once('cancelled', resolve);
      abort.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    void gone.then(() => abort.abort());
    try {
      if (this.#open.size >= maxStreams) {
        throw new YggError('YGG_BUSY', `${maxStreams} calls that list or watch are under way already.`);
      }
      this.#open.add(abort);
      for await (const answer of answers(call.request, abort.signal)) {
        if (abort.signal.aborted) break;
        if (!call.write(answer)) await Promise.race([drained(call), gone]);
      }
      call.end();
    } catch (error) {
      call.emit('error', statusOf(error));
    } finally {
      this.#open.delete(abort);
      // Whoever waits for the end of the call has it.
      abort.abort();
    }
  }
}

function drained(call: ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => call.once('drain', resolve));
}

/** Throws `YGG_USAGE`. */
function checked(query: MessageQuery): MessageQuery {
  for (const state of query.states) {
    if (isState(state)) continue;
    throw new YggError('YGG_USAGE', `"${state}" is no state; expected one of ${messageStates.join(', ')}.`);
  }
  return query;
}

function isState(state: string): state is MessageState {
  return messageStates.some((known) => known === state);
}

/** Throws `YGG_USAGE`. */
function checkedLevel(level: string): LogLevel {
  const known = logLevels.find((each) => each === level);
  if (known) return known;
  throw new YggError('YGG_USAGE', `"${level}" is no log level; expected one of ${logLevels.join(', ')}.`);
}
