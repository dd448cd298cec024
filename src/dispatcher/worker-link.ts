/**
 * How a lane reaches a worker, whichever way the worker chose: calls (`unary-link.ts`) or a stream
 * (`attached-process.ts`).
 */
import type { BrokerEvent } from '../rpc/protocol.ts';
import type { HandOver } from '../rpc/worker-connection.ts';
import type { HandedMessage } from './handed-message.ts';
import type { Job } from './job.ts';

export interface WorkerLink {
  /**
   * Whether the worker says of each message what became of it. One that does not is done with its first response, and
   * frees its slots by time.
   */
  readonly settles: boolean;
  /** Whether a message would be written now. Only then may `hand` be called. */
  readonly ready: boolean;
  /** How many more messages it takes now; cancels are not counted. */
  readonly room: number;
  /** Messages handed over in one turn of the event loop. */
  readonly perTurn: number;
  /** Bytes of the largest content it takes. */
  readonly contentLimit: number;
  /** Bytes of content from which on the worker asks for it piece by piece, so that none is loaded for `hand`. */
  readonly inlineLimit: number;
  /**
   * Hands over a message. `in-hand`: what becomes of it is told later; `calling`: `done` is called once, not before
   * `hand` returned.
   */
  hand(job: Job, message: HandedMessage, done: (outcome: HandOver) => void): 'calling' | 'in-hand';
  /** Asks the worker to stop work on a job; says whether it can be asked. */
  cancel(job: Job): boolean;
  /** Tells the worker that a job is not its own any longer, if it can be told. */
  drop(job: Job): void;
  /** Tells of the broker connection. */
  notify(event: BrokerEvent): Promise<'heard' | 'unknown' | 'failed'>;
  /** Whether the worker, or the process with this id that is watched for it, shows within `ms` that it lives. */
  lives(ms: number, pid: number): Promise<boolean>;
  /** Everything it has said is on disk. */
  settled(): Promise<void>;
  /** The worker is gone and everything it had in hand decided on. */
  close(): void;
}
