/**
 * The environment of a worker, built from nothing: only what is listed here reaches it (docs/worker-files.md).
 */
import type { LogLevel } from '../base/log.ts';

/** Where a worker, and the interpreter its first line names, finds programs. */
export const workerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface WorkerEnvironment {
  /** Absolute path of the socket that this worker alone may call. */
  readonly socketPath: string;
  readonly configDir: string;
  readonly logLevel: LogLevel;
  readonly clientId: string;
  /** The daemon's own environment; only the proxy variables are taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `NAME=value`, from the worker's configuration, checked when that was read. */
  readonly entries: readonly string[];
}

const proxyVariables = ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

export function workerEnvironment(facts: WorkerEnvironment): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of proxyVariables) {
    const value = facts.environment[name];
    if (value) variables[name] = value;
  }
  for (const entry of facts.entries) {
    const sign = entry.indexOf('=');
    variables[entry.slice(0, sign)] = entry.slice(sign + 1);
  }
  // Last, so that nothing above can take their place.
  return {
    ...variables,
    PATH: workerPath,
    YGG_SOCKET_ADDR: `unix:${facts.socketPath}`,
    YGG_CONFIG_DIR: facts.configDir,
    YGG_LOG_LEVEL: facts.logLevel.toUpperCase(),
    YGG_CLIENT_ID: facts.clientId,
  };
}
