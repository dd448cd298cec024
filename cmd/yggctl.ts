/**
 * yggctl: talks to daemons. Puts the commands together and turns their end into an exit status.
 */
import { randomUUID } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { systemClock } from '../src/base/clock.ts';
import { YggError } from '../src/base/errors.ts';
import { silentLogger } from '../src/base/log.ts';
import { defaultRuntimeDir } from '../src/config/directories.ts';
import { hostConfigFile, loadOptions } from '../src/config/load.ts';
import { parseDuration } from '../src/config/units.ts';
import { loadTls } from '../src/host/certificate.ts';
import { clientId } from '../src/host/client-id.ts';
import { ownerOf } from '../src/host/owner.ts';
import { checkSafePath } from '../src/host/safe-path.ts';
import { addLocalCommands } from '../src/local/commands.ts';
import { type EmbeddedAccess, embeddedAccessFile, readEmbeddedAccess } from '../src/mqtt/embedded-access.ts';
import { connectRemoteClient } from '../src/mqtt/remote-client.ts';
import { createTopics } from '../src/mqtt/topics.ts';
import { packageVersion } from '../src/package-version.ts';
import { findQuickStart } from '../src/quick-start/private-folder.ts';
import { addRemoteCommands } from '../src/remote/commands.ts';
import { readMetadata } from '../src/remote/input.ts';
import { findLocalDaemon, type LocalDaemonDeps } from '../src/remote/local-daemon.ts';
import { addProjectCommands } from '../src/worker-project/commands.ts';
import { runCommandLine } from './command-line.ts';
import { processEnvironment } from './environment.ts';
import { localDaemonDoor } from './local-daemon.ts';
import { packageRoot } from './package.ts';
import { screenOf } from './screen.ts';

const environment = processEnvironment();
const tlsDeps = { log: silentLogger, clock: systemClock, anybodys: true };

function runtimeDirs(): string[] {
  const quickStart = findQuickStart(packageRoot, environment.uid);
  return [...(quickStart === undefined ? [] : [quickStart]), defaultRuntimeDir(environment)];
}

function readAccess(runtimeDir: string): EmbeddedAccess | undefined {
  const file = embeddedAccessFile(path.resolve(runtimeDir));
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  checkSafePath(file);
  // What a killed daemon left names a port that is anybody's by now.
  if (ownerOf(path.dirname(file)) === undefined) return undefined;
  return readEmbeddedAccess(path.dirname(file));
}

const readConfig: LocalDaemonDeps['readConfig'] = (file) => {
  const { options, files } = loadOptions({ flags: {}, environment, file });
  const { certFile, keyFile, caRoot, topicPrefix, stateDir, broker } = options;
  const source = files.join(', ') || hostConfigFile;
  const { commonName } = loadTls({ certFile, keyFile, caRoot: [] }, tlsDeps);
  const newId = (): never => {
    throw new YggError(
      'YGG_NOT_RUNNING',
      `The daemon that ${source} describes has no client id yet, because it never ran. Start it, or name the host with --to.`,
    );
  };
  // Asked for only when somebody wants to know: the state directory may be closed to this user.
  const id = broker.length === 0 ? '' : clientId({ given: options.clientId, commonName, stateDir, newId });
  return {
    source,
    daemon: { clientId: id, topicPrefix, brokers: broker, certFile, keyFile, caRoots: caRoot },
  };
};

/** Ctrl-C, or nobody reads any longer (`yggctl remote listen | head`). */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    process.stdout.once('error', () => resolve());
  });
}

const out = screenOf(process.stdout);
const err = screenOf(process.stderr);
const program = new Command('yggctl')
  .description('Talks to yggd: the daemon of this machine, and hosts elsewhere through their broker.')
  .version(packageVersion, '--version', 'print the version')
  .helpOption('--help', 'print this help')
  .exitOverride();

program.commandsGroup('The daemon of this machine:');
addLocalCommands(program, {
  ...localDaemonDoor({
    packageRoot,
    environment,
    warn: (sentence) => void err.write(`warning: ${sentence}\n`),
  }),
  parseDuration,
  readMetadata,
  readFile: (file) => readFileSync(file),
  readStdin: () => buffer(process.stdin),
  interrupted,
  clock: systemClock,
  out,
  err,
});

program.commandsGroup('Hosts, through their broker:');
addRemoteCommands(program, {
  connect: connectRemoteClient,
  createTopics,
  findDaemon: (lookup) => findLocalDaemon(lookup, { runtimeDirs: runtimeDirs(), readAccess, readConfig }),
  newClientId: () => `yggctl-${randomUUID().slice(0, 8)}`,
  newId: randomUUID,
  parseDuration,
  loadTls: (files) => loadTls(files, tlsDeps),
  readFile: (file) => readFileSync(file),
  readStdin: () => buffer(process.stdin),
  interrupted,
  clock: systemClock,
  out,
  err,
});

program.commandsGroup('Writing workers:');
addProjectCommands(program, { version: packageVersion, out });

await runCommandLine(program, { out, err });
