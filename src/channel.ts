/**
 * A bounded queue between one or more senders and one receiver that iterates over it.
 *
 * Owns its waiting values and nothing else. Order of values and of waiting senders is the order of the calls.
 */
import { YggError } from './base/errors.ts';

export interface ChannelOptions {
  /** How many values may wait before `send` does. */
  readonly capacity: number;
}

export class Channel<T> implements AsyncIterable<T> {
  readonly capacity: number;
  #values: T[] = [];
  /** Index of the oldest value in `#values`; what lies before it was taken. */
  #head = 0;
  #senders: Array<{ readonly value: T; readonly done: () => void; readonly failed: (error: Error) => void }> =
    [];
  /** Set if and only if the receiver waits, which it does only while nothing is queued. */
  #receiver: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #closed = false;

  constructor({ capacity }: ChannelOptions) {
    this.capacity = capacity;
  }

  /** How many values wait. */
  get size(): number {
    return this.#values.length - this.#head;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Queues a value if there is room; says whether it did. Never waits. */
  trySend(value: T): boolean {
    if (this.#closed || this.size >= this.capacity) return false;
    const receiver = this.#receiver;
    if (receiver) {
      this.#receiver = undefined;
      receiver({ value, done: false });
    } else {
      this.#values.push(value);
    }
    return true;
  }

  /** Queues a value, waiting for room. Rejects with `YGG_CLOSED` when the channel is closed first. */
  send(value: T): Promise<void> {
    if (this.trySend(value)) return sent;
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#senders.push({ value, done: resolve, failed: reject });
    });
  }

  /** Forgets the value that has waited longest. */
  dropOldest(): void {
    this.tryTake();
  }

  /** Takes the value that has waited longest, for a receiver that does not wait; `undefined` when there is none. */
  tryTake(): T | undefined {
    if (this.size === 0) return undefined;
    const value = this.#values[this.#head];
    this.#head += 1;
    // Taken values are cut off by halves, so that taking one costs the same at any length.
    if (this.#head === this.#values.length || (this.#head >= 64 && this.#head * 2 >= this.#values.length)) {
      this.#values = this.#values.slice(this.#head);
      this.#head = 0;
    }
    const sender = this.#senders.shift();
    if (sender) {
      this.#values.push(sender.value);
      sender.done();
    }
    return value;
  }

  /** The receiver gets what is queued and then ends; senders that wait for room are refused. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const sender of this.#senders.splice(0)) sender.failed(closedError());
    this.#receiver?.({ value: undefined, done: true });
    this.#receiver = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => {
        if (this.size > 0) return Promise.resolve({ value: this.tryTake() as T, done: false });
        if (this.#closed) return Promise.resolve({ value: undefined, done: true });
        return new Promise((resolve) => {
          this.#receiver = resolve;
        });
      },
      return: () => {
        this.close();
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}

const sent = Promise.resolve();

function closedError(): YggError {
  return new YggError('YGG_CLOSED', 'The channel is closed.');
}
