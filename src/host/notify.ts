/**
 * Tells the service manager how the daemon is (sd_notify(3)).
 *
 * Node has no unix datagram sockets, so each word goes through the program `systemd-notify`; the unit needs
 * `NotifyAccess=all`. Without a manager that listens nothing happens; a word that cannot be said is only logged.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface NotifierDeps {
  /** `$NOTIFY_SOCKET`. */
  readonly socket: string | undefined;
  /** Runs a program to its end and rejects when it fails; with the daemon's own environment. */
  readonly run: (program: string, words: readonly string[]) => Promise<void>;
  readonly log: Logger;
}

export interface Notifier {
  /** The start is over. */
  ready(): Promise<void>;
  /** The stop has begun. */
  stopping(): Promise<void>;
}

export function createNotifier({ socket, run, log }: NotifierDeps): Notifier {
  async function say(word: string): Promise<void> {
    if (!socket) return;
    try {
      await run('systemd-notify', [word]);
    } catch (error) {
      log.warn({ word, error: reasonOf(error) }, 'the service manager could not be told');
    }
  }
  return { ready: () => say('READY=1'), stopping: () => say('STOPPING=1') };
}
