/**
 * Ends what a run of a worker has left behind outside of its process group: programs that it gave a session of their own,
 * found by the socket that only this run had. Goes on beside the worker's next run, which has another socket.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { endMarked, markOfSocket } from './marked-processes.ts';

/** Milliseconds that they have to end by themselves. */
const patience = 1_000;

export class Leftovers {
  readonly #endings = new Set<Promise<void>>();

  /** The run that had this socket is over. */
  end(socketPath: string, log: Logger): void {
    const ending = endMarked({
      mark: markOfSocket(socketPath),
      log,
      patience,
      found: 'the worker has ended and left a process behind; ending it',
      stuck: 'a process that the worker left behind cannot be ended',
    })
      .catch((error: unknown) =>
        log.error({ error: reasonOf(error) }, 'what the worker left behind cannot be looked for'),
      )
      .finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }

  /** Resolves when all of them have ended, or cannot be ended; takes at most the patience and two seconds. */
  async ended(): Promise<void> {
    await Promise.all(this.#endings);
  }
}
