/**
 * Finds the daemon of this machine: a running one by the access file of its embedded broker, else the one that the
 * configuration describes.
 */
import { YggError } from '../base/errors.ts';
import type { LocalDaemon } from './target.ts';

/** What the access file of an embedded broker says. */
export interface BrokerAccess {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly clientId: string;
  readonly topicPrefix: string;
}

/** Where to look; what is not said is looked for in the usual places. */
export interface DaemonLookup {
  readonly runtimeDir?: string | undefined;
  readonly config?: string | undefined;
}

export interface LocalDaemonDeps {
  /** The usual runtime directories, the likeliest first. */
  readonly runtimeDirs: readonly string[];
  /**
   * The access file in a runtime directory; `undefined` when there is none. Throws `YGG_UNSAFE_PATH` when others can
   * write there: they could lead us to a broker of theirs.
   */
  readAccess(runtimeDir: string): BrokerAccess | undefined;
  /**
   * The daemon that a configuration file, or else the usual files describe; its brokers may be none, or `embedded`.
   * `source` names what was read.
   */
  readConfig(file: string | undefined): { readonly daemon: LocalDaemon; readonly source: string };
}

/** Throws `YGG_NOT_RUNNING` naming where it looked. */
export function findLocalDaemon(lookup: DaemonLookup, deps: LocalDaemonDeps): LocalDaemon {
  const looked: string[] = [];
  if (lookup.config === undefined || lookup.runtimeDir !== undefined) {
    const runtimeDirs = lookup.runtimeDir === undefined ? deps.runtimeDirs : [lookup.runtimeDir];
    for (const runtimeDir of runtimeDirs) {
      const access = deps.readAccess(runtimeDir);
      if (access) return embeddedDaemon(access);
      looked.push(runtimeDir);
    }
  }
  if (lookup.runtimeDir === undefined) {
    const { daemon, source } = deps.readConfig(lookup.config);
    if (daemon.brokers.some((broker) => broker !== 'embedded')) return daemon;
    looked.push(source);
  }
  throw new YggError(
    'YGG_NOT_RUNNING',
    `No daemon of this machine was found; looked in ${looked.join(', ')}. Start one ("npm start" in a clone), or name a host and its broker with --to HOST --broker URL.`,
  );
}

function embeddedDaemon({ url, username, password, clientId, topicPrefix }: BrokerAccess): LocalDaemon {
  return { clientId, topicPrefix, brokers: [url], login: { username, password }, caRoots: [] };
}
