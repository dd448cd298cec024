/**
 * The journal as the options want it, for whoever opens it: the daemon, and yggctl while no daemon runs.
 */
import path from 'node:path';
import type { Options } from './config/options.ts';
import type { OpenJournalDeps } from './journal/open.ts';

/** Failure reports have places of their own, so that a full outbox does not keep the server from hearing why. */
const reportPlaces = 10_000;

export function journalSettings(
  options: Options,
): Pick<OpenJournalDeps, 'directory' | 'limits' | 'reportFailures'> {
  const { stateDir, inboxLimit, outboxLimit, doneLimit, deadLimit, reportFailures } = options;
  return {
    directory: path.join(stateDir, 'journal'),
    limits: {
      inbox: inboxLimit,
      outbox: outboxLimit,
      reports: reportPlaces,
      done: doneLimit,
      dead: deadLimit,
    },
    reportFailures,
  };
}
