/**
 * Opens the journal of a state directory, whatever state it is in: a journal that cannot be used is moved aside
 * whole and a fresh one opened, because a host without its daemon is worse off than one without its backlog.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../base/clock.ts';
import { flushDirectory } from '../base/durable-file.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { checkpointTable } from './checkpoints.ts';
import { createJournal } from './create-journal.ts';
import { isShortage } from './disk-space.ts';
import type { Journal, JournalLimits } from './journal.ts';
import {
  examine,
  keepDamaged,
  markClean,
  moveAside,
  prepare,
  removeStrays,
  type Unusable,
} from './journal-directory.ts';
import { sequenceIn } from './ledger-own-tables.ts';
import { unreadable } from './lmdb-environment.ts';
import { LmdbStore } from './lmdb-store.ts';
import type { Store } from './store.ts';
import { tableNames } from './tables.ts';
import { WriteAheadStore } from './write-ahead-store.ts';

export interface ProbeOutcome {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** It was ended because it took longer than the deadline. */
  readonly timedOut: boolean;
}

/** Runs a Node program of this package to its end, or ends it at the deadline (milliseconds). */
export type RunProbe = (file: string, words: readonly string[], deadline: number) => Promise<ProbeOutcome>;

export interface OpenJournalDeps {
  /** `<state-dir>/journal`; its parent exists and is ours. */
  readonly directory: string;
  /** Read each time it is needed, as `reportFailures` is: they may change. */
  readonly limits: JournalLimits;
  /** Whether dead letters are reported to the server. */
  readonly reportFailures: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly count: (name: 'journal_records_damaged' | 'dead_letters_dropped') => void;
  /** What an operator must see: backlog was set aside, the disk takes nothing. */
  readonly onAlarm: (sentence: string) => void;
  readonly runProbe: RunProbe;
  /**
   * Opened to look after it while no daemon runs: one that is not there, or cannot be used, is an error and is left
   * as it is, and whether the last daemon ended cleanly stays as it was found.
   */
  readonly visitor?: boolean;
}

/** Milliseconds the probe may take; a journal too large to be read in that time is opened all the same. */
const probeDeadline = 20_000;

/**
 * Throws `YGG_JOURNAL_IO` when not even a fresh journal can be opened, or when the machine is short of something that one
 * needs that is there; for a visitor also `YGG_NOT_FOUND`.
 */
export async function openJournal(deps: OpenJournalDeps): Promise<Journal> {
  const { directory, log, visitor = false } = deps;
  const state = examine(directory);
  if (visitor && state.fresh) throw new YggError('YGG_NOT_FOUND', `There is no journal in ${directory}.`);
  let unusable = state.unusable;
  if (!unusable && !state.clean && !(await isReadable(deps))) unusable = 'damaged';
  if (visitor && unusable) throw notOpened(directory, `${whyAside[unusable]}.`);
  if (unusable) setAside(deps, unusable);
  try {
    return openPrepared(deps, state.clean);
  } catch (error) {
    if (visitor || state.fresh || unusable || isShortage(error)) throw notOpened(directory, error);
    log.error({ error: reasonOf(error) }, 'the journal could not be opened');
    setAside(deps, 'damaged');
    return openPrepared(deps, false);
  }
}

function openPrepared(deps: OpenJournalDeps, cleanStart: boolean): Journal {
  const { directory, limits, clock, log, count, onAlarm, visitor = false } = deps;
  const { contentDirectory } = prepare(directory);
  const store = openStore(deps);
  try {
    const { journal, isReferred } = createJournal({
      store,
      limits,
      get reportFailures() {
        return deps.reportFailures;
      },
      clock,
      uuid: randomUUID,
      idSeed: randomBytes(4).readInt32LE(),
      defer: setImmediate,
      contentDirectory,
      cleanStart,
      removeFile(contentFile) {
        rm(path.join(contentDirectory, contentFile), { force: true }).catch((error: unknown) => {
          log.warn({ file: contentFile, error: reasonOf(error) }, 'a content file could not be removed');
        });
      },
      onTrouble(trouble, reason) {
        if (trouble) {
          log.error({ trouble, error: reason }, 'the journal takes nothing new');
          onAlarm(`The journal takes nothing new (${trouble}): ${reason}`);
        } else {
          log.info({}, 'the journal takes messages again');
        }
      },
      onDamaged(table, key, reason) {
        count('journal_records_damaged');
        log.error({ table, key, error: reason }, 'a journal record was damaged and is set aside');
      },
      onOverflow({ messageId, directive, reason }) {
        count('dead_letters_dropped');
        log.warn({ message_id: messageId, directive, reason }, 'a dead letter was dropped to make room');
      },
      onClosing(flushed) {
        if (flushed && (cleanStart || !visitor)) markClean(directory);
        if (!flushed) log.error({}, 'the journal was closed with writes that the disk did not take');
      },
    });
    const strays = removeStrays(contentDirectory, isReferred);
    if (strays > 0) log.info({ files: strays }, 'content files that nobody refers to were removed');
    return journal;
  } catch (error) {
    void store.close();
    throw error;
  }
}

function openStore({ directory, clock, log, count, onAlarm }: OpenJournalDeps): Store {
  const tables = new LmdbStore({ directory, tables: [...tableNames, checkpointTable], clock });
  try {
    const store = new WriteAheadStore({
      directory,
      tables,
      highest: sequenceIn(tables),
      clock,
      randomBytes,
      onDamaged(file, reason) {
        count('journal_records_damaged');
        const sentence = `A part of the journal could not be read: ${reason}`;
        try {
          const kept = keepDamaged(path.join(directory, file), clock.now());
          log.error(
            { file: kept, error: reason },
            'a part of the journal could not be read and is set aside',
          );
          onAlarm(`${sentence} It was copied to ${kept}.`);
        } catch (error) {
          const fields = { file, error: reason, copy_error: reasonOf(error) };
          log.error(fields, 'a part of the journal could not be read, nor copied');
          onAlarm(`${sentence} It could not be copied: ${reasonOf(error)}`);
        }
      },
    });
    // The files that it made survive a power cut only with their names.
    flushDirectory(directory);
    return store;
  } catch (error) {
    void tables.close();
    throw error;
  }
}

/** Lets a child read everything first: damaged LMDB files may end the process that opens them. */
async function isReadable({ directory, runProbe, log }: OpenJournalDeps): Promise<boolean> {
  // The program lies beside this file, compiled or not as this file is.
  const file = fileURLToPath(new URL(`./probe${path.extname(import.meta.url)}`, import.meta.url));
  try {
    const { exitCode, signal, timedOut } = await runProbe(file, [directory], probeDeadline);
    if (timedOut) log.warn({ deadline_ms: probeDeadline }, 'the journal was too large to be probed in time');
    else if (signal !== null || exitCode === unreadable) return false;
    else if (exitCode !== 0) log.warn({ exit_code: exitCode }, 'the journal could not be probed');
  } catch (error) {
    log.warn({ error: reasonOf(error) }, 'the journal could not be probed');
  }
  return true;
}

const whyAside: Readonly<Record<Unusable, string>> = {
  newer: 'The journal was written by a newer release',
  older: 'The journal was written by a release too old to be read',
  damaged: 'The journal is damaged',
};

function setAside({ directory, clock, log, onAlarm }: OpenJournalDeps, why: Unusable): void {
  const aside = moveAside(directory, why, clock.now());
  const sentence = whyAside[why];
  log.error({ directory: aside }, `${sentence}: it was set aside, and a new one begun`);
  onAlarm(
    `${sentence}. It was moved to ${aside}, and a new one was begun; what waited in it is not delivered.`,
  );
}

function notOpened(directory: string, cause: unknown): YggError {
  return new YggError(
    'YGG_JOURNAL_IO',
    `The journal in ${directory} could not be opened: ${reasonOf(cause)}`,
    {
      cause,
    },
  );
}
