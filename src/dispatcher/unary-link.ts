/**
 * The link to a worker that serves calls: one call per message, and what the worker sends back ends it.
 *
 * Owns the connection to the address the worker was given, and the one to the address of a renewed registration until
 * the worker listens there; removes the socket files.
 */
import { rmSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { type BrokerEvent, type Protocol, workerReceiveLimit } from '../rpc/protocol.ts';
import { type HandOver, openWorkerConnection, type WorkerConnection } from '../rpc/worker-connection.ts';
import type { HandedMessage } from './handed-message.ts';
import type { Job } from './job.ts';
import { listens, startTime } from './pulse.ts';
import type { WorkerLink } from './worker-link.ts';

export interface UnaryLinkDeps {
  /** Where the worker is to listen. */
  readonly path: string;
  readonly protocol: Protocol;
  readonly clock: Clock;
  /** The connection came up or went down. */
  readonly onChange: (ready: boolean) => void;
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
  #connection: WorkerConnection;
  /** To the address of a renewed registration; takes the place of `#connection` once the worker listens there. */
  #candidate: WorkerConnection | undefined;

  constructor(deps: UnaryLinkDeps) {
    this.#deps = deps;
    this.#connection = this.#open(deps.path);
  }

  get ready(): boolean {
    return this.#connection.ready;
  }

  hand(_job: Job, message: HandedMessage, done: (outcome: HandOver) => void): 'calling' {
    this.#connection.send(message, done);
    return 'calling';
  }

  /** Plain workers have no such call. */
  cancel(): boolean {
    return false;
  }

  drop(): void {}

  notify(event: BrokerEvent): Promise<'heard' | 'unknown' | 'failed'> {
    return this.#connection.notify(event);
  }

  /** A stopped process still takes connections, one that has just registered does not yet: both live. */
  async lives(ms: number, pid: number): Promise<boolean> {
    if (this.ready || (await listens(this.#connection.path, ms, this.#deps.clock))) return true;
    return startTime(pid) !== undefined;
  }

  /** The worker is called at another address as soon as it listens there; the first one is in use until then. */
  renew(path: string): void {
    this.#candidate?.close();
    this.#candidate = this.#open(path);
  }

  /** Its responses come by calls, and are counted there. */
  settled(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    hangUp(this.#connection);
    if (this.#candidate) hangUp(this.#candidate);
  }

  #open(path: string): WorkerConnection {
    const connection: WorkerConnection = openWorkerConnection({
      path,
      protocol: this.#deps.protocol,
      onChange: (ready) => this.#onChange(connection, ready),
    });
    return connection;
  }

  #onChange(connection: WorkerConnection, ready: boolean): void {
    if (ready && connection === this.#candidate) {
      hangUp(this.#connection);
      this.#connection = connection;
      this.#candidate = undefined;
    }
    if (connection === this.#connection) this.#deps.onChange(ready);
  }
}

/** Removes the socket file too: a worker that was killed leaves it behind. */
function hangUp(connection: WorkerConnection): void {
  connection.close();
  rmSync(connection.path, { force: true });
}
