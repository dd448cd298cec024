/**
 * What jobs ask of the connection to the daemon, whichever protocol it speaks.
 */
import type { Readable } from 'node:stream';
import type { Answer, BrokerEvent, Delivery, HandlerGrant, Outcome } from './frames.ts';
import type { OnResult } from './http-result.ts';

export interface Link {
  /**
   * Sends an answer; `done` is told once when it is safe with the daemon, or why it is not. `onResult` is told what the
   * server said, of one that is posted and was safe.
   */
  answer(answer: Answer, done?: (error?: Error) => void, onResult?: OnResult): void;
  /** Resolves when the acceptance is on disk; rejects when the message is not the worker's any longer. */
  accept(delivery: number): Promise<void>;
  /** At most 4 KiB are told, and nothing that the daemon does not keep up with. */
  progress(delivery: number, data: Uint8Array): void;
  /** Content that did not come with the delivery. */
  content(delivery: Delivery): Readable;
  /** Tells what became of a delivery; said again until it is on disk. */
  end(outcome: Outcome): void;
}

/** Who takes what comes over a link. */
export interface LinkReceiver {
  /** What was agreed for a handler. */
  onGrant(grant: HandlerGrant): void;
  onDelivery(delivery: Delivery): void;
  onCancel(delivery: number): void;
  /** It is not the worker's any longer; its end is not told. */
  onDrop(delivery: number): void;
  onEvent(event: BrokerEvent): void;
  /** No further deliveries: what was not begun goes back, what is in hand has so many milliseconds. */
  onDrain(patience: number): void;
}
