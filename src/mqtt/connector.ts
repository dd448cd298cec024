/**
 * How the daemon meets a broker: one connection at a time, behind three calls.
 *
 * Tests and embedders put something else in its place; `src/mqtt/mqtt-connector.ts` is the one on MQTT.js.
 */
import { YggError } from '../base/errors.ts';

/** Which of the two topics towards the host a message came on; `foreign` for any other. */
export type InTopic = 'control/in' | 'data/in' | 'foreign';

/** The two topics towards the server. */
export type OutTopic = 'control/out' | 'data/out';

/** One PUBLISH as it came in. Exactly one of `acknowledge` and `leave` must be called for each. */
export interface Incoming {
  readonly topic: InTopic;
  /** The topic as the broker wrote it. */
  readonly topicName: string;
  /** Valid until it is settled; keep a copy of what is needed longer. */
  readonly payload: Uint8Array;
  /** Bytes of the packet when it was too large to be kept; `payload` is only its beginning then. */
  readonly oversize: number | undefined;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** The broker may have sent it before. */
  readonly redelivered: boolean;
  /** Too much waits for the disk: leave it, unless it is small and urgent. */
  readonly pressed: boolean;
  /**
   * It is safe: the PUBACK goes out, after those of all packets before it that were not left, on the connection
   * that carried it and on no other.
   */
  acknowledge(): void;
  /** It is not taken: the broker keeps it and sends it again on another connection, never on this one. */
  leave(): void;
}

/** Who receives. Both calls return at once: nothing that they wait for may depend on the connection. */
export interface Receiver {
  onMessage(message: Incoming): void;
  /** The connection ended, whoever ended it; called once for each `connect` that resolved. */
  onClose(reason: Error): void;
  /** The broker took a message to which nobody has subscribed; only MQTT 5 says so. */
  onUnheard?(): void;
}

export interface Connected {
  /** The broker, for people. */
  readonly broker: string;
  /** The broker kept what it had for this host. */
  readonly sessionPresent: boolean;
  /** Messages it may be sent before it has acknowledged one; not set: any number. */
  readonly receiveMaximum?: number;
}

export interface ConnectOptions {
  /** What the broker publishes on control/out when the host vanishes. */
  readonly will: Uint8Array;
  readonly abort: AbortSignal;
}

export interface Connector {
  /**
   * Connects to the first broker that takes it, and subscribes. Messages may come before it resolves. Throws
   * `YGG_BROKER_REFUSED` when a broker said no, else `YGG_BROKER_UNREACHABLE`; each broker has a deadline.
   */
  connect(receiver: Receiver, options: ConnectOptions): Promise<Connected>;
  /**
   * Publishes with QoS 1; resolves with the PUBACK. Throws `YGG_BROKER_LOST` when the connection ends before it, which
   * it does at the latest when a PUBACK is overdue, `YGG_BROKER_BUSY` when the broker will have it later, `YGG_BROKER_REFUSED` when it never will, and
   * `YGG_BROKER_PROTOCOL` when it says no for a reason that may pass.
   */
  publish(topic: OutTopic, payload: Uint8Array): Promise<void>;
  /** DISCONNECT and close, whatever is in flight; never throws, and has a deadline of its own. */
  close(): Promise<void>;
}

/** Never connects: the daemon without a broker. */
export const noConnector: Connector = {
  connect: (_receiver, { abort }) =>
    new Promise((_, reject) => {
      const onAbort = (): void => reject(abort.reason);
      if (abort.aborted) onAbort();
      else abort.addEventListener('abort', onAbort, { once: true });
    }),
  publish: () => Promise.reject(new YggError('YGG_BROKER_LOST', 'There is no broker.')),
  close: () => Promise.resolve(),
};
