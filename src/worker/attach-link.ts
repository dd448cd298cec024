/**
 * The connection of one worker process to its daemon over Attach (protocol/attach.md), over all its streams.
 *
 * Owns what the worker was given and has no `settled` for, and what is to be said of it. A stream that breaks changes
 * nothing of that: the next hello names it, and what the daemon did not hear is said again.
 */
import type { Readable } from 'node:stream';
import { YggError } from '../base/errors.ts';
import { Answers, type AnswersDeps, type YggRefusal } from './answers.ts';
import type { FrameWriter } from './frame-writer.ts';
import {
  type Answer,
  brokerEvents,
  type Delivery,
  type DispatcherFrame,
  type HealthResult,
  inlineContent,
  largestFrame,
  mostProgress,
  type Outcome,
  results,
  type Welcome,
} from './frames.ts';
import type { OnResult } from './http-result.ts';
import { IncomingContent } from './incoming-content.ts';
import type { Link, LinkReceiver } from './link.ts';

/** No delivery has this number. */
const nobody = 0;

/** Deliveries that may be on their way and in hand; the slots of the handlers are less. */
const mostInWork = 1024;

interface Work {
  acceptance: Acceptance | undefined;
  content: IncomingContent | undefined;
  /** Told again on every stream until it is settled. */
  outcome: Outcome | undefined;
  /** Calls another one off, and so took no credit. */
  readonly cancel: boolean;
  /** Its credit was given back on this stream. */
  credited: boolean;
}

interface Acceptance {
  readonly recorded: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  state: 'asked' | 'recorded';
}

export interface AttachLinkDeps extends Pick<AnswersDeps, 'clock'> {
  readonly receiver: LinkReceiver;
}

export class AttachLink implements Link {
  readonly #receiver: LinkReceiver;
  readonly #answers: Answers;
  readonly #work = new Map<number, Work>();
  #writer: FrameWriter | undefined;
  #features: ReadonlySet<string> = new Set();
  #health: readonly HealthResult[] = [];
  /** Why the worker leaves, once it does. */
  #leaving: string | undefined;
  /** Deliveries may still come that were on their way when the worker said goodbye. */
  #leaveUnheard = false;

  constructor({ receiver, clock }: AttachLinkDeps) {
    this.#receiver = receiver;
    this.#answers = new Answers({
      clock,
      onSent: (delivery) => this.#tellOutcome(delivery),
      onRefused: (delivery, error) => this.#onRefused(delivery, error),
    });
  }

  /** What the next hello says of what this process has, and the credit that goes with it. */
  inventory(): { readonly inWork: number[]; readonly unreceipted: string[]; readonly credit: number } {
    let credit = mostInWork;
    for (const work of this.#work.values()) {
      work.credited = work.cancel;
      if (!work.cancel) credit -= 1;
    }
    return { inWork: [...this.#work.keys()], unreceipted: this.#answers.list(), credit };
  }

  /** Nothing is in hand, and everything that was said is on disk. */
  get idle(): boolean {
    return this.#answers.size === 0 && this.#work.size === 0 && !this.#leaveUnheard;
  }

  get connected(): boolean {
    return this.#writer !== undefined;
  }

  /** The stream was welcomed: what the daemon did not hear is said again. */
  open(writer: FrameWriter, welcome: Welcome): void {
    this.#writer = writer;
    this.#features = new Set(welcome.features);
    for (const grant of welcome.handlers) this.#receiver.onGrant(grant);
    this.#answers.open(writer, {
      inline: welcome.inlineContent || inlineContent,
      frame: welcome.largestFrame || largestFrame,
      repeat: welcome.repeat,
      tellsResults: this.#features.has('results'),
    });
  }

  /** The stream is gone. */
  close(): void {
    this.#writer = undefined;
    this.#leaveUnheard = false;
    this.#answers.close();
  }

  /** Takes a frame; the order is that of the fields. */
  receive(frame: DispatcherFrame): void {
    for (const number of frame.drops) this.#onDrop(number);
    for (const receipt of frame.receipts) this.#answers.onReceipt(receipt);
    for (const number of frame.recorded) this.#onRecorded(number);
    for (const number of frame.settled) this.#onSettled(number);
    // The rest of what both sides knew is said when the daemon has said what it knows.
    if (frame.welcome) this.#resume();
    for (const delivery of frame.deliveries) this.#onDelivery(delivery);
    for (const { delivery, content } of frame.chunks) this.#work.get(delivery)?.content?.receive(content);
    for (const { messageId, until } of frame.pulls) this.#answers.onPull(messageId, until);
    for (const { delivery } of frame.cancels) this.#receiver.onCancel(delivery);
    if (frame.credit) this.#answers.onCredit(frame.credit.answers, frame.credit.bytes);
    for (const { name } of frame.events) {
      const event = brokerEvents[name];
      if (event) this.#receiver.onEvent(event);
    }
    if (frame.drain) this.#receiver.onDrain(frame.drain.patienceMs);
  }

  answer(answer: Answer, done?: (error?: Error) => void, onResult?: OnResult): void {
    this.#answers.add(onResult ? { ...answer, wantsResult: true } : answer, done, onResult);
  }

  accept(delivery: number): Promise<void> {
    const work = this.#work.get(delivery);
    if (!work) return Promise.reject(taken(delivery));
    work.acceptance ??= newAcceptance();
    this.#writer?.add('accepted', delivery);
    return work.acceptance.recorded;
  }

  progress(delivery: number, data: Uint8Array): void {
    // Nothing hangs on it: a handler that says more than the daemon takes is not kept in memory for that.
    if (!this.#features.has('progress') || !this.#writer?.clear) return;
    const said = data.subarray(0, mostProgress);
    this.#writer.add('progress', { delivery, data: said }, said.length);
  }

  content({ number, totalSize }: Delivery): Readable {
    const content = new IncomingContent(totalSize, (until) =>
      this.#writer?.add('pulls', { delivery: number, until }),
    );
    const work = this.#work.get(number);
    if (work) work.content = content;
    else content.destroy(taken(number));
    return content;
  }

  end(outcome: Outcome): void {
    const work = this.#work.get(outcome.delivery);
    if (!work) return;
    work.outcome = outcome;
    this.#tellOutcome(outcome.delivery);
  }

  /** All results of the health checks. */
  health(results: readonly HealthResult[]): void {
    this.#health = results;
    if (this.#features.has('health')) this.#writer?.say({ health: { results } });
  }

  /** No further deliveries: what is not begun has been given back. */
  leave(reason: string): void {
    this.#leaving = reason;
    this.#sayGoodbye(reason);
  }

  /** Nobody will hear of what is left. */
  giveUp(): void {
    this.#answers.giveUp();
    for (const number of [...this.#work.keys()]) this.#onDrop(number);
  }

  #resume(): void {
    for (const [number, { acceptance, content }] of this.#work) {
      if (acceptance?.state === 'asked') this.#writer?.add('accepted', number);
      content?.restart();
      this.#tellOutcome(number);
    }
    if (this.#health.length > 0 && this.#features.has('health'))
      this.#writer?.say({ health: { results: this.#health } });
    if (this.#leaving !== undefined) this.#sayGoodbye(this.#leaving);
  }

  /** Nothing answers a goodbye; an outcome that nobody waits for is answered by `settled`, behind every delivery. */
  #sayGoodbye(reason: string): void {
    if (!this.#writer) return;
    this.#leaveUnheard = true;
    this.#writer.say({ goodbye: { reason } });
    this.#writer.closeFrame();
    this.#writer.add('outcomes', { delivery: nobody, result: results.returned });
  }

  #onDelivery(delivery: Delivery): void {
    const { number } = delivery;
    if (this.#work.has(number)) return;
    this.#work.set(number, {
      acceptance: undefined,
      content: undefined,
      outcome: undefined,
      cancel: delivery.cancel,
      credited: delivery.cancel,
    });
    if (this.#leaving === undefined) this.#receiver.onDelivery(delivery);
    else this.end({ delivery: number, result: results.returned });
  }

  /** Says what became of a delivery, unless answers of it are to go first. */
  #tellOutcome(number: number): void {
    const work = this.#work.get(number);
    if (!work?.outcome || !this.#writer || this.#answers.waits(number)) return;
    this.#writer.add('outcomes', work.outcome);
    if (work.credited) return;
    work.credited = true;
    this.#writer.credit(1);
  }

  /** A delivery whose answer is not taken for good has failed, unless its handler still runs and hears of it. */
  #onRefused(number: number, { code, message }: YggRefusal): void {
    const work = this.#work.get(number);
    if (work?.outcome?.result !== results.done) return;
    work.outcome = { delivery: number, result: results.failed, code, text: message };
    this.#tellOutcome(number);
  }

  #onRecorded(number: number): void {
    const acceptance = this.#work.get(number)?.acceptance;
    if (!acceptance) return;
    acceptance.state = 'recorded';
    acceptance.resolve();
  }

  #onSettled(number: number): void {
    if (number === nobody) this.#leaveUnheard = false;
    const work = this.#work.get(number);
    if (!work) return;
    this.#work.delete(number);
    work.acceptance?.resolve();
    // An outcome cannot be on disk that was not told: nobody needs what may still run.
    if (!work.outcome) this.#receiver.onDrop(number);
  }

  #onDrop(number: number): void {
    const work = this.#work.get(number);
    if (!work) return;
    this.#work.delete(number);
    work.acceptance?.reject(taken(number));
    work.content?.destroy(taken(number));
    this.#receiver.onDrop(number);
    if (!work.credited) this.#writer?.credit(1);
  }
}

function taken(delivery: number): YggError {
  return new YggError('YGG_CLOSED', `The delivery ${delivery} is not this worker's any longer.`);
}

function newAcceptance(): Acceptance {
  let resolve: () => void = () => {};
  let reject: (error: Error) => void = () => {};
  const recorded = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Not everybody waits for it.
  recorded.catch(() => {});
  return { recorded, resolve, reject, state: 'asked' };
}
