/**
 * The worker processes that attached.
 *
 * Owns them, and the streams that have not said hello yet; knows a process again by its socket, its id and its start
 * time. What is said after hello is the process's own affair.
 */
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal } from '../journal/journal.ts';
import type { Hello, Welcome, WorkerFrame } from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import type { Signals } from '../signals.ts';
import { AttachedProcess } from './attached-process.ts';
import type { Caller } from './caller.ts';
import type { Job } from './job.ts';
import type { Lane } from './lane.ts';
import type { LiveWorker } from './live-worker.ts';
import type { MemoryRoom } from './memory-room.ts';
import { startTime } from './pulse.ts';
import type { Registry } from './registry.ts';
import type { Returns } from './returns.ts';
import type { Settler } from './settler.ts';

export interface AttachDeps {
  readonly journal: Journal;
  readonly datastore: Datastore;
  readonly signals: Signals;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settler: Settler;
  readonly returns: Returns;
  readonly registry: Registry;
  readonly laneOf: (directive: string) => Lane;
  /** Where large answers are put together. */
  readonly memory: MemoryRoom;
  /** What every welcome says. */
  readonly terms: Pick<Welcome, 'clientId' | 'configDirectory' | 'maxContentSize'>;
  /** A worker has left of its own accord, and gives up what it still has in hand. */
  readonly onGone: (worker: LiveWorker) => void;
  /** A process has no worker any longer. */
  readonly onOver: (process: AttachedProcess) => void;
}

/** Milliseconds a stream may take to say hello. */
const helloPatience = 10_000;
/** Milliseconds the last frames may take to leave. */
const lastWords = 200;
const mostHandlers = 64;
/** Deliveries, and answers, that one hello may name. */
const mostNamed = 65_536;

export class Attachments {
  readonly #deps: AttachDeps;
  readonly #processes = new Set<AttachedProcess>();
  readonly #streams = new Set<AttachStream>();

  constructor(deps: Omit<AttachDeps, 'onOver'>) {
    this.#deps = { ...deps, onOver: (process) => void this.#processes.delete(process) };
  }

  /** Takes a new stream; what it says first decides whose it is. */
  accept(caller: Caller, stream: AttachStream): void {
    const { counters, log } = this.#deps;
    let process: AttachedProcess | undefined;
    this.#streams.add(stream);
    const patience = this.#deps.clock.after(helloPatience, () =>
      stream.end('INVALID_ARGUMENT', `No hello came within ${helloPatience} ms.`),
    );
    stream.start({
      onFrame: (frame) => {
        if (process && !frame.hello) {
          process.onFrame(frame);
        } else if (process) {
          stream.end('INVALID_ARGUMENT', 'There was a second hello.');
        } else {
          patience.cancel();
          process = this.#onFirst(caller, stream, frame);
        }
      },
      onDrain: () => process?.onDrain(),
      onHalfClose: () => {
        if (process) this.#watch(stream, process.onHalfClose(stream));
        else stream.end('INVALID_ARGUMENT', 'The stream ended before its hello.');
      },
      onFault: (code, error) => {
        counters.count('streams_refused');
        log.warn(
          { worker: caller.title, code, error },
          'the stream of a worker was ended: it cannot be followed',
        );
      },
      onClose: () => {
        patience.cancel();
        this.#streams.delete(stream);
        process?.onClose(stream);
      },
    });
  }

  /** What an attached process has in hand of a directive under this id, also after it left. */
  find(directive: string, messageId: string): Job | undefined {
    for (const { workers } of this.#processes) {
      const job = workers.get(directive)?.find(messageId);
      if (job) return job;
    }
    return undefined;
  }

  drain(reason: string, patience: number): void {
    for (const process of this.#processes) process.drain(reason, patience);
  }

  /** Ends every stream; the processes go on. */
  async close(reason: string): Promise<void> {
    for (const process of this.#processes) process.dismiss(reason);
    for (const stream of this.#streams) stream.end('UNAVAILABLE', reason);
    const deadline = performance.now() + lastWords;
    while (this.#streams.size > 0 && performance.now() < deadline) await pause(5);
  }

  #onFirst(caller: Caller, stream: AttachStream, frame: WorkerFrame): AttachedProcess | undefined {
    const { hello } = frame;
    const fault = hello ? faultOf(hello, caller) : 'The first frame has no hello.';
    if (!hello || fault) {
      stream.end('INVALID_ARGUMENT', fault);
      return undefined;
    }
    const process = this.#processOf(caller, hello);
    const { library, pid } = hello;
    this.#deps.log.debug({ worker: caller.title, pid, library: library.slice(0, 128) }, 'a worker attaches');
    stream.hold();
    const opening = process.open(stream, hello).then(() => {
      if (stream.open) process.onFrame({ ...frame, hello: null });
      stream.release();
    });
    this.#watch(stream, opening);
    return process;
  }

  #processOf(caller: Caller, { pid, startTime: born }: Hello): AttachedProcess {
    for (const process of this.#processes) {
      const { identity } = process;
      if (process.caller === caller && identity.pid === pid && identity.startTime === born) return process;
    }
    const process = new AttachedProcess(caller, { pid, startTime: born }, this.#deps);
    this.#processes.add(process);
    return process;
  }

  #watch(stream: AttachStream, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#deps.log.error({ error: reasonOf(error) }, 'a stream of a worker failed');
      stream.end('UNAVAILABLE', reasonOf(error));
    });
  }
}

/** Why a hello is not to be answered; empty when it is. */
function faultOf(
  { version, pid, startTime: born, handlers, inWork, unreceipted }: Hello,
  caller: Caller,
): string {
  if (version < 1) return 'The hello has no version.';
  if (!Number.isSafeInteger(pid) || pid <= 0 || born === '')
    return 'The hello does not say which process it is of.';
  if (handlers.length > mostHandlers) return `The hello offers more than ${mostHandlers} handlers.`;
  if (inWork.length > mostNamed || unreceipted.length > mostNamed)
    return `The hello names more than ${mostNamed}.`;
  // In another pid namespace nothing can be seen of it, or a stranger.
  const seen = caller.shared ? startTime(pid) : undefined;
  if (seen !== undefined && seen !== born) return `The process ${pid} was not started at ${born}.`;
  return '';
}
