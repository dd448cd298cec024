/**
 * The control service: the part that lets an operator look into the daemon and tell it things.
 *
 * Owns `control.sock` and knows since when the disk has trouble. Signals out: `inbox-add`, and `data-return` for a
 * response that is tried again. Everything it serves is loaded when it runs, after all other parts do, so that it
 * delays none of them. A daemon whose socket cannot be opened goes on without it.
 */
import path from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { DiskStatus } from '../control-api.ts';
import type { DrainStage, Part } from '../lifecycle.ts';
import type { ControlDeps } from './create-control.ts';
import { Restart } from './restart.ts';

export interface ControlServiceDeps extends Omit<ControlDeps, 'disk' | 'restart' | 'isClosing' | 'identity'> {
  readonly runtimeDirectory: string;
  readonly identity: Omit<ControlDeps['identity'], 'startedAt'>;
  /** Ends the daemon in order; not set: it belongs to a program that cannot be asked for that. */
  readonly onRestart: (() => void) | undefined;
}

/** What is open while it runs. */
interface ControlSocket {
  close(): void;
}

export function createControlService(deps: ControlServiceDeps): Part {
  return new ControlService(deps);
}

class ControlService implements Part {
  readonly name = 'control';
  readonly #deps: ControlServiceDeps;
  readonly #startedAt: number;
  readonly #restart: Restart;
  #disk: DiskStatus;
  #stopListening: (() => void) | undefined;
  #socket: ControlSocket | undefined;
  #closing = false;

  constructor(deps: ControlServiceDeps) {
    const { clock, journal } = deps;
    this.#deps = deps;
    this.#restart = new Restart(deps);
    this.#startedAt = clock.now();
    this.#disk = { trouble: journal.trouble ?? '', since: journal.trouble ? this.#startedAt : 0 };
  }

  init(): void {
    const { journal, clock } = this.#deps;
    this.#stopListening = journal.onTrouble((trouble) => {
      this.#disk = { trouble: trouble ?? '', since: trouble ? clock.now() : 0 };
    });
  }

  async run(): Promise<void> {
    const { runtimeDirectory, maxMessageSize, log } = this.#deps;
    try {
      const [{ createControl }, { openControlSocket }] = await Promise.all([
        import('./create-control.ts'),
        import('../rpc/control-socket.ts'),
      ]);
      const control = createControl({
        ...this.#deps,
        identity: { ...this.#deps.identity, startedAt: this.#startedAt },
        disk: () => this.#disk,
        restart: this.#restart,
        isClosing: () => this.#closing,
      });
      const socketPath = path.join(runtimeDirectory, 'control.sock');
      const socket = await openControlSocket({ path: socketPath, control, maxMessageSize });
      if (this.#closing) socket.close();
      else this.#socket = socket;
    } catch (error) {
      log.error(
        { error: reasonOf(error) },
        'the control socket could not be opened; yggctl cannot reach this daemon',
      );
    }
  }

  drain(stage: DrainStage): void {
    if (stage === 'quiet') this.#close();
  }

  stop(): void {
    this.#close();
    this.#stopListening?.();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #close(): void {
    this.#closing = true;
    this.#restart.close();
  }
}
