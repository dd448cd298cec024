/**
 * The other end of the control socket: a running daemon's {@link Control}, in another process.
 *
 * Owns one channel. Every error is a `YggError`, the daemon's own or what became of the connection.
 */
import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Control } from '../control-api.ts';
import { checkSocketPath } from './address.ts';
import { errorOf, loadControlProtocol } from './control-protocol.ts';
import type { Method } from './proto-file.ts';

export interface ControlClient extends Control {
  close(): void;
}

export interface ControlClientOptions {
  /** Of the control socket. */
  readonly path: string;
  /** Milliseconds that each call which is answered once may take. */
  readonly deadline: number;
}

const channelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  // The daemon is of the same user; a list has a thousand entries, an answer what its worker says.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** Connects with the first call. Throws `YGG_PATH_TOO_LONG`. */
export function connectControl({ path, deadline }: ControlClientOptions): ControlClient {
  checkSocketPath(path);
  const protocol = loadControlProtocol();
  const client = new Client(`unix:${path}`, credentials.createInsecure(), channelOptions);

  function once<Request, Answer>(method: Method<Request, Answer>, request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + deadline },
        (error, answer) => {
          if (error) reject(errorOf(error));
          else if (answer !== undefined) resolve(answer);
        },
      );
    });
  }

  async function* stream<Request, Answer>(
    method: Method<Request, Answer>,
    request: Request,
    abort: AbortSignal,
  ): AsyncIterable<Answer> {
    const call: ClientReadableStream<Answer> = client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
    );
    const cancel = (): void => call.cancel();
    abort.addEventListener('abort', cancel, { once: true });
    if (abort.aborted) cancel();
    try {
      yield* call;
    } catch (error) {
      if (!abort.aborted) throw errorOf(error as ServiceError);
    } finally {
      abort.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  return {
    status: () => once(protocol.Status, {}),
    workers: async () => (await once(protocol.Workers, {})).workers,
    listMessages: (query, abort) => stream(protocol.ListMessages, query, abort),
    showMessage: (key) => once(protocol.ShowMessage, key),
    content: (key, abort) => stream(protocol.Content, key, abort),
    listDeadLetters: (query, abort) => stream(protocol.ListDeadLetters, query, abort),
    showDeadLetter: (key) => once(protocol.ShowDeadLetter, key),
    retryDeadLetter: (key) => once(protocol.RetryDeadLetter, key),
    dropDeadLetter: (key) => once(protocol.DropDeadLetter, key),
    dispatch: (request, abort) => stream(protocol.Dispatch, request, abort),
    events: (abort) => stream(protocol.Events, {}, abort),
    reload: () => once(protocol.Reload, {}),
    restart: (request) => once(protocol.Restart, request),
    setLogLevel: async (level) => void (await once(protocol.SetLogLevel, { level })),
    close: () => client.close(),
  };
}
