/**
 * The connection to the gRPC service `Worker` of one incarnation of a worker.
 *
 * Owns one channel and what is known of it: whether it is up, since when it is not, whether the worker hears events.
 * Translates what a call came to into what it means for the message; decides nothing.
 */
import { Channel, connectivityState, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { Method } from './proto-file.ts';
import { type BrokerEvent, brokerEvents, type Data, type Protocol } from './protocol.ts';

/** What handing over a message came to. */
export type HandOver =
  | { readonly kind: 'accepted' }
  /** The call was never written: the worker cannot know of it. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  /** The worker will never take it. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The worker's own code failed on it. */
  | { readonly kind: 'worker-error'; readonly reason: string }
  /** Nobody can say whether the worker took it. */
  | { readonly kind: 'unclear'; readonly reason: string };

export interface WorkerConnectionOptions {
  /** Where the worker listens, or will. */
  readonly path: string;
  readonly protocol: Protocol;
  /** The channel came up or went down. */
  readonly onChange: (ready: boolean) => void;
  /** Milliseconds a worker may take to answer Send. */
  readonly sendDeadline?: number;
}

export interface WorkerConnection {
  readonly path: string;
  /** Whether a call would be written now. Only then may `send` be called. */
  readonly ready: boolean;
  /** Hands over a message; `done` is called once, not before `send` returned. */
  send(message: Data, done: (outcome: HandOver) => void): void;
  /** Tells of the broker connection; a worker that does not know the call is not asked again. */
  notify(event: BrokerEvent): Promise<'heard' | 'unknown' | 'failed'>;
  /** No further calls; those under way go on and are reported. */
  close(): void;
}

const accepted: HandOver = { kind: 'accepted' };
const noMetadata: Metadata = new Metadata();
const eventDeadline = 1_000;

/**
 * A worker is told its address before it listens there, so the first attempts fail: they are repeated fast. A fresh
 * channel with its own subchannels, so that an earlier incarnation's back-off is not inherited.
 */
const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 100,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  // An answer to Send or NotifyEvent is some bytes.
  'grpc.max_receive_message_length': 1024 * 1024,
  'grpc.max_send_message_length': -1,
  'grpc-node.max_session_memory': 10,
};

/** Starts connecting at once and goes on until `close`. */
export function openWorkerConnection(options: WorkerConnectionOptions): WorkerConnection {
  const { path, protocol, onChange, sendDeadline = 60_000 } = options;
  const { Send, NotifyEvent } = protocol.worker;
  const channel = new Channel(`unix:${path}`, credentials.createInsecure(), channelOptions);
  let ready = false;
  let hearsEvents = true;
  let closed = false;

  function watch(): void {
    // Asking with `true` makes an idle channel connect.
    const state = channel.getConnectivityState(true);
    if (ready !== (state === connectivityState.READY)) {
      ready = !ready;
      onChange(ready);
    }
    if (!closed) channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => closed || watch());
  }
  watch();

  return {
    path,
    get ready() {
      return ready && channel.getConnectivityState(false) === connectivityState.READY;
    },
    send(message, done) {
      call(channel, Send, message, sendDeadline, (end) =>
        done(end.code === status.OK ? accepted : outcomeOf(end)),
      );
    },
    notify(event) {
      if (!hearsEvents) return Promise.resolve('unknown');
      const notification = { name: brokerEvents[event], detail: '', metadata: {} };
      return new Promise((resolve) => {
        call(channel, NotifyEvent, notification, eventDeadline, ({ code }) => {
          if (code === status.UNIMPLEMENTED) hearsEvents = false;
          resolve(code === status.OK ? 'heard' : hearsEvents ? 'failed' : 'unknown');
        });
      });
    },
    close() {
      closed = true;
      ready = false;
      channel.close();
    },
  };
}

/**
 * One unary call of which only the end is of interest; `done` is called once, in a later turn. Made on the channel
 * itself, because `Client` adds interceptors, an emitter and a stack trace to each call.
 */
function call<Request>(
  channel: Channel,
  method: Method<Request, object>,
  request: Request,
  deadline: number,
  done: (end: StatusObject) => void,
): void {
  const begun = channel.createCall(method.path, Date.now() + deadline, null, null, null);
  begun.start(noMetadata, { onReceiveMetadata() {}, onReceiveMessage() {}, onReceiveStatus: done });
  begun.sendMessageWithContext({}, method.requestSerialize(request));
  begun.startRead();
  begun.halfClose();
}

/** docs/protocol.md, "Outcomes of Send". Codes that are not listed say nothing certain, so they are unclear. */
function outcomeOf({ code, details }: StatusObject): HandOver {
  const reason = details || status[code];
  switch (code) {
    case status.INVALID_ARGUMENT:
    case status.RESOURCE_EXHAUSTED:
    case status.UNIMPLEMENTED:
      return { kind: 'refused', reason };
    case status.UNKNOWN:
    // Codes no gRPC library makes up: the worker's Send itself said so.
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
    case status.FAILED_PRECONDITION:
    case status.ABORTED:
    case status.OUT_OF_RANGE:
    case status.DATA_LOSS:
      return { kind: 'worker-error', reason };
    case status.UNAVAILABLE:
      if (neverWritten.some((sentence) => reason.startsWith(sentence))) return { kind: 'not-sent', reason };
      return { kind: 'unclear', reason };
    case status.DEADLINE_EXCEEDED:
      return { kind: 'unclear', reason: 'no answer in time' };
    default:
      return { kind: 'unclear', reason: `${status[code]}: ${reason}` };
  }
}

/** grpc-js tells only by these sentences that no byte of a call reached the peer's handlers. */
const neverWritten: readonly string[] = ['No connection established', 'Stream refused by server'];
