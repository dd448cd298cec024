/**
 * The library: the standard daemon, and the parts to build another one from (docs/library.md).
 */
export { type Clock, systemClock } from './base/clock.ts';
export { type ErrorCode, YggError } from './base/errors.ts';
export type { LeveledLogger, LogFields, Logger, LogLevel } from './base/log.ts';
export type { Environment, Options } from './config/options.ts';
export type { Reloaded } from './control-api.ts';
export { type CounterName, type Counters, createCounters } from './counters.ts';
export {
  createDaemon,
  type Daemon,
  type DaemonSettings,
  type PreparedDaemon,
} from './daemon.ts';
export {
  createDataProcessor,
  type DataProcessorDeps,
  type DataProcessorOptions,
} from './data-processor/data-processor.ts';
export {
  createDatastore,
  type Datastore,
  type Worker,
  type WorkerConfig,
  type WorkerProcess,
  type WorkingMessage,
} from './datastore.ts';
export { createDispatcher, type DispatcherDeps } from './dispatcher/dispatcher.ts';
export type { DeadLetter, DeadReason, Journal, JournalLimits } from './journal/journal.ts';
export { type OpenJournalDeps, openJournal } from './journal/open.ts';
export { createLifecycle, type DrainStage, type Lifecycle, type Part } from './lifecycle.ts';
export {
  createMessageRouter,
  type MessageRouter,
  type MessageRouterDeps,
} from './message-router/message-router.ts';
export type { MessageRouterOptions } from './message-router/router-options.ts';
export type { Connector, Incoming, Receiver } from './mqtt/connector.ts';
export { type OpenBroker, type OpenBrokerDeps, openBroker } from './mqtt/open-broker.ts';
export type { ProcessManagerOptions } from './process/manager-options.ts';
export {
  createProcessManager,
  type ProcessManagerDeps,
} from './process-manager.ts';
export {
  createSignals,
  type RequestSignal,
  type ResponseSignal,
  type Settlement,
  type SignalMap,
  type Signals,
  type SignalsOptions,
} from './signals.ts';
