/**
 * Builds the standard daemon: directories, journal, identity and the four parts, in the order in which they start.
 *
 * Owns what is held besides the parts until the lifecycle has it.
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { Clock } from './base/clock.ts';
import { reasonOf } from './base/errors.ts';
import type { Logger } from './base/log.ts';
import { userSocketsDir } from './config/directories.ts';
import { LiveOptions } from './config/live-options.ts';
import type { Environment, Options } from './config/options.ts';
import { Alarms } from './control/alarms.ts';
import { createControlService } from './control/control-service.ts';
import { reload } from './control/reload.ts';
import type { Reloaded } from './control-api.ts';
import { type Counters, createCounters } from './counters.ts';
import { createDataProcessor } from './data-processor/data-processor.ts';
import { createDatastore, type Datastore } from './datastore.ts';
import { createDispatcher } from './dispatcher/dispatcher.ts';
import { openCertificates } from './host/certificates.ts';
import { clientId } from './host/client-id.ts';
import { hostFactSources } from './host/facts.ts';
import { openHost } from './host/host.ts';
import { claimDirectory } from './host/owner.ts';
import { checkSafeParent, ensurePrivateDirectory } from './host/safe-path.ts';
import { openStatusTimes } from './host/status-times.ts';
import { readProxies } from './http/proxies.ts';
import type { Journal } from './journal/journal.ts';
import { openJournal } from './journal/open.ts';
import { journalSettings } from './journal-settings.ts';
import { createLifecycle, type Holding, type Lifecycle, type Part } from './lifecycle.ts';
import { createMessageRouter } from './message-router/message-router.ts';
import type { Connector } from './mqtt/connector.ts';
import { openBroker } from './mqtt/open-broker.ts';
import {
  mqttFields,
  mqttOptions,
  processManagerOptions,
  processorOptions,
  routerOptions,
} from './part-options.ts';
import { runProgram } from './process/run-program.ts';
import { createProcessManager } from './process-manager.ts';
import { settleFault } from './signal-faults.ts';
import { createSignals, type Signals } from './signals.ts';

/** Everything the standard daemon is built from. */
export interface AssemblySettings {
  readonly options: Options;
  readonly environment: Environment;
  readonly version: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly connector?: Connector;
  /** The options as they would be at a start now; not set: there is no configuration to be read again. */
  readonly readOptions?: () => Options;
  /** Ends the daemon in order, to be started anew by whoever started it. */
  readonly onRestart?: () => void;
}

/** Everything a daemon consists of. */
export interface Assembly {
  readonly clientId: string;
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly counters: Counters;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  /** What SIGHUP asks for. */
  reload(): Promise<Reloaded>;
}

/** Acquires everything; on a failure what was acquired is released again. */
export async function assemble(settings: AssemblySettings): Promise<Assembly> {
  const { log } = settings;
  const holdings = new Holdings();
  try {
    return await build(settings, holdings);
  } catch (error) {
    const held = await holdings.all();
    await createLifecycle({ parts: [], held, log })
      .stop()
      .catch((failure: unknown) =>
        log.error({ error: reasonOf(failure) }, 'a failed preparation left something behind'),
      );
    throw error;
  }
}

async function build(settings: AssemblySettings, holdings: Holdings): Promise<Assembly> {
  const { environment, version, log, clock, random } = settings;
  const live = new LiveOptions(settings.options);
  const options = live.now;
  for (const directory of new Set([options.stateDir, options.runtimeDir])) {
    ensurePrivateDirectory(directory);
    const claim = claimDirectory(directory);
    holdings.add(directory, () => claim.release());
  }
  checkSafeParent(options.socketAddr);
  const counters = createCounters();
  const alarms = new Alarms(() => clock.now());
  holdings.add('counters', () => sayCounted(counters, log));
  const certificates = openCertificates({
    files: settings.options,
    nameIsClientId: options.clientId === undefined,
    clock,
    log,
  });
  holdings.add('certificates', () => certificates.close());
  const { commonName } = certificates.current;
  const id = clientId({ given: options.clientId, commonName, stateDir: options.stateDir });
  const statusTimes = openStatusTimes(options.stateDir, log);
  holdings.add('status times', () => statusTimes.close());
  const [journal, host] = await Promise.all([
    holdings.get(
      'journal',
      openJournal({
        ...journalSettings(options),
        get reportFailures() {
          return options.reportFailures;
        },
        clock,
        log: log.child({ part: 'journal' }),
        count: (name) => counters.count(name),
        onAlarm: (sentence) => alarms.raise(sentence),
        runProbe: runProgram,
      }),
    ),
    holdings.get(
      'host facts',
      openHost({
        sources: hostFactSources,
        files: options,
        clock,
        log,
      }),
    ),
  ]);
  const broker = await holdings.get(
    'broker',
    openBroker({
      ...options,
      brokers: options.broker,
      clientId: id,
      tls: () => certificates.current,
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
  const links: Part = {
    name: 'signals',
    init: () => {},
    run: () => signals.check(),
    stop: () => signals.close(),
  };

  const shared = { signals, datastore, journal, counters, clock, random };
  const dispatcher = createDispatcher({
    ...shared,
    log: log.child({ part: 'dispatcher' }),
    runtimeDirectory: options.runtimeDir,
    userSocketsDirectory: userSocketsDir(options.runtimeDir),
    sharedSocket: options.socketAddr,
    holdersFile: path.join(options.stateDir, 'handlers.json'),
    configDirectory: options.configDir,
    get window() {
      return options.workerWindow;
    },
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
    options: processorOptions(options, broker.hosts),
    tls: () => certificates.current,
    proxies: readProxies(environment.variables, (sentence) => log.warn({}, sentence)),
    version,
  });
  const router = createMessageRouter({
    ...shared,
    log: log.child({ part: 'message-router' }),
    connector: settings.connector ?? broker.connector,
    host,
    statusTimes,
    newId: randomUUID,
    options: routerOptions(options),
  });
  certificates.onChange(() => {
    if (broker.secure) void router.renew();
  });
  const processManager = createProcessManager({
    ...shared,
    log: log.child({ part: 'process-manager' }),
    environment: environment.variables,
    options: processManagerOptions(options, id),
  });
  const reloadNow = (): Promise<Reloaded> =>
    reload({
      host,
      certificates,
      resume: () => router.resume(),
      live,
      readOptions: settings.readOptions,
      onApplied(fields) {
        if (fields.has('workerGrace')) router.reconsider();
        if (fields.has('excludeWorker')) processManager.reconsider();
        if (mqttFields.some((field) => fields.has(field))) void router.renew();
      },
      log,
    });
  const control = createControlService({
    ...shared,
    runtimeDirectory: options.runtimeDir,
    log,
    newId: randomUUID,
    identity: { version, clientId: id, pid: process.pid },
    link: () => (options.protocol === 'none' && !settings.connector ? undefined : router.link),
    alarms,
    reload: reloadNow,
    onRestart: settings.onRestart,
    maxMessageSize: options.maxMessageSize,
  });
  const lifecycle = createLifecycle({
    parts: [links, dispatcher, processor, router, processManager, control],
    held: await holdings.all(),
    log,
  });
  return { clientId: id, signals, datastore, counters, journal, lifecycle, reload: reloadNow };
}

/** The last word: what was refused, dropped or repeated shows, also to those who look only afterwards. */
function sayCounted(counters: Counters, log: Logger): void {
  const counted = Object.entries(counters.all()).filter(([, count]) => count > 0);
  if (counted.length > 0) log.info(Object.fromEntries(counted), 'counted since the start');
}

/** What is held besides the parts: there before they start, let go of after they have stopped. */
class Holdings {
  readonly #held: Holding[] = [];
  readonly #opening: Promise<unknown>[] = [];

  add(name: string, stop: () => Promise<void> | void): void {
    this.#held.push({ name, stop });
  }

  /** Holds what an opening gives, from the moment it does. */
  get<T extends { close(): Promise<void> | void }>(name: string, opening: Promise<T>): Promise<T> {
    const held = opening.then((opened) => {
      this.add(name, () => opened.close());
      return opened;
    });
    this.#opening.push(held);
    return held;
  }

  /** In the order in which it was acquired, once nothing is being opened any longer. */
  async all(): Promise<readonly Holding[]> {
    await Promise.allSettled(this.#opening);
    return this.#held;
  }
}
