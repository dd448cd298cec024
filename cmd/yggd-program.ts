/**
 * The host daemon as a program: reads the command line and the configuration, runs the daemon, ends with a status.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CommanderError } from 'commander';
import { systemClock } from '../src/base/clock.ts';
import { errorTable, exitOf, reasonOf } from '../src/base/errors.ts';
import type { Logger } from '../src/base/log.ts';
import { createLogger } from '../src/base/logger.ts';
import { daemonCommand, readCommandLine } from '../src/config/flags.ts';
import { type Loaded, loadOptions } from '../src/config/load.ts';
import type { Options } from '../src/config/options.ts';
import type { Daemon, PreparedDaemon } from '../src/daemon.ts';
import { type Heartbeat, startHeartbeat, watchdogOf } from '../src/host/heartbeat.ts';
import { createNotifier, type Notifier } from '../src/host/notify.ts';
import { checkSafePath } from '../src/host/safe-path.ts';
import { packageVersion } from '../src/package-version.ts';
import { endWith, reportCrashes } from './ending.ts';
import { processEnvironment, suitableLogFormat, wantsColour } from './environment.ts';
import { setHeapForWork } from './heap.ts';
import { processSignals } from './process-signals.ts';
import { referenceOf } from './reference.ts';
import { runService, type Service } from './service.ts';
import { bootstrapped, describing } from './service-status.ts';

async function main(words: readonly string[]): Promise<number> {
  const reference = await referenceOf(words, () => daemonCommand(packageVersion));
  if (reference !== undefined) return print(reference);
  const { action, file, flags } = readCommandLine(words, packageVersion);
  switch (action) {
    case 'example':
      return print((await import('../src/config/reference.ts')).exampleToml());
    case 'markdown':
      return print((await import('../src/config/reference.ts')).optionsMarkdown());
    case 'config-page':
      return print((await import('../src/config/reference.ts')).configPage(packageVersion));
  }
  const load = (): Loaded => {
    const loaded = loadOptions({ flags, file, environment: processEnvironment() });
    // Whoever could write there would choose the broker, and so who commands the workers.
    for (const read of loaded.files) checkSafePath(read);
    return loaded;
  };
  const loaded = load();
  if (action === 'check') return print((await import('./check-config.ts')).checkConfiguration(loaded));
  return await run(loaded, () => load().options);
}

async function run({ options, warnings, files }: Loaded, readOptions: () => Options): Promise<number> {
  // Files and sockets are for nobody else; what workers create is up to them.
  process.umask(0o077);
  const log = await createLogger({
    format: options.logFormat ?? suitableLogFormat(),
    level: options.logLevel,
    stream: process.stderr,
    colour: wantsColour(),
  });
  reportCrashes(log);
  log.info({ version: packageVersion, node: process.version, pid: process.pid, files }, 'yggd starts');
  for (const warning of warnings) log.warn({}, warning);
  const notifier = createNotifier({
    socket: process.env['NOTIFY_SOCKET'],
    run: async (program, args) => void (await promisify(execFile)(program, [...args], { timeout: 5_000 })),
    uptime: () => process.hrtime.bigint() / 1_000n,
    log,
  });
  // A stop like every other one: what started the process starts it again.
  const onRestart = (): void => void process.kill(process.pid, 'SIGTERM');
  let current = options;
  const readAgain = (): Options => {
    current = readOptions();
    return current;
  };
  // Loading it takes a while, in which signals are already listened to.
  const loading = import('../src/daemon.ts');
  const daemon = loading.then(({ createDaemon }) =>
    createDaemon({ options, readOptions: readAgain, onRestart, log, environment: processEnvironment() }),
  );
  const status = await runService({
    service: serviceOf(daemon, beatOf(notifier, options, log)),
    signals: processSignals,
    notifier,
    clock: systemClock,
    log,
    get stopTimeout() {
      return current.stopTimeout;
    },
  });
  await endWith(status, log);
  return status;
}

/** Starts what shows the service manager how a daemon is; nothing where there is none. */
function beatOf(
  notifier: Notifier,
  { protocol }: Options,
  log: Logger,
): (daemon: PreparedDaemon) => Heartbeat {
  return (daemon) => {
    if (!notifier.heard) return { stop() {} };
    return startHeartbeat({
      ...{ notifier, clock: systemClock, log },
      watchdog: watchdogOf(process.env, process.pid),
      stalledFor: () => daemon.journal.stalledFor,
      status: describing(daemon, protocol !== 'none'),
    });
  };
}

function serviceOf(daemon: Promise<Daemon>, beat: (daemon: PreparedDaemon) => Heartbeat): Service {
  let prepared: PreparedDaemon | undefined;
  let heartbeat: Heartbeat | undefined;
  return {
    async start() {
      prepared = await (await daemon).prepare();
      const tried = bootstrapped(prepared);
      heartbeat = beat(prepared);
      await prepared.run();
      setHeapForWork();
      await tried;
    },
    // A stop feeds the watchdog too: it may take its time, and is over when the process is.
    stop: async () => {
      try {
        await (await daemon).stop();
      } finally {
        heartbeat?.stop();
      }
    },
    force: async () => (await daemon).force(),
    reload: async () => void (await prepared?.reload()),
  };
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Says what was wrong before there was a log; the exit status for it. */
function refuse(error: unknown): number {
  // Commander has said it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : errorTable.YGG_USAGE.exit;
  // The journal takes the level from the line, as of those of the log.
  const level = suitableLogFormat() === 'journal' ? '<3>' : '';
  for (const line of reasonOf(error).split('\n')) process.stderr.write(`${level}yggd: ${line}\n`);
  return exitOf(error);
}

// A reader that has seen enough (`yggd --help | head`) is nobody's fault.
process.stdout.on('error', () => {});
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = refuse(error);
}
