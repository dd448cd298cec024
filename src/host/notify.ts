/**
 * Tells the service manager how the daemon is (sd_notify(3)).
 *
 * Node has no unix datagram sockets, so each word goes through the program `systemd-notify`; the unit needs
 * `NotifyAccess=all`. Words are said in order, one at a time. Without a manager that listens nothing happens; a word
 * that cannot be said is only logged, once until one can be said again.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface NotifierDeps {
  /** `$NOTIFY_SOCKET`. */
  readonly socket: string | undefined;
  /** Runs a program to its end and rejects when it fails; with the daemon's own environment. */
  readonly run: (program: string, words: readonly string[]) => Promise<void>;
  /** Microseconds of the clock that only goes forward, as the kernel counts them (CLOCK_MONOTONIC). */
  readonly uptime: () => bigint;
  readonly log: Logger;
}

/** Every word resolves when it was said, or could not be. */
export interface Notifier {
  /** Whether anybody listens. */
  readonly heard: boolean;
  /** The start, or a reload, is over. */
  ready(): Promise<void>;
  /** The configuration is being read again; `ready` follows. */
  reloading(): Promise<void>;
  /** The stop has begun. */
  stopping(): Promise<void>;
  /** Feeds the watchdog. */
  alive(): Promise<void>;
  /** What `systemctl status` shows. */
  status(sentence: string): Promise<void>;
}

export function createNotifier({ socket, run, uptime, log }: NotifierDeps): Notifier {
  let last = Promise.resolve();
  let failing = false;

  async function tell(words: readonly string[]): Promise<void> {
    try {
      await run('systemd-notify', words);
      failing = false;
    } catch (error) {
      if (!failing) {
        log.warn({ word: words[0], error: reasonOf(error) }, 'the service manager could not be told');
      }
      failing = true;
    }
  }

  function say(...words: readonly string[]): Promise<void> {
    if (!socket) return last;
    last = last.then(() => tell(words));
    return last;
  }

  return {
    heard: Boolean(socket),
    ready: () => say('READY=1'),
    reloading: () => say('RELOADING=1', `MONOTONIC_USEC=${uptime()}`),
    stopping: () => say('STOPPING=1'),
    alive: () => say('WATCHDOG=1'),
    status: (sentence) => say(`STATUS=${sentence}`),
  };
}
