/**
 * What a worker says on one stream: everything of one turn of the event loop leaves together at its end.
 *
 * Owns the frame that gathers. A frame that holds enough is closed and the next one begun; the order of what is said
 * stays. What may be said, and how much, is for others to know.
 */
import {
  inlineContent,
  mostPerFrame,
  type WorkerFrame,
  type WorkerListFields,
  type WorkerLists,
} from './frames.ts';

export class FrameWriter {
  readonly #write: (frame: WorkerFrame) => unknown;
  readonly #onLast: () => void;
  /** Gathers; set if and only if a flush at the end of this turn is asked for. */
  #frame: WorkerFrame | undefined;
  /** Bytes of content, and answers, in `#frame`. */
  #bytes = 0;
  #answers = 0;
  #ended = false;
  #clear = true;

  /** `write` gives false when more than the stream takes at the moment is written, until `drained` is called. */
  constructor(write: (frame: WorkerFrame) => unknown, onLast: () => void) {
    this.#write = write;
    this.#onLast = onLast;
  }

  /** False: what can be left unsaid should be. */
  get clear(): boolean {
    return this.#clear;
  }

  drained(): void {
    this.#clear = true;
  }

  /** Says one thing more; `bytes`, of content, count towards the size of the frame. */
  add<List extends keyof WorkerLists>(list: List, entry: WorkerLists[List], bytes = 0): void {
    const lists: WorkerListFields = this.#gather(bytes, list === 'answers' ? 1 : 0);
    lists[list] ??= [];
    lists[list].push(entry);
  }

  /** Says something that is said once. */
  say(once: Pick<WorkerFrame, 'hello' | 'health' | 'goodbye'>): void {
    Object.assign(this.#gather(0, 0), once);
  }

  /** So many more deliveries may come. */
  credit(deliveries: number): void {
    const frame = this.#gather(0, 0);
    frame.credit = (frame.credit ?? 0) + deliveries;
  }

  /** What is said from now on comes in a later frame. */
  closeFrame(): void {
    this.#flush();
  }

  /** Writes what is gathered, and then nothing more. */
  end(): void {
    if (this.#ended) return;
    this.#flush();
    this.#ended = true;
    this.#onLast();
  }

  /** Forgets what is gathered: nobody would read it. */
  drop(): void {
    this.#ended = true;
    this.#frame = undefined;
  }

  #gather(bytes: number, answers: number): WorkerFrame {
    const full = this.#bytes + bytes > inlineContent || this.#answers + answers > mostPerFrame;
    if (this.#frame && full) this.#flush();
    this.#bytes += bytes;
    this.#answers += answers;
    if (!this.#frame) {
      this.#frame = {};
      setImmediate(() => this.#flush());
    }
    return this.#frame;
  }

  #flush(): void {
    const frame = this.#frame;
    this.#frame = undefined;
    this.#bytes = 0;
    this.#answers = 0;
    if (frame && !this.#ended) this.#clear = this.#write(frame) !== false;
  }
}
