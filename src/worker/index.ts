/**
 * The door for people who write workers: `yggd/worker` (docs/writing-workers.md).
 */
export type { ErrorCode } from '../base/errors.ts';
export { YggError } from '../base/errors.ts';
export type { LogFields, Logger } from '../base/log.ts';
export { Cancelled, RetryLater } from './failure.ts';
export type { BrokerEvent, Metadata, Redelivery } from './frames.ts';
export type { HandlerOptions, OnMessage } from './handler.ts';
export type { Job, ReplyOptions } from './job.ts';
export type { Message } from './message.ts';
export {
  createWorker,
  type OneHandler,
  type RunOptions,
  type SendOptions,
  type SeveralHandlers,
  type Worker,
  type WorkerOptions,
} from './worker.ts';
