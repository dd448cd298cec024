/**
 * The signals by which the parts talk, in the order a message meets them.
 *
 * *Flow* is never dropped: its consumers are declared in `flowConsumers`, `check` refuses to start with one
 * missing or one too many, and each has a channel of its own. *Notice* is for observers: any number, never
 * waited for, the oldest is dropped and counted. Every flow signal can be observed as a notice too.
 *
 * The data is in the store; a payload is a journal sequence and small facts.
 */
import { YggError } from './base/errors.ts';
import { Channel } from './channel.ts';

/** How a request left the working set, or why its slot is free. */
export type Settlement =
  /** Finished: the journal row is gone, its id is among the done ids. */
  | 'done'
  /** A dead letter; its report, if any, waits in the outbox. */
  | 'dead'
  /** Out of the store and waiting on disk again, to be admitted anew, oldest first. */
  | 'back'
  /**
   * Its worker still has it, or its end is being written, but it does not count against the window any longer. A later
   * settlement follows.
   */
  | 'released';

export interface RequestSignal {
  readonly sequence: number;
  readonly directive: string;
}

export interface WorkerSignal {
  readonly handler: string;
  readonly pid: number;
  readonly features: Readonly<Record<string, string>>;
}

export interface ResponseSignal {
  readonly sequence: number;
}

/** What each signal carries. */
export interface SignalMap {
  /** Router -> Processor: a request was admitted into the working set. */
  'data-recv': RequestSignal & { readonly cancel: boolean };
  /** Processor -> Dispatcher: its content is there. */
  'data-process': RequestSignal & { readonly cancel: boolean };
  /** Dispatcher: a worker accepted it. */
  'data-dispatch': RequestSignal & {
    readonly messageId: string;
    readonly pid: number;
    readonly attempt: number;
  };
  /** Dispatcher: what an attached worker said of its progress; the bytes are its own affair. */
  'message-progress': RequestSignal & { readonly messageId: string; readonly data: Uint8Array };
  /** Dispatcher, Processor -> Router: a slot is free. */
  'message-settle': RequestSignal & { readonly outcome: Settlement };
  /** Router -> Processor, Dispatcher: the control command `cancel`. */
  'message-cancel': { readonly directive: string; readonly messageId: string };
  /** Dispatcher, control service -> Processor: a response is in the outbox, or in it again. */
  'data-return': ResponseSignal;
  /** Processor -> Dispatcher: the HTTP result of a response, for a worker that waits for it in Send. */
  'data-deliver': ResponseSignal & {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Uint8Array;
  };
  /** Processor -> Router: a response is to be published. */
  'data-consume': ResponseSignal;
  /** Router, Processor: a response was delivered. */
  'message-send': ResponseSignal & { readonly messageId: string };
  /** Control service -> Router: a request was put into the inbox on this host, or into it again. */
  'inbox-add': RequestSignal;
  /** Router -> Dispatcher: the broker connection is up; `restored` when it was lost before. */
  'client-connect': { readonly broker: string; readonly restored: boolean };
  /** Router -> Dispatcher: the broker connection is gone; `asked` when a command or a stop asked for it. */
  'client-disconnect': { readonly asked: boolean };
  /** Router: the broker granted both subscriptions. */
  'topic-subscribe': { readonly broker: string };
  /** Dispatcher -> ProcessManager: sockets are open, workers may be started. */
  'dispatcher-listen': { readonly path: string };
  /** ProcessManager -> Dispatcher: a socket for this worker file, please. */
  'process-prepare': {
    readonly file: string;
    /** Whom the worker is to run as, when that is not whom the daemon runs as. */
    readonly account?: { readonly name: string; readonly uid: number; readonly gid: number };
  };
  /** Dispatcher -> ProcessManager: the socket for this worker file, or why there is none. */
  'socket-listen':
    | { readonly file: string; readonly path: string }
    | { readonly file: string; readonly error: string };
  /** ProcessManager: a worker was started. */
  'process-spawn': { readonly file: string; readonly pid: number };
  /** ProcessManager: every worker file found at the start was tried. */
  'process-bootstrap': { readonly files: number };
  /** ProcessManager -> Dispatcher: a worker process ended; `asked` when the daemon ended it. */
  'process-die': {
    readonly file: string;
    readonly pid: number;
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly asked: boolean;
  };
  /** Dispatcher -> Router, ProcessManager: a worker registered; `file` is empty for one started by others. */
  'worker-register': WorkerSignal & { readonly file: string };
  /** Dispatcher -> Router, ProcessManager: a worker is gone. */
  'worker-unregister': WorkerSignal & { readonly file: string };
}

export type SignalName = keyof SignalMap;

/** The parts that consume flow signals. */
export type PartName = 'message-router' | 'data-processor' | 'dispatcher' | 'process-manager';

/** Which parts consume each flow signal. A signal that is not listed here is a notice. */
export const flowConsumers: Readonly<Partial<Record<SignalName, readonly PartName[]>>> = {
  'data-recv': ['data-processor'],
  'data-process': ['dispatcher'],
  'message-settle': ['message-router'],
  'message-cancel': ['data-processor', 'dispatcher'],
  'data-return': ['data-processor'],
  'data-deliver': ['dispatcher'],
  'data-consume': ['message-router'],
  'inbox-add': ['message-router'],
  'client-connect': ['dispatcher'],
  'client-disconnect': ['dispatcher'],
  'dispatcher-listen': ['process-manager'],
  'process-prepare': ['dispatcher'],
  'socket-listen': ['process-manager'],
  'process-die': ['dispatcher'],
  'worker-register': ['message-router', 'process-manager'],
  'worker-unregister': ['message-router', 'process-manager'],
};

/** A handler threw; the signal it was given is lost to it. */
export interface SignalFault {
  readonly signal: string;
  readonly consumer: string;
  readonly payload: unknown;
  readonly error: unknown;
}

export interface SignalsOptions {
  /** Channel length of each flow consumer. At least the global window, so that emitting does not wait. */
  readonly flowCapacity?: number;
  /** Channel length of each observer; beyond it the oldest notice is dropped. */
  readonly noticeCapacity?: number;
  /** Declared consumers of signals that a custom daemon adds to the map. */
  readonly consumers?: Readonly<Record<string, readonly string[]>>;
  readonly onFault?: (fault: SignalFault) => void;
}

type Handler<Payload> = (payload: Payload) => void | Promise<void>;

/** The signal map in motion. A custom daemon adds signals with the type parameter and `consumers`. */
export interface Signals<Map extends object = SignalMap> {
  /** Consumes a flow signal as the named part. Handlers hand work on and return; one signal at a time. */
  on<Name extends keyof Map & string>(signal: Name, consumer: string, handler: Handler<Map[Name]>): void;
  /** Observes any signal; returns the function that stops it. */
  observe<Name extends keyof Map & string>(signal: Name, handler: Handler<Map[Name]>): () => void;
  /**
   * Sends to every consumer and observer. Gives back a promise only while a consumer's channel is full: who sends many
   * would wait for the next turn of the microtasks with each otherwise.
   */
  emit<Name extends keyof Map & string>(signal: Name, payload: Map[Name]): Promise<void> | undefined;
  /**
   * Like `emit`, but a full channel is skipped instead of waited for. Only for signals whose data is found again on
   * disk, and for senders that must never wait: MQTT parsing, acknowledgements, gRPC answers.
   */
  nudge<Name extends keyof Map & string>(signal: Name, payload: Map[Name]): void;
  /** Throws `YGG_LINK` unless every declared consumer is there and no other. */
  check(): void;
  /** Notices dropped so far because an observer was slow. */
  readonly dropped: number;
  /** Ends every channel; what is queued is still handled. Later signals go nowhere. */
  close(): void;
}

interface Link {
  readonly consumer: string;
  readonly channel: Channel<unknown>;
}

export function createSignals<Map extends object = SignalMap>(options: SignalsOptions = {}): Signals<Map> {
  const { flowCapacity = 4096, noticeCapacity = 1024, onFault } = options;
  const declared = new globalThis.Map<string, readonly string[]>([
    ...Object.entries(flowConsumers),
    ...Object.entries(options.consumers ?? {}),
  ]);
  const consumers = new globalThis.Map<string, Link[]>();
  const observers = new globalThis.Map<string, Set<Channel<unknown>>>();
  let dropped = 0;

  async function consume(signal: string, link: Link, handler: Handler<never>): Promise<void> {
    for await (const first of link.channel) {
      // What has queued up meanwhile is taken without a promise for each.
      for (let payload: unknown = first; payload !== undefined; payload = link.channel.tryTake()) {
        try {
          const pending = handler(payload as never);
          if (pending) await pending;
        } catch (error) {
          onFault?.({ signal, consumer: link.consumer, payload, error });
        }
      }
    }
  }

  function notify(signal: string, payload: unknown): void {
    const channels = observers.get(signal);
    if (!channels) return;
    for (const channel of channels) {
      if (channel.trySend(payload) || channel.closed) continue;
      channel.dropOldest();
      channel.trySend(payload);
      dropped += 1;
    }
  }

  return {
    on(signal, consumer, handler) {
      const link = { consumer, channel: new Channel<unknown>({ capacity: flowCapacity }) };
      const links = consumers.get(signal) ?? [];
      links.push(link);
      consumers.set(signal, links);
      void consume(signal, link, handler);
    },
    observe(signal, handler) {
      const channel = new Channel<unknown>({ capacity: noticeCapacity });
      const channels = observers.get(signal) ?? new Set();
      channels.add(channel);
      observers.set(signal, channels);
      void consume(signal, { consumer: 'observer', channel }, handler);
      return () => {
        channels.delete(channel);
        channel.close();
      };
    },
    emit(signal, payload) {
      notify(signal, payload);
      let waiting: Promise<void>[] | undefined;
      for (const { channel } of consumers.get(signal) ?? []) {
        if (channel.trySend(payload) || channel.closed) continue;
        waiting ??= [];
        // Closed while it waited: the signal goes nowhere, like those emitted later.
        waiting.push(channel.send(payload).catch(() => undefined));
      }
      return waiting && Promise.all(waiting).then(() => undefined);
    },
    nudge(signal, payload) {
      notify(signal, payload);
      for (const { channel } of consumers.get(signal) ?? []) channel.trySend(payload);
    },
    check() {
      const faults: string[] = [];
      for (const [signal, expected] of declared) {
        const actual = (consumers.get(signal) ?? []).map((link) => link.consumer).sort();
        if (actual.join() !== [...expected].sort().join()) {
          faults.push(
            `${signal}: expected ${expected.join(', ') || 'nobody'}, found ${actual.join(', ') || 'nobody'}`,
          );
        }
      }
      for (const signal of consumers.keys()) {
        if (!declared.has(signal))
          faults.push(`${signal}: is consumed but has no declared consumers; observe it`);
      }
      if (faults.length > 0) throw new YggError('YGG_LINK', `Signals are not linked: ${faults.join('; ')}.`);
    },
    get dropped() {
      return dropped;
    },
    close() {
      for (const links of consumers.values()) for (const { channel } of links) channel.close();
      for (const channels of observers.values()) for (const channel of channels) channel.close();
    },
  };
}
