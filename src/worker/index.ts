/**
 * The door for people who write workers: `yggd/worker` (docs/writing-workers.md).
 */
export type { ErrorCode } from '../base/errors.ts';
export { YggError } from '../base/errors.ts';
export type { LogFields, Logger } from '../base/log.ts';
export type { CommandJob } from './command-job.ts';
export {
  type Command,
  type CommandAnswer,
  type CommandOptions,
  command,
  type EventDefinition,
} from './commands.ts';
export type { DaemonConfig } from './daemon-config.ts';
export { type EventAnswer, event, fatal } from './event-answer.ts';
export { Cancelled, RetryLater } from './failure.ts';
export type { BrokerEvent, Metadata, Redelivery } from './frames.ts';
export type { HandlerOptions, OnMessage } from './handler.ts';
export {
  daemonConnection,
  type HealthCheck,
  type HealthContext,
  type HealthEndpoint,
  type HealthStatus,
} from './health.ts';
export type { HttpResult } from './http-result.ts';
export type { Job, ReplyOptions } from './job.ts';
export type { Message } from './message.ts';
export type { SchemaIssue, StandardSchema } from './standard-schema.ts';
export { createWorker } from './worker.ts';
export type {
  OneHandler,
  RunOptions,
  SendOptions,
  SeveralHandlers,
  Worker,
  WorkerOptions,
} from './worker-options.ts';
