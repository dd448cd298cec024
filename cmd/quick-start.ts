/**
 * The quick start, which `npm start` runs: the daemon with a broker of its own and the echo worker, in a private
 * folder, until Ctrl-C.
 */

import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { pause } from '../src/base/deadline.ts';
import { exitOf, reasonOf } from '../src/base/errors.ts';
import { createLogger } from '../src/base/logger.ts';
import { optionsWith } from '../src/config/load.ts';
import { createDaemon, type PreparedDaemon } from '../src/daemon.ts';
import { ensurePrivateDirectory } from '../src/host/safe-path.ts';
import { packageVersion } from '../src/package-version.ts';
import { banner } from '../src/quick-start/banner.ts';
import { installEchoWorker } from '../src/quick-start/echo-worker.ts';
import { openPrivateFolder, type PrivateFolder } from '../src/quick-start/private-folder.ts';
import { endWith, reportCrashes } from './ending.ts';
import { processEnvironment, wantsColour } from './environment.ts';
import { setHeapForWork } from './heap.ts';
import { packageRoot } from './package.ts';
import { processSignals } from './process-signals.ts';
import { runService } from './service.ts';

/** Milliseconds to wait for the echo worker and the subscriptions before saying what is there. */
const settlingTime = 10_000;

async function main(): Promise<number> {
  process.umask(0o077);
  const environment = processEnvironment();
  const folder = openPrivateFolder({ packageRoot, temporaryDirectory: tmpdir(), ensurePrivateDirectory });
  // However it ends, but for SIGKILL.
  process.on('exit', () => folder.release());
  const { workerDir, configDir, stateDir, runtimeDir } = folder;
  installEchoWorker({
    workerDir,
    configDir,
    program: path.join(packageRoot, 'dist', 'workers', 'echo', 'worker.js'),
    settings: path.join(packageRoot, 'workers', 'echo', 'echo.toml'),
    node: process.execPath,
  });
  const options = optionsWith(
    { broker: ['embedded'], workerDir: [workerDir], configDir, stateDir, runtimeDir, logLevel: 'warn' },
    environment,
  );
  const { logLevel, stopTimeout } = options;
  const log = await createLogger({
    format: 'text',
    level: logLevel,
    stream: process.stderr,
    colour: wantsColour(),
  });
  reportCrashes(log);
  const daemon = createDaemon({ options, log, environment });
  const status = await runService({
    service: {
      async start() {
        const prepared = await daemon.prepare();
        const settled = settling(prepared);
        await prepared.run();
        await settled;
        setHeapForWork();
        folder.announce();
        process.stdout.write(greeting(prepared, folder));
      },
      stop: () => daemon.stop(),
      force: () => daemon.force(),
      async reload() {
        // At a terminal SIGHUP says that the terminal is gone, and the quick start goes with it.
        if (process.stdout.isTTY) process.kill(process.pid, 'SIGTERM');
        else await (await daemon.prepare()).reload();
      },
    },
    signals: processSignals,
    notifier: { ready: async () => {}, reloading: async () => {}, stopping: async () => {} },
    clock: systemClock,
    log,
    stopTimeout,
  });
  await endWith(status, log);
  return status;
}

/** Resolves when the echo worker has registered and messages can arrive, or when that takes too long to wait for. */
function settling({ signals }: PreparedDaemon): Promise<void> {
  const settled = new AbortController();
  const missing = new Set(['echo', 'broker']);
  const arrived = (what: string): void => {
    missing.delete(what);
    if (missing.size === 0) settled.abort();
  };
  signals.observe('worker-register', ({ handler }) => arrived(handler));
  signals.observe('topic-subscribe', () => arrived('broker'));
  return pause(settlingTime, { abort: settled.signal, clock: systemClock });
}

function greeting(
  { clientId, datastore }: PreparedDaemon,
  { root, temporary, workerDir }: PrivateFolder,
): string {
  const workers = datastore.workers.all().map(({ handler }) => handler);
  const colour = wantsColour(process.stdout);
  const yggctl = 'npx yggctl';
  return banner({
    version: packageVersion,
    clientId,
    workers,
    folder: root,
    temporary,
    workerDir,
    yggctl,
    colour,
  });
}

/** Says what was wrong; the exit status for it. */
function refuse(error: unknown): number {
  process.stderr.write(`The quick start cannot run: ${reasonOf(error)}\n`);
  return exitOf(error);
}

// A terminal that is gone must not end it before the daemon has stopped.
process.stdout.on('error', () => {});
try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = refuse(error);
}
