/**
 * The calls of a running daemon, each from the file that is about it.
 */
import type { Clock } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import { isLeveled, type Logger } from '../base/log.ts';
import type { Control, DaemonStatus, DiskStatus, Reloaded } from '../control-api.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal } from '../journal/journal.ts';
import type { MessageRecord } from '../journal/message-record.ts';
import type { LinkState } from '../mqtt/broker-link.ts';
import type { Signals } from '../signals.ts';
import type { Alarms } from './alarms.ts';
import { createDeadLetterDesk } from './dead-letters.ts';
import { dispatch } from './dispatch.ts';
import { watch } from './events.ts';
import { createMessageDesk } from './messages.ts';
import type { Restart } from './restart.ts';
import { daemonStatus } from './status.ts';
import { workerStatuses } from './workers.ts';

export interface ControlDeps {
  readonly signals: Signals;
  readonly datastore: Datastore;
  readonly journal: Journal;
  readonly counters: Counters;
  readonly clock: Clock;
  /** Its level is what SetLogLevel changes, if it can be changed. */
  readonly log: Logger;
  /** A new UUID. */
  readonly newId: () => string;
  /** `undefined` for a daemon without a broker. */
  readonly link: () => LinkState | undefined;
  readonly alarms: Pick<Alarms, 'all'>;
  readonly reload: () => Promise<Reloaded>;
  /** Bytes a content may have. */
  readonly maxMessageSize: number;
  readonly identity: Pick<DaemonStatus, 'version' | 'clientId' | 'pid' | 'startedAt'>;
  readonly disk: () => DiskStatus;
  readonly restart: Pick<Restart, 'want' | 'latestAt'>;
  /** The daemon stops: nothing new is begun. */
  readonly isClosing: () => boolean;
}

export function createControl(deps: ControlDeps): Control {
  const { signals, journal, log, alarms, reload, restart, isClosing } = deps;

  function logLevel(): string {
    return isLeveled(log) ? log.level : '';
  }

  function onRetried({ sequence, messageId, directive, kind }: MessageRecord): void {
    log.info({ message_id: messageId, directive, kind }, 'a dead letter is tried again');
    if (kind === 'request') void signals.emit('inbox-add', { sequence, directive });
    else if (kind === 'response') signals.nudge('data-return', { sequence });
  }

  function onDropped({ messageId, directive, kind }: MessageRecord): void {
    log.info({ message_id: messageId, directive, kind }, 'a dead letter was dropped');
  }

  return {
    ...createMessageDesk(journal),
    ...createDeadLetterDesk({ journal, onRetried, onDropped }),
    status: async () =>
      daemonStatus({ ...deps, logLevel, alarms: () => alarms.all, restartAt: () => restart.latestAt }),
    workers: async () => workerStatuses(deps),
    dispatch(request, abort) {
      if (isClosing()) throw new YggError('YGG_CLOSED', 'The daemon is stopping.');
      return dispatch(deps, request, abort);
    },
    events: (abort) => watch(deps, abort),
    async reload() {
      log.info({}, 'reloading');
      return await reload();
    },
    async restart(request) {
      if (isClosing()) throw new YggError('YGG_CLOSED', 'The daemon is stopping.');
      return restart.want(request);
    },
    async setLogLevel(level) {
      if (!isLeveled(log))
        throw new YggError('YGG_USAGE', 'The log of this daemon has no level to be changed.');
      log.level = level;
      log.info({ level }, 'the log level was changed');
    },
  };
}
