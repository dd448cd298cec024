/**
 * Puts the standard daemon together: directories, journal, identity, the four parts, in the order they start.
 *
 * Installs no signal handlers and never ends the process; programs do (cmd/yggd.ts).
 */
import { randomUUID } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from './base/clock.ts';
import { reasonOf, YggError } from './base/errors.ts';
import { type Logger, silentLogger } from './base/log.ts';
import { optionsWith } from './config/load.ts';
import type { Environment, Options } from './config/options.ts';
import { type Counters, createCounters } from './counters.ts';
import { createDataProcessor } from './data-processor/data-processor.ts';
import { createDatastore, type Datastore } from './datastore.ts';
import { createDispatcher } from './dispatcher/dispatcher.ts';
import { loadTls } from './host/certificate.ts';
import { clientId } from './host/client-id.ts';
import { hostFactSources } from './host/facts.ts';
import { type Host, openHost } from './host/host.ts';
import { claimDirectory } from './host/owner.ts';
import { ensurePrivateDirectory } from './host/safe-path.ts';
import type { Journal } from './journal/journal.ts';
import { type OpenJournalDeps, openJournal } from './journal/open.ts';
import { createLifecycle, type Lifecycle, type Part } from './lifecycle.ts';
import { createMessageRouter, type MessageRouter } from './message-router/message-router.ts';
import type { Connector } from './mqtt/connector.ts';
import type { MqttOptions } from './mqtt/mqtt-connector.ts';
import { openBroker } from './mqtt/open-broker.ts';
import { packageVersion } from './package-version.ts';
import { runProgram } from './process/run-program.ts';
import { createProcessManager } from './process-manager.ts';
import { createSignals, type RequestSignal, type SignalFault, type Signals } from './signals.ts';

export interface DaemonSettings {
  /** What is not given has the default of docs/configure.md; nothing is read from files. */
  readonly options: Partial<Options>;
  /** What defaults depend on, and the proxy variables of workers; not set: this process without its variables. */
  readonly environment?: Environment;
  /** Of the program, said in status and `User-Agent`; not set: of this package. */
  readonly version?: string;
  readonly log?: Logger;
  readonly clock?: Clock;
  /** From 0 up to, not including, 1. */
  readonly random?: () => number;
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
  /** Reads facts and tags again, and returns to the broker after a `disconnect` command. */
  reload(): Promise<void>;
}

/** Messages, and bytes of them, in the working set over all directives. */
const globalWindow = { messages: 1_024, bytes: 16 * 1024 * 1024 };
const reportPlaces = 10_000;
/** Milliseconds each thing acquired may take to be released after a failed start. */
const releaseDeadline = 3_000;

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
      const { clientId, signals, datastore, counters, journal, lifecycle, host, router } = await preparing;
      return {
        clientId,
        signals,
        datastore,
        counters,
        journal,
        run: () => lifecycle.start(),
        stop: () => lifecycle.stop(),
        async reload() {
          await host.refresh();
          router.resume();
        },
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

/** Everything a daemon consists of. */
interface Assembly {
  readonly clientId: string;
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly counters: Counters;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  readonly router: MessageRouter;
  readonly host: Host;
}

/** What was left out is filled in. */
type AssemblySettings = DaemonSettings &
  Required<Omit<DaemonSettings, 'connector'>> & { readonly options: Options };

/** Acquires everything; on a failure what was acquired is released again. */
async function assemble(settings: AssemblySettings): Promise<Assembly> {
  const held = new Holdings();
  try {
    return await build(settings, held);
  } catch (error) {
    await held.release(settings.log);
    throw error;
  }
}

async function build(settings: AssemblySettings, held: Holdings): Promise<Assembly> {
  const { options, environment, version, log, clock, random } = settings;
  for (const directory of [options.stateDir, options.runtimeDir]) {
    ensurePrivateDirectory(directory);
    const claim = claimDirectory(directory, { pid: process.pid, uuid: randomUUID });
    held.add(directory, () => claim.release());
  }
  const counters = createCounters();
  const tls = loadTls(options, { log, clock });
  const id = clientId({ given: options.clientId, commonName: tls.commonName, stateDir: options.stateDir });
  const [journal, host] = await Promise.all([
    held.get('journal', openJournal(journalDeps(options, { clock, log, counters }))),
    held.get(
      'host facts',
      openHost({
        sources: hostFactSources,
        factsFile: options.factsFile,
        tagsFile: options.tagsFile,
        clock,
        log,
      }),
    ),
  ]);
  const broker = await held.get(
    'broker',
    openBroker({
      ...options,
      brokers: options.broker,
      clientId: id,
      tls: () => tls,
      mqtt: mqttOptions(options),
      clock,
      log: log.child({ part: 'broker' }),
    }),
  );

  const datastore = createDatastore();
  const signals = createSignals({
    onFault: (fault) => settleFault(fault, { signals, datastore, journal, counters, log }),
  });
  // Parts link themselves until they are initialised; nothing runs before every link is known to be there.
  held.parts.push({
    name: 'signals',
    init: () => {},
    run: () => signals.check(),
    stop: () => signals.close(),
  });

  const shared = { signals, datastore, journal, counters, clock, random };
  const dispatcher = createDispatcher({
    ...shared,
    log: log.child({ part: 'dispatcher' }),
    runtimeDirectory: options.runtimeDir,
    sharedSocket: options.socketAddr,
    holdersFile: path.join(options.stateDir, 'handlers.json'),
    window: options.workerWindow,
    responseLimit: options.maxContentSize,
    settings: {
      logLevel: options.logLevel.toUpperCase(),
      clientId: id,
      server: options.broker[0] ?? '',
      certFile: options.certFile ?? '',
      keyFile: options.keyFile ?? '',
      caRoot: options.caRoot.join(';'),
    },
  });
  const processor = createDataProcessor({
    ...shared,
    log: log.child({ part: 'data-processor' }),
    options: { ...options, brokerHosts: broker.hosts },
    tls: () => tls,
    version,
  });
  const router = createMessageRouter({
    ...shared,
    log: log.child({ part: 'message-router' }),
    connector: settings.connector ?? broker.connector,
    host,
    newId: randomUUID,
    options: {
      workerGrace: options.workerGrace,
      window: globalWindow,
      disconnectHold: Number.isFinite(options.disconnectHold) ? options.disconnectHold : undefined,
      reconnectFloor: options.mqttReconnectDelay,
      reconnectCap: options.mqttConnectRetryInterval,
    },
  });
  const processManager = createProcessManager({
    ...shared,
    log: log.child({ part: 'process-manager' }),
    environment: environment.variables,
    options: {
      workerDirs: options.workerDir,
      excludeWorkers: options.excludeWorker,
      configDir: options.configDir,
      runtimeDir: options.runtimeDir,
      clientId: id,
      logLevel: options.logLevel,
    },
  });
  const lifecycle = createLifecycle({
    parts: [...held.parts, dispatcher, processor, router, processManager],
    log,
  });
  return { clientId: id, signals, datastore, counters, journal, lifecycle, router, host };
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

interface JournalSurroundings {
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: Counters;
}

function journalDeps(options: Options, { clock, log, counters }: JournalSurroundings): OpenJournalDeps {
  return {
    directory: path.join(options.stateDir, 'journal'),
    limits: {
      inbox: options.inboxLimit,
      outbox: options.outboxLimit,
      reports: reportPlaces,
      done: options.doneLimit,
      dead: options.deadLimit,
    },
    reportFailures: options.reportFailures,
    clock,
    log: log.child({ part: 'journal' }),
    count: (name) => counters.count(name),
    onAlarm: () => {},
    runProbe: runProgram,
  };
}

function mqttOptions(options: Options): Partial<MqttOptions> {
  return {
    cleanSession: options.cleanSession,
    keepAlive: options.mqttKeepAlive,
    connectTimeout: options.mqttConnectTimeout,
    publishTimeout: options.mqttPublishTimeout,
    primeTopic: options.mqttPrimeTopic,
    maxMessageSize: options.maxMessageSize,
  };
}

/** What is held besides the parts: the first parts to start, the last to stop. */
class Holdings {
  readonly parts: Part[] = [];

  add(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, init: () => {}, stop });
  }

  /** Holds what an opening gives, from the moment it does. */
  async get<T extends { close(): Promise<void> | void }>(name: string, opening: Promise<T>): Promise<T> {
    const opened = await opening;
    this.add(name, () => opened.close());
    return opened;
  }

  async release(log: Logger): Promise<void> {
    for (const { name, stop } of this.parts.reverse()) {
      try {
        await stop(AbortSignal.timeout(releaseDeadline));
      } catch (error) {
        log.error({ error: reasonOf(error) }, `${name} was not released after a failed start`);
      }
    }
  }
}

type FaultDeps = Pick<Assembly, 'signals' | 'datastore' | 'journal' | 'counters'> & { readonly log: Logger };

/** A handler threw: the message it was about, if any, is given up, so that its slot does not stay taken. */
function settleFault({ signal, consumer, payload, error }: SignalFault, deps: FaultDeps): void {
  const { signals, datastore, journal, counters, log } = deps;
  counters.count('signal_faults');
  const isRequest = signal === 'data-recv' || signal === 'data-process';
  const sequence = isRequest ? (payload as RequestSignal).sequence : undefined;
  const doc = sequence === undefined ? undefined : datastore.messages.get(sequence);
  log.error(
    { message_id: doc?.messageId, signal, consumer, error: reasonOf(error) },
    'a signal handler failed, this is a fault of the program',
  );
  if (!doc) return;
  journal.inbox.bury(doc.sequence, 'internal', `The daemon failed on it: ${reasonOf(error)}`);
  datastore.messages.remove(doc.sequence);
  counters.count('messages_dead');
  void signals.emit('message-settle', {
    sequence: doc.sequence,
    directive: doc.directive,
    outcome: 'dead',
  });
}
