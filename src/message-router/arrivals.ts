/**
 * Messages that came in and are not written down yet.
 *
 * Usually each is written at once. When more come than are written, they wait here, unacknowledged, until their worker has a
 * slot, and are written as offered: what is put among those that wait in the journal, and taken out again a moment later,
 * costs nearly twice as much. Nothing waits here
 * - while there are few, or no more come than are written: a broker that lets only so many be in flight sends no more before
 *   they are acknowledged, and what it keeps back may be for others;
 * - when there are too many: then the oldest are written;
 * - whose worker is not there, or is not about to get to it.
 * Within a directive they stay in order; no directive waits for another one. What was read of a message that waits is
 * forgotten: to read it again costs less than what keeping it for a while costs the garbage collector.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { DataMessage } from '../messages.ts';
import type { Incoming } from '../mqtt/connector.ts';

/** What would become of a message that is written: offered at once, or behind others, or nobody is there for it. */
export type Outlook = 'offered' | 'waiting' | 'orphaned';

export interface ArrivalsDeps {
  readonly outlook: (directive: string, size: number) => Outlook;
  /** Whether several may be offered, for what its worker has in hand: one by one they cost it and us a frame each. */
  readonly hasRoomForSeveral: (directive: string) => boolean;
  /** How many requests of a directive have ended so far. */
  readonly settled: (directive: string) => number;
  /** As much as may be is on its way to the disk. */
  readonly isWriting: () => boolean;
  /** `data`: what is in it, when that is known. Must not throw. */
  readonly write: (message: Incoming, data?: DataMessage) => void;
  readonly clock: Pick<Clock, 'every'>;
}

/** As many as most brokers that count let be in flight. */
const few = 256;
const tooMany = { messages: 12_288, bytes: 4 * 1024 * 1024 };
/** Milliseconds between looks at how broker and workers get on. */
const interval = 100;
/** Milliseconds in which a worker has to get to the last that waits for it. */
const patience = 10_000;

export class Arrivals {
  readonly #deps: ArrivalsDeps;
  readonly #queues = new Map<string, Queue>();
  #messages = 0;
  #bytes = 0;
  /** Since the last look. */
  #came = 0;
  #written = 0;
  /** At how many looks on end no more had come than were written. */
  #evenLooks = 0;
  /** Set while something waits. */
  #watch: Timer | undefined;

  constructor(deps: ArrivalsDeps) {
    this.#deps = deps;
  }

  add(message: Incoming, data: DataMessage): void {
    const { directive } = data;
    let queue = this.#queues.get(directive);
    if (!queue) {
      if (!this.#deps.isWriting() && this.#isDue(directive, message)) {
        this.#deps.write(message, data);
        return;
      }
      queue = new Queue(directive, this.#deps.settled(directive));
      this.#queues.set(directive, queue);
    }
    queue.push(message);
    this.#came += 1;
    this.#messages += 1;
    this.#bytes += message.payload.length;
    this.#watch ??= this.#deps.clock.every(interval, () => this.#look());
    this.#work(queue);
  }

  /** A slot of this directive is free, or its worker is not what it was. */
  onRoom(directive: string): void {
    const queue = this.#queues.get(directive);
    if (!queue) return;
    this.#work(queue);
    if (this.#messages <= few) this.onWritten();
  }

  /** More may be on its way to the disk. */
  onWritten(): void {
    for (const queue of [...this.#queues.values()]) {
      if (this.#deps.isWriting()) return;
      this.#work(queue);
      if (queue.length === 0) continue;
      // Who had its turn is the last the next time.
      this.#queues.delete(queue.directive);
      this.#queues.set(queue.directive, queue);
    }
  }

  /** Forgets everything that waits, and gives it back. */
  clear(): readonly Incoming[] {
    const waiting = [...this.#queues.values()].flatMap((queue) => queue.rest());
    this.#queues.clear();
    this.#messages = 0;
    this.#bytes = 0;
    this.#rest();
    return waiting;
  }

  #work(queue: Queue): void {
    const { isWriting, write, hasRoomForSeveral } = this.#deps;
    if (!queue.isBehind && !this.#isHurried && !hasRoomForSeveral(queue.directive)) return;
    for (let first = queue.first; first && !isWriting(); first = queue.first) {
      if (!queue.isBehind && !this.#isDue(queue.directive, first)) break;
      queue.shift();
      this.#written += 1;
      this.#messages -= 1;
      this.#bytes -= first.payload.length;
      write(first);
    }
    if (queue.length === 0) this.#queues.delete(queue.directive);
    if (this.#queues.size === 0) this.#rest();
  }

  #isDue(directive: string, { payload }: Incoming): boolean {
    return this.#isHurried || this.#deps.outlook(directive, payload.length) !== 'waiting';
  }

  /** Everything is written as it comes. */
  get #isHurried(): boolean {
    if (this.#messages <= few || this.#isBrokerWaiting) return true;
    return this.#messages > tooMany.messages || this.#bytes > tooMany.bytes;
  }

  /** It sends one for each that is acknowledged. */
  get #isBrokerWaiting(): boolean {
    return this.#evenLooks >= 2;
  }

  #look(): void {
    const came = this.#came;
    const isEven = came > this.#written / 2 && came <= this.#written * 1.1;
    this.#evenLooks = isEven && this.#messages > few ? this.#evenLooks + 1 : 0;
    this.#came = 0;
    this.#written = 0;
    for (const queue of this.#queues.values()) queue.look(this.#deps.settled(queue.directive));
    this.onWritten();
  }

  #rest(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#evenLooks = 0;
  }
}

/** Those of one directive, in order. */
class Queue {
  readonly directive: string;
  /** Its worker would take too long for all of them. */
  isBehind = false;
  #messages: Array<Incoming | undefined> = [];
  #head = 0;
  #settled: number;
  #isNew = true;

  constructor(directive: string, settled: number) {
    this.directive = directive;
    this.#settled = settled;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  get first(): Incoming | undefined {
    return this.#messages[this.#head];
  }

  push(message: Incoming): void {
    this.#messages.push(message);
  }

  shift(): void {
    this.#messages[this.#head] = undefined;
    this.#head += 1;
    // What was taken is cut off by halves, so that each costs the same however many wait.
    if (this.#head * 2 < this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#head);
    this.#head = 0;
  }

  rest(): readonly Incoming[] {
    return this.#messages.slice(this.#head).filter((message) => message !== undefined);
  }

  /** `settled`: how many of its directive have ended until now. */
  look(settled: number): void {
    const pace = settled - this.#settled;
    this.#settled = settled;
    // It is not a whole interval since the first came.
    if (this.#isNew) this.#isNew = false;
    else this.isBehind = pace * (patience / interval) < this.length;
  }
}
