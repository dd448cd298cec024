/**
 * The calls of a running daemon, each from the file that is about it.
 */
import { YggError } from '../base/errors.ts';
import { isLeveled } from '../base/log.ts';
import type { Control, DaemonStatus, DiskStatus } from '../control-api.ts';
import type { MessageRecord } from '../journal/message-record.ts';
import type { ControlServiceDeps } from './control-service.ts';
import { createDeadLetterDesk } from './dead-letters.ts';
import { dispatch } from './dispatch.ts';
import { watch } from './events.ts';
import { createMessageDesk } from './messages.ts';
import type { Restart } from './restart.ts';
import { daemonStatus } from './status.ts';
import { workerStatuses } from './workers.ts';

export interface CreateControlDeps extends ControlServiceDeps {
  readonly identity: Pick<DaemonStatus, 'version' | 'clientId' | 'pid' | 'startedAt'>;
  readonly disk: () => DiskStatus;
  readonly restart: Pick<Restart, 'want' | 'latestAt'>;
  /** The daemon stops: nothing new is begun. */
  readonly isClosing: () => boolean;
}

export function createControl(deps: CreateControlDeps): Control {
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
