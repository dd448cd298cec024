/**
 * The daemon's side of one Attach stream.
 *
 * Owns the call, the frame that gathers, and the frames that wait to be written. Everything said in one turn of the
 * event loop leaves together at its end, what nobody waits for with the next thing that somebody does; a frame that
 * holds enough is closed and the next one begun. Decides nothing about what the frames say.
 */
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type ErrorCode, reasonOf } from '../base/errors.ts';
import {
  type DispatcherFrame,
  type DispatcherListFields,
  type DispatcherLists,
  inlineContent,
  mostPerFrame,
  type WorkerFrame,
} from './attach-frames.ts';
import type { Method } from './proto-file.ts';

/** What a stream reports. */
export interface AttachReceiver {
  /** A frame of the worker; none comes while the stream is held. */
  onFrame(frame: WorkerFrame): void;
  /** The stream was not writable and is again. */
  onDrain(): void;
  /** The worker has said its last word; the stream is open towards it. */
  onHalfClose(): void;
  /** The stream ends because of what the worker said on it. */
  onFault(code: ErrorCode, details: string): void;
  /** The stream is gone, whoever ended it. Called once. */
  onClose(): void;
}

/** How a stream ends: a status of gRPC, and why, for people. */
export type AttachEnd =
  | 'OK'
  | 'ABORTED'
  | 'FAILED_PRECONDITION'
  | 'INVALID_ARGUMENT'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE';

/** The call as grpc-js gives it: bytes both ways, so that a bad frame is our finding and not the library's. */
export type AttachCall = ServerDuplexStream<Buffer, Buffer>;

/** Frames that are written and have not left: beyond them the stream counts as busy. */
const mostUnderWay = 4;
/** Milliseconds that what nobody waits for may wait for something to leave with. */
const patience = 25;
/** Credit that is not kept back: the worker may be about to run out of it. */
const muchCredit = { answers: 128, bytes: 1024 * 1024 } as const;
/** Closed frames that wait; beyond them nothing more is heard of a worker that does not read what it is answered. */
const mostWaiting = 32;

export class AttachStream {
  /** Bytes of the largest frame that is taken. */
  readonly largestFrame: number;
  readonly #call: AttachCall;
  readonly #method: Method<WorkerFrame, DispatcherFrame>;
  #receiver: AttachReceiver | undefined;
  /** Gathers; while it is set a flush is asked for, at the end of this turn or later. */
  #frame: DispatcherFrame | undefined;
  /** Bytes of what may be large, and deliveries, in `#frame`. */
  #bytes = 0;
  #messages = 0;
  /** Closed frames, oldest first. */
  readonly #queue: DispatcherFrame[] = [];
  #flushAsked = false;
  #later: NodeJS.Timeout | undefined;
  /** Frames of the worker are not passed on: somebody asked for that, or too much waits for the worker to read it. */
  #held = false;
  #choked = false;
  #drainAwaited = false;
  #underWay = 0;
  #ending: { readonly code: AttachEnd; readonly details: string } | undefined;
  #finished = false;
  #closed = false;

  constructor(call: AttachCall, method: Method<WorkerFrame, DispatcherFrame>, largestFrame: number) {
    this.largestFrame = largestFrame;
    this.#call = call;
    this.#method = method;
    call.on('error', () => {});
    call.once('close', () => this.#onClose());
  }

  /** Frames go to the receiver from now on. */
  start(receiver: AttachReceiver): void {
    this.#receiver = receiver;
    this.#call.on('data', (bytes: Buffer) => this.#onBytes(bytes));
    this.#call.once('end', () => {
      if (!this.#closed && !this.#ending) receiver.onHalfClose();
    });
  }

  /** No frame is passed on until `release`. */
  hold(): void {
    this.#held = true;
    this.#call.pause();
  }

  release(): void {
    this.#held = false;
    this.#listen();
  }

  get open(): boolean {
    return !this.#closed && !this.#ending;
  }

  /** Whether what is said now leaves at the end of this turn; who was told no hears `onDrain`. */
  get writable(): boolean {
    const writable = this.open && this.#queue.length === 0 && this.#underWay < mostUnderWay;
    if (!writable) this.#drainAwaited = true;
    return writable;
  }

  /** Says one thing more in this turn's frame; `bytes`, of what may be large, count towards its size. */
  add<List extends keyof DispatcherLists>(list: List, entry: DispatcherLists[List], bytes = 0): void {
    push(this.#gather(bytes, list === 'deliveries' ? 1 : 0), list, entry);
    this.#flushSoon();
  }

  /** Says one thing more that nobody waits for. */
  addLater<List extends keyof DispatcherLists>(list: List, entry: DispatcherLists[List]): void {
    push(this.#gather(0, 0), list, entry);
    this.#flushLater();
  }

  /** Says something that is said once. */
  say(once: Pick<DispatcherFrame, 'welcome' | 'drain' | 'goodbye'>): void {
    Object.assign(this.#gather(0, 0), once);
    this.#flushSoon();
  }

  /** So many more answers, with so many more bytes, may come. A little of it is nothing that anybody waits for. */
  credit(answers: number, bytes: number): void {
    const frame = this.#gather(0, 0);
    frame.credit ??= { answers: 0, bytes: 0 };
    frame.credit.answers += answers;
    frame.credit.bytes += bytes;
    if (frame.credit.answers < muchCredit.answers && frame.credit.bytes < muchCredit.bytes)
      this.#flushLater();
    else this.#flushSoon();
  }

  /** Writes what is gathered, then ends the stream; what comes from now on is not looked at. */
  end(code: AttachEnd, details: string, fault: ErrorCode = 'YGG_MESSAGE_INVALID'): void {
    if (!this.open) return;
    this.#ending = { code, details };
    if (code === 'INVALID_ARGUMENT' || code === 'RESOURCE_EXHAUSTED') this.#receiver?.onFault(fault, details);
    this.#closeFrame();
    this.#flush();
  }

  /** Cuts the stream off. */
  destroy(): void {
    this.#call.destroy();
  }

  #onBytes(bytes: Buffer): void {
    if (!this.open || !this.#receiver) return;
    const { largestFrame } = this;
    if (bytes.length > largestFrame) {
      const sentence = `A frame has ${bytes.length} bytes and may have ${largestFrame}.`;
      this.end('RESOURCE_EXHAUSTED', sentence, 'YGG_MESSAGE_TOO_LARGE');
      return;
    }
    let frame: WorkerFrame;
    try {
      frame = this.#method.requestDeserialize(bytes);
    } catch (error) {
      this.end('INVALID_ARGUMENT', `Bytes that are no frame: ${reasonOf(error)}`);
      return;
    }
    this.#receiver.onFrame(frame);
  }

  #listen(): void {
    if (!this.#held && !this.#choked) this.#call.resume();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#frame = undefined;
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#receiver?.onClose();
  }

  #gather(bytes: number, messages: number): DispatcherFrame {
    const full = this.#bytes + bytes > inlineContent || this.#messages + messages > mostPerFrame;
    if (this.#frame && full) this.#closeFrame();
    this.#bytes += bytes;
    this.#messages += messages;
    this.#frame ??= {};
    return this.#frame;
  }

  #flushSoon(): void {
    if (this.#flushAsked) return;
    this.#flushAsked = true;
    setImmediate(() => {
      this.#flushAsked = false;
      this.#closeFrame();
      this.#flush();
    });
  }

  #flushLater(): void {
    if (this.#flushAsked) return;
    this.#later ??= setTimeout(() => {
      this.#closeFrame();
      this.#flush();
    }, patience);
  }

  #closeFrame(): void {
    if (this.#frame && !this.#closed) this.#queue.push(this.#frame);
    this.#frame = undefined;
    this.#bytes = 0;
    this.#messages = 0;
    clearTimeout(this.#later);
    this.#later = undefined;
    if (this.#queue.length <= mostWaiting || this.#choked) return;
    this.#choked = true;
    this.#call.pause();
  }

  #flush(): void {
    while (!this.#closed && this.#underWay < mostUnderWay) {
      const frame = this.#queue.shift();
      if (!frame) break;
      this.#underWay += 1;
      this.#call.write(this.#method.responseSerialize(frame), () => this.#onWritten());
    }
    if (this.#closed || this.#queue.length > 0) return;
    if (this.#choked) {
      this.#choked = false;
      this.#listen();
    }
    if (this.#ending) {
      if (!this.#finished) this.#finish(this.#ending);
    } else if (this.#drainAwaited && this.writable) {
      this.#drainAwaited = false;
      this.#receiver?.onDrain();
    }
  }

  #onWritten(): void {
    this.#underWay -= 1;
    this.#flush();
  }

  /** The status leaves after what is under way. */
  #finish({ code, details }: { code: AttachEnd; details: string }): void {
    this.#finished = true;
    if (code === 'OK') this.#call.end();
    else this.#call.emit('error', { code: status[code], details });
  }
}

function push<List extends keyof DispatcherLists>(
  frame: DispatcherFrame,
  list: List,
  entry: DispatcherLists[List],
): void {
  const lists: DispatcherListFields = frame;
  lists[list] ??= [];
  lists[list].push(entry);
}
