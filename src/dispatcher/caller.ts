/**
 * Whoever calls on one dispatcher socket: one incarnation of a worker file, or, on the shared socket, every worker
 * that somebody else started.
 */
import type { DispatcherSocket } from '../rpc/dispatcher-socket.ts';
import type { LiveWorker } from './live-worker.ts';
import type { SocketPlace } from './socket-place.ts';

export class Caller {
  /** Its worker file; empty for the shared socket. */
  readonly file: string;
  /** Where the sockets between it and us lie. */
  readonly place: SocketPlace;
  /** What it registered, by handler; what it had is kept here while its last responses are read. */
  readonly workers: Map<string, LiveWorker> = new Map();
  /** It has asked for the settings, so it knows what to do with the HTTP result of its Sends and waits for it. */
  wantsResults = false;
  /** Its process has ended. */
  ended = false;
  #socket: DispatcherSocket | undefined;

  constructor(file: string, place: SocketPlace) {
    this.file = file;
    this.place = place;
  }

  get shared(): boolean {
    return this.file === '';
  }

  get socket(): DispatcherSocket | undefined {
    return this.#socket;
  }

  /** The socket is bound after the caller is made, because its calls are passed to it. */
  listens(socket: DispatcherSocket): void {
    this.#socket = socket;
  }

  /** For people: who this is. */
  get title(): string {
    return this.shared ? 'a worker started by hand' : this.file;
  }
}
