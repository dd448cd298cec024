/**
 * The journal as the options want it, for whoever opens it: the daemon, and yggctl while no daemon runs.
 */
import path from 'node:path';
import type { Options } from './config/options.ts';
import type { OpenJournalDeps } from './journal/open.ts';

/** Failure reports have places of their own, so that a full outbox does not keep the server from hearing why. */
const reportPlaces = 10_000;

/** The limits are read anew each time, and so follow options that change. */
export function journalSettings(
  options: Options,
): Pick<OpenJournalDeps, 'directory' | 'limits' | 'reportFailures'> {
  return {
    directory: path.join(options.stateDir, 'journal'),
    limits: {
      reports: reportPlaces,
      get inbox() {
        return options.inboxLimit;
      },
      get outbox() {
        return options.outboxLimit;
      },
      get done() {
        return options.doneLimit;
      },
      get dead() {
        return options.deadLimit;
      },
    },
    get reportFailures() {
      return options.reportFailures;
    },
  };
}
