/**
 * The link to a worker that serves calls: one call per message, and what the worker sends back ends it.
 *
 * Owns the connection to the address the worker was given, and the one to the address of a renewed registration until
 * the worker listens there; removes the socket files.
 */
import type { Clock } from '../base/clock.ts';
import { type BrokerEvent, type Protocol, workerReceiveLimit } from '../rpc/protocol.ts';
import { type HandOver, openWorkerConnection, type WorkerConnection } from '../rpc/worker-connection.ts';
import type { HandedMessage } from './handed-message.ts';
import type { Job } from './job.ts';
import { listens, startTime } from './pulse.ts';
import type { WorkerSocket } from './socket-place.ts';
import type { WorkerLink } from './worker-link.ts';

export interface UnaryLinkDeps {
  /** Where the worker is to listen. */
  readonly socket: WorkerSocket;
  readonly protocol: Protocol;
  readonly clock: Clock;
  /** The connection came up or went down. */
  readonly onChange: (ready: boolean) => void;
}

/** A connection, and the socket it leads to. */
interface Line {
  readonly call: WorkerConnection;
  readonly socket: WorkerSocket;
}

/** Calls begun in one turn of the event loop; between turns the answers of workers are served. */
const callsPerTurn = 16;

export class UnaryLink implements WorkerLink {
  readonly settles = false;
  readonly room: number = Infinity;
  readonly perTurn: number = callsPerTurn;
  readonly contentLimit: number = workerReceiveLimit;
  readonly inlineLimit: number = workerReceiveLimit;
  readonly #deps: UnaryLinkDeps;
  #connection: Line;
  /** To the address of a renewed registration; takes the place of `#connection` once the worker listens there. */
  #candidate: Line | undefined;

  constructor(deps: UnaryLinkDeps) {
    this.#deps = deps;
    this.#connection = this.#open(deps.socket);
  }

  get ready(): boolean {
    return this.#connection.call.ready;
  }

  hand(_job: Job, message: HandedMessage, done: (outcome: HandOver) => void): 'calling' {
    this.#connection.call.send(message, done);
    return 'calling';
  }

  /** Plain workers have no such call. */
  cancel(): boolean {
    return false;
  }

  drop(): void {}

  notify(event: BrokerEvent): Promise<'heard' | 'unknown' | 'failed'> {
    return this.#connection.call.notify(event);
  }

  /** A stopped process still takes connections, one that has just registered does not yet: both live. */
  async lives(ms: number, pid: number): Promise<boolean> {
    if (this.ready || (await listens(this.#connection.socket.path, ms, this.#deps.clock))) return true;
    return startTime(pid) !== undefined;
  }

  /** The worker is called at another address as soon as it listens there; the first one is in use until then. */
  renew(socket: WorkerSocket): void {
    if (this.#candidate) hangUp(this.#candidate);
    this.#candidate = this.#open(socket);
  }

  /** Its responses come by calls, and are counted there. */
  settled(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    hangUp(this.#connection);
    if (this.#candidate) hangUp(this.#candidate);
  }

  #open(socket: WorkerSocket): Line {
    const line: Line = {
      socket,
      call: openWorkerConnection({
        path: socket.path,
        protocol: this.#deps.protocol,
        onChange: (ready) => this.#onChange(line, ready),
      }),
    };
    socket.seek(true);
    return line;
  }

  #onChange(line: Line, ready: boolean): void {
    if (ready && line === this.#candidate) {
      hangUp(this.#connection);
      this.#connection = line;
      this.#candidate = undefined;
    }
    if (line !== this.#connection) return;
    line.socket.seek(!ready);
    this.#deps.onChange(ready);
  }
}

function hangUp({ call, socket }: Line): void {
  call.close();
  socket.remove();
}
