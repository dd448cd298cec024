/**
 * What the process manager is told.
 */
import type { LogLevel } from '../base/log.ts';

/** `excludeWorkers` and `logLevel` are read each time they are needed, for they may change. */
export interface ProcessManagerOptions {
  /** Absolute paths, in order of precedence. */
  readonly workerDirs: readonly string[];
  /** File names, with or without `.worker`. */
  readonly excludeWorkers: readonly string[];
  readonly configDir: string;
  readonly runtimeDir: string;
  /** Where each user that workers run as has a directory for their sockets. */
  readonly userSocketsDir: string;
  readonly clientId: string;
  readonly logLevel: LogLevel;
}
