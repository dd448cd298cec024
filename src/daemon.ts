/**
 * The standard daemon as an object: prepared, run, stopped.
 *
 * Installs no signal handlers and never ends the process; programs do (cmd/yggd.ts). What it is built from is in
 * `assembly.ts`.
 */
import { homedir, tmpdir } from 'node:os';
import { type Assembly, assemble } from './assembly.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { YggError } from './base/errors.ts';
import { type Logger, silentLogger } from './base/log.ts';
import { optionsWith } from './config/load.ts';
import type { Environment, Options } from './config/options.ts';
import type { Reloaded } from './control-api.ts';
import type { Counters } from './counters.ts';
import type { Datastore } from './datastore.ts';
import type { Journal } from './journal/journal.ts';
import type { Connector } from './mqtt/connector.ts';
import { packageVersion } from './package-version.ts';
import type { Signals } from './signals.ts';

export interface DaemonSettings {
  /** What is not given has the default of docs/configure.md; nothing is read from files. */
  readonly options: Partial<Options>;
  /** What defaults depend on, and the proxy variables; not set: this process without its variables. */
  readonly environment?: Environment;
  /** Of the program, said in status and `User-Agent`; not set: of this package. */
  readonly version?: string;
  /** One with a level (`LeveledLogger`) can be told another while the daemon runs. */
  readonly log?: Logger;
  readonly clock?: Clock;
  /** From 0 up to, not including, 1. */
  readonly random?: () => number;
  /** The options as they would be at a start now, for a reload; not set: they do not come from a configuration. */
  readonly readOptions?: () => Options;
  /**
   * Stops the daemon in order and starts it anew, or ends the process so that somebody else does; called when yggctl
   * asked for it. Not set: nobody can ask.
   */
  readonly onRestart?: () => void;
  /** In place of the connection to the brokers of the options. */
  readonly connector?: Connector;
}

/** A daemon that is not running yet. */
export interface Daemon {
  /**
   * Claims the directories, opens the journal and builds the parts; nothing talks to anybody yet. Throws the error of
   * what could not be had, with everything released again: `YGG_UNSAFE_PATH`, `YGG_ALREADY_RUNNING`,
   * `YGG_CONFIG_FILE`, `YGG_JOURNAL_IO`, `YGG_CLOSED` after a stop.
   */
  prepare(): Promise<PreparedDaemon>;
  /** Stops whatever has been prepared or runs; a daemon that was stopped does not start again. */
  stop(): Promise<void>;
  /** Cuts a stop short. */
  force(): Promise<void>;
}

export interface PreparedDaemon {
  readonly clientId: string;
  /** What happens inside, for observers. */
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly counters: Counters;
  readonly journal: Journal;
  /** Starts the parts; resolves when all of them run. The broker and the workers may come later. */
  run(): Promise<void>;
  /** Drains and stops (lifecycle.ts); throws `YGG_STOP` naming what did not stop cleanly. */
  stop(): Promise<void>;
  /**
   * Reads facts, tags, certificates and the configuration again, and returns to the broker after a `disconnect` command.
   * Says which options hold now. Throws `YGG_CONFIG`, `YGG_CONFIG_FILE` for a mistake in the configuration.
   */
  reload(): Promise<Reloaded>;
}

/** The standard daemon, in this process. Throws `YGG_CONFIG` when options do not go together. */
export function createDaemon(settings: DaemonSettings): Daemon {
  const {
    environment = environmentOfProcess(),
    log = silentLogger,
    clock = systemClock,
    random = Math.random,
    version = packageVersion,
  } = settings;
  const options = optionsWith(settings.options, environment);
  const chosen = { ...settings, options, environment, log, clock, random, version };
  let preparing: Promise<Assembly> | undefined;
  let stopped = false;

  async function assembleOnce(): Promise<Assembly> {
    const assembly = await assemble(chosen);
    if (!stopped) return assembly;
    await assembly.lifecycle.stop();
    throw new YggError('YGG_CLOSED', 'Stopped before everything was prepared.');
  }

  /** What was prepared, if it could be. */
  async function assembled(): Promise<Assembly | undefined> {
    stopped = true;
    return await preparing?.catch(() => undefined);
  }

  return {
    async prepare() {
      preparing ??= assembleOnce();
      const { clientId, signals, datastore, counters, journal, lifecycle, reload } = await preparing;
      return {
        clientId,
        signals,
        datastore,
        counters,
        journal,
        run: () => lifecycle.start(),
        stop: () => lifecycle.stop(),
        reload,
      };
    },
    async stop() {
      await (await assembled())?.lifecycle.stop();
    },
    async force() {
      await (await assembled())?.lifecycle.force();
    },
  };
}

function environmentOfProcess(): Environment {
  return {
    uid: process.getuid?.() ?? 0,
    currentDirectory: process.cwd(),
    homeDirectory: homedir(),
    temporaryDirectory: tmpdir(),
    variables: {},
  };
}
