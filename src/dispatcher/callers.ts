/**
 * The dispatcher sockets: one for each incarnation of a worker file, and the shared one.
 *
 * Owns every open socket. Passes the calls on together with who made them.
 */
import type { DirectoryOwner } from '../host/user-directory.ts';
import { largestFrame } from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import { type DispatcherCalls, openDispatcherSocket } from '../rpc/dispatcher-socket.ts';
import type { Data, Protocol, RegistrationRequest, WorkerSettings } from '../rpc/protocol.ts';
import { Caller } from './caller.ts';
import type { Answer } from './returns.ts';
import { ownPlace, type SocketPlaceDeps, userPlace } from './socket-place.ts';

export interface CallersDeps extends SocketPlaceDeps {
  readonly protocol: Protocol;
  /** Bytes of the largest content of a response. */
  readonly responseLimit: number;
  readonly settings: Omit<WorkerSettings, 'socketAddr'>;
  readonly register: (caller: Caller, request: RegistrationRequest) => Promise<string>;
  readonly send: (caller: Caller, data: Data, answer: Answer) => void;
  readonly attach: (caller: Caller, stream: AttachStream) => void;
}

/** Bytes of the largest frame however small contents have to be: a hello and metadata need room too. */
const leastFrame: number = 1024 * 1024;
/** Bytes beyond the largest content and the largest frame that are still received, to be refused with a reason. */
const headroom: number = 1024 * 1024;

export class Callers {
  readonly #deps: CallersDeps;
  readonly #shared: Caller;
  /** Of each worker file, oldest first: the last one is that of the incarnation that runs or is about to. */
  readonly #spawned = new Map<string, Caller[]>();

  constructor(deps: CallersDeps) {
    this.#deps = deps;
    this.#shared = new Caller('', ownPlace(deps));
  }

  /** Opens the socket for workers that somebody else starts. */
  async openShared(path: string): Promise<void> {
    this.#shared.listens(await this.#open(this.#shared, path));
  }

  /** Opens a socket for the next incarnation of a worker file, which is to run as `owner`; resolves to its path. */
  async prepare(file: string, owner?: DirectoryOwner): Promise<string> {
    const place = owner ? userPlace(this.#deps, owner) : ownPlace(this.#deps);
    const path = place.newPath();
    const caller = new Caller(file, place);
    caller.listens(await this.#open(caller, path));
    const earlier = this.#spawned.get(file) ?? [];
    // One that nobody ever called on belongs to a start that failed.
    const used = earlier.filter(({ workers, socket }) => workers.size > 0 || socket?.connections !== 0);
    for (const unused of earlier) if (!used.includes(unused)) unused.socket?.close();
    this.#spawned.set(file, [...used, caller]);
    return path;
  }

  /** The incarnation that has ended: it calls no more, but what it wrote can still be read. */
  end(file: string): Caller | undefined {
    const [caller, ...later] = this.#spawned.get(file) ?? [];
    if (later.length > 0) this.#spawned.set(file, later);
    else this.#spawned.delete(file);
    if (caller) caller.ended = true;
    return caller;
  }

  /** Whether a spawned worker that has registered is still there. */
  get anyRegistered(): boolean {
    for (const callers of this.#spawned.values()) {
      if (callers.some(({ workers }) => workers.size > 0)) return true;
    }
    return false;
  }

  close(): void {
    this.#shared.socket?.close();
    for (const callers of this.#spawned.values()) for (const { socket } of callers) socket?.close();
    this.#spawned.clear();
  }

  #open(caller: Caller, path: string): ReturnType<typeof openDispatcherSocket> {
    const { protocol, responseLimit, settings, register, send, attach } = this.#deps;
    const calls: DispatcherCalls = {
      register: (request) => register(caller, request),
      send: (data, answer) => send(caller, data, answer),
      attach: (stream) => attach(caller, stream),
      settings: () => {
        caller.wantsResults = true;
        return { ...settings, socketAddr: `unix:${path}` };
      },
    };
    const { mode } = caller.place;
    return openDispatcherSocket({
      ...{ path, mode, protocol, calls },
      receiveLimit: Math.max(responseLimit, largestFrame) + headroom,
      frameLimit: Math.min(largestFrame, Math.max(responseLimit, leastFrame)),
    });
  }
}
