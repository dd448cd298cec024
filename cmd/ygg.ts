/**
 * ygg: registers the host and switches the service on. Puts the commands together and turns their end into an exit status.
 */
import { tmpdir } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { systemClock } from '../src/base/clock.ts';
import { unlessAborted } from '../src/base/deadline.ts';
import { type Logger, silentLogger } from '../src/base/log.ts';
import { loadOptions } from '../src/config/load.ts';
import { parseDuration } from '../src/config/units.ts';
import { openConnection } from '../src/dbus/open.ts';
import { hostFactSources, readFacts } from '../src/host/facts.ts';
import { withDaemon } from '../src/local/daemon-door.ts';
import { packageVersion } from '../src/package-version.ts';
import { addRegistrationCommands } from '../src/registration/commands.ts';
import { createPrompts } from '../src/registration/prompts.ts';
import { runCommandLine } from './command-line.ts';
import { processEnvironment } from './environment.ts';
import { Interruption } from './interruption.ts';
import { localDaemonDoor } from './local-daemon.ts';
import { packageRoot } from './package.ts';
import { screenOf } from './screen.ts';
import { startStdioBridge } from './stdio-bridge.ts';

/** A password on the command line is not for everybody who lists processes: from here on they see this. */
process.title = 'ygg';

const environment = processEnvironment();
const systemBus = process.env['DBUS_SYSTEM_BUS_ADDRESS'] || 'unix:path=/run/dbus/system_bus_socket';
const bridge = { start: startStdioBridge, temporaryDirectory: tmpdir() };
const interruption = new Interruption(process, () => performance.now());
const out = screenOf(process.stdout);
const err = screenOf(process.stderr);

function warn(sentence: string): void {
  void err.write(`warning: ${sentence}\n`);
}

/** The words of the host's facts are for a log; here they go to the person. */
const warningLog: Logger = {
  ...silentLogger,
  warn: (fields, sentence) => warn(`${sentence} (${Object.values(fields).join(', ')})`),
};

/** `de_DE.UTF-8`; RHSM knows no C and no POSIX. */
function locale(): string {
  const { LC_ALL, LC_MESSAGES, LANG } = environment.variables;
  const found = LC_ALL || LC_MESSAGES || LANG || '';
  return /^(C|POSIX)(\.|$)/.test(found) ? '' : found;
}

const program = new Command('ygg')
  .description('Registers this host with RHSM and switches yggd on.')
  .version(packageVersion, '--version', 'print the version')
  .helpOption('--help', 'print this help')
  .exitOverride();

addRegistrationCommands(program, {
  openBus: (timeout) =>
    openConnection({ address: systemBus, name: 'the system bus', peer: false, timeout, bridge }),
  connectPeer: (address, timeout) =>
    openConnection({ address, name: "RHSM's private connection", peer: true, timeout, bridge }),
  brokerStatus: (place, timeout) =>
    withDaemon(place, timeout, localDaemonDoor({ packageRoot, environment, warn }), async (daemon) => {
      const { broker } = await daemon.status();
      return broker;
    }),
  canonicalFacts(config) {
    const { factsFile } = loadOptions({ flags: {}, environment, file: config }).options;
    return readFacts({ sources: hostFactSources, factsFile, log: warningLog });
  },
  parseDuration,
  prompts:
    process.stdin.isTTY && process.stderr.isTTY
      ? createPrompts({
          input: process.stdin,
          output: process.stderr,
          interrupted: () => process.kill(process.pid, 'SIGINT'),
          abort: interruption.signal,
        })
      : undefined,
  readStdin: () => unlessAborted(interruption.signal, buffer(process.stdin)),
  interruption: () => interruption.watch(),
  locale: locale(),
  clock: systemClock,
  out,
  err,
  setStatus(status) {
    process.exitCode = status;
  },
});

await runCommandLine(program, { out, err });
interruption.end();
