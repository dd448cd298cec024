/**
 * Where yggctl finds the daemon of this machine and its state, and how it gets in.
 */
import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { YggError } from '../src/base/errors.ts';
import { silentLogger } from '../src/base/log.ts';
import { defaultRuntimeDir } from '../src/config/directories.ts';
import { loadOptions } from '../src/config/load.ts';
import type { Environment, Options } from '../src/config/options.ts';
import { claimDirectory } from '../src/host/owner.ts';
import { checkSafePath } from '../src/host/safe-path.ts';
import { journalSettings } from '../src/journal-settings.ts';
import type { DaemonDoorDeps, StoppedDaemon } from '../src/local/daemon-door.ts';
import { findQuickStart, findQuickStartState } from '../src/quick-start/private-folder.ts';

export interface LocalDaemonPlaces {
  readonly packageRoot: string;
  readonly environment: Environment;
  /** What an operator must hear of a journal that is opened. */
  readonly warn: (sentence: string) => void;
}

export function localDaemonDoor({ packageRoot, environment, warn }: LocalDaemonPlaces): DaemonDoorDeps {
  const options = (file: string | undefined): Options =>
    loadOptions({ flags: {}, environment, file }).options;
  const { uid } = environment;
  return {
    runtimeDirs(config) {
      if (config !== undefined) return [options(config).runtimeDir];
      return present([findQuickStart(packageRoot, uid), usualRuntimeDir(environment)]);
    },
    stateDirs(config) {
      if (config !== undefined) return [options(config).stateDir];
      return present([findQuickStartState(packageRoot, uid), options(undefined).stateDir]);
    },
    async findSocket(runtimeDir) {
      const socket = path.join(path.resolve(runtimeDir), 'control.sock');
      if (!lookAt(socket)?.isSocket()) return undefined;
      checkSafePath(socket);
      const { takesConnections } = await import('../src/rpc/address.ts');
      return (await takesConnections(socket)) ? socket : undefined;
    },
    async connect(way) {
      const { connectControl } = await import('../src/rpc/control-client.ts');
      return connectControl(way);
    },
    openStopped: (stateDir, config) => openStopped(path.resolve(stateDir), options(config), warn),
  };
}

/** A daemon that runs is to be found also when its configuration has a mistake by now. */
function usualRuntimeDir(environment: Environment): string {
  try {
    return loadOptions({ flags: {}, environment }).options.runtimeDir;
  } catch {
    return defaultRuntimeDir(environment);
  }
}

/** Owns the directory like a daemon until it is closed. */
async function openStopped(
  stateDir: string,
  options: Options,
  warn: (sentence: string) => void,
): Promise<StoppedDaemon | undefined> {
  const settings = journalSettings({ ...options, stateDir });
  if (!lookAt(settings.directory)) return undefined;
  checkSafePath(stateDir);
  process.umask(0o077);
  const claim = claimDirectory(stateDir);
  try {
    const [{ openJournal }, { runProgram }, { createMessageDesk }, { createDeadLetterDesk }] =
      await Promise.all([
        import('../src/journal/open.ts'),
        import('../src/process/run-program.ts'),
        import('../src/control/messages.ts'),
        import('../src/control/dead-letters.ts'),
      ]);
    const journal = await openJournal({
      ...settings,
      clock: systemClock,
      log: silentLogger,
      count: () => {},
      onAlarm: warn,
      runProbe: runProgram,
      visitor: true,
    });
    return {
      stateDir,
      ...createMessageDesk(journal),
      ...createDeadLetterDesk({ journal, onRetried: () => {}, onDropped: () => {} }),
      async close() {
        await journal.close();
        claim.release();
      },
    };
  } catch (error) {
    claim.release();
    if (error instanceof YggError && error.code === 'YGG_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Throws `YGG_NOT_ALLOWED` where this user may not even look. */
function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error;
    throw new YggError(
      'YGG_NOT_ALLOWED',
      `${path.dirname(file)} is closed to this user; run this as the user of the daemon.`,
      { cause: error },
    );
  }
}

function present(places: ReadonlyArray<string | undefined>): string[] {
  return places.filter((place) => place !== undefined);
}
