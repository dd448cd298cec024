/**
 * Shows the service manager that the daemon gets on, and in a sentence how it is.
 *
 * Owns two timers. That they fire at all shows that the event loop turns; that the journal does not wait for its disk
 * shows that messages can. A disk that is full or refuses is no reason to keep silent: it has answered, and a new
 * process would fare no better.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Notifier } from './notify.ts';

export interface HeartbeatDeps {
  readonly notifier: Pick<Notifier, 'alive' | 'status'>;
  readonly clock: Pick<Clock, 'every'>;
  readonly log: Logger;
  /** Milliseconds of silence after which the manager ends the process; not set: it waits for ever. */
  readonly watchdog: number | undefined;
  /** Milliseconds for which the journal has waited for its disk. */
  readonly stalledFor: () => number;
  readonly status: () => string;
}

export interface Heartbeat {
  stop(): void;
}

/** Milliseconds. */
const statusInterval = 2_000;

export function startHeartbeat(deps: HeartbeatDeps): Heartbeat {
  const { notifier, clock, log, watchdog, stalledFor, status } = deps;
  let said = '';
  let saying = false;
  let stuck = false;

  function sayStatus(): void {
    const sentence = status();
    if (saying || sentence === said) return;
    said = sentence;
    saying = true;
    void notifier.status(sentence).finally(() => {
      saying = false;
    });
  }

  function feed(span: number): void {
    const waited = stalledFor();
    if (waited > span / 2 && !stuck) {
      log.error(
        { waited_ms: Math.round(waited) },
        'the journal is stuck; the watchdog is not fed until it moves',
      );
    }
    stuck = waited > span / 2;
    if (!stuck) void notifier.alive();
  }

  const timers = [clock.every(statusInterval, sayStatus)];
  sayStatus();
  if (watchdog !== undefined) {
    // Half would do; a third leaves room for one that is late.
    timers.push(clock.every(watchdog / 3, () => feed(watchdog)));
    feed(watchdog);
  }
  return {
    stop() {
      for (const timer of timers.splice(0)) timer.cancel();
    },
  };
}

/** Milliseconds of `$WATCHDOG_USEC`; undefined when there is no watchdog, or it is for another process. */
export function watchdogOf(
  variables: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const microseconds = Number(variables['WATCHDOG_USEC']);
  const meant = variables['WATCHDOG_PID'];
  if (!(microseconds > 0) || (meant !== undefined && meant !== String(pid))) return undefined;
  return microseconds / 1_000;
}
