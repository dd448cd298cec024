/**
 * What happens to each packet that comes in, until it is acknowledged.
 *
 * A message is checked, written to the inbox, at once but for a flood (arrivals.ts), and acknowledged when the write is
 * flushed. What is refused, repeated or too large is acknowledged too, in its turn, or the broker would send it for ever.
 * What there is no room for is left to the broker.
 */
import { type ErrorCode, reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SharedWait } from '../base/shared-wait.ts';
import type { Counters } from '../counters.ts';
import type { DeadReason, Journal, KnownId, NewRequest, Receipt } from '../journal/journal.ts';
import { requestHash } from '../journal/request-hash.ts';
import { type DataMessage, directivePattern, parseData, peekMessage } from '../messages.ts';
import type { Incoming } from '../mqtt/connector.ts';
import { Arrivals, type ArrivalsDeps } from './arrivals.ts';

export interface IntakeDeps
  extends Pick<ArrivalsDeps, 'outlook' | 'hasRoomForSeveral' | 'settled' | 'clock'> {
  readonly journal: Pick<Journal, 'inbox' | 'trouble'>;
  /** Puts a request into the inbox and admits it when it can be. */
  readonly receive: (request: NewRequest) => Receipt;
  readonly onCommand: (message: Incoming) => void;
  /** A message with QoS 1 was left to the broker. */
  readonly onLeft: () => void;
  /** Whether a cancel for this message came before it did. */
  readonly isCancelled: (directive: string, messageId: string) => boolean;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
}

/** Ids in these states are not run again; one that died without ever being offered is. */
const taken: ReadonlySet<KnownId['state']> = new Set([
  'waiting',
  'offered',
  'done',
  'dead-offered',
  'cancelled',
]);

/** Messages, and their bytes, on their way to the disk at most (docs/decisions/0006-receive-window.md). */
const window = { messages: 256, bytes: 8 * 1024 * 1024 };

/** A message that is acknowledged when it is flushed. */
interface Written {
  readonly message: Incoming;
  /** Empty when nobody has to wait for this copy. */
  readonly messageId: string;
  readonly flushed: Promise<void>;
}

export class Intake {
  readonly #deps: IntakeDeps;
  /** Flushes under way by message id: a repetition is acknowledged after its first copy, not before. */
  readonly #unflushed = new Map<string, Promise<void>>();
  readonly #flushing: SharedWait<Written>;
  readonly #arrivals: Arrivals;
  /** How many are on their way to the disk, and their bytes. */
  #writing = 0;
  #writingBytes = 0;
  #closed = false;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    this.#flushing = new SharedWait((written, error) => this.#onFlushed(written, error));
    this.#arrivals = new Arrivals({
      ...deps,
      isWriting: () => this.#writing >= window.messages || this.#writingBytes >= window.bytes,
      write: (message, data) =>
        this.#guarded(message, () => this.#write(message, data ?? parseData(message.payload))),
    });
  }

  /** Everything that is not written yet, or comes from now on, is left to the broker. */
  close(): void {
    this.#closed = true;
    for (const message of this.#arrivals.clear()) message.leave();
  }

  /** A slot of this directive is free, or its worker is not what it was. */
  onRoom(directive: string): void {
    this.#arrivals.onRoom(directive);
  }

  take(message: Incoming): void {
    this.#guarded(message, () => {
      if (this.#closed) message.leave();
      else if (message.topic === 'data/in') this.#takeData(message);
      else if (message.topic === 'control/in') this.#deps.onCommand(message);
      else this.#refuseForeign(message);
    });
  }

  #guarded(message: Incoming, work: () => void): void {
    try {
      work();
    } catch (error) {
      // Left, not acknowledged: the fault may be gone when the broker sends it again.
      const { messageId } = peekMessage(message.payload);
      const fields = { message_id: messageId, topic: message.topicName, error: reasonOf(error) };
      this.#deps.log.error(fields, 'a message was not taken');
      message.leave();
    }
  }

  #refuseForeign(message: Incoming): void {
    const { counters, log } = this.#deps;
    counters.count('messages_foreign_topic');
    const { messageId } = peekMessage(message.payload);
    const fields = { message_id: messageId, topic: message.topicName };
    log.warn(fields, 'a message came on a topic that is not ours; ignored');
    message.acknowledge();
  }

  #takeData(message: Incoming): void {
    if (message.oversize !== undefined) {
      this.#takeOversize(message, message.oversize);
      return;
    }
    let data: DataMessage;
    try {
      data = parseData(message.payload);
    } catch (error) {
      this.#refuse(message, 'YGG_MESSAGE_INVALID', reasonOf(error));
      return;
    }
    // Cancels overtake; and where too much waits for the disk already, nothing more may wait here.
    if (message.pressed || isCancel(data)) this.#write(message, data);
    else this.#arrivals.add(message, data);
  }

  #write(message: Incoming, data: DataMessage): void {
    if (this.#isRepetition(message, data)) return;
    const request = requestOf(data);
    if (this.#isFull(message)) {
      this.#leave(message);
    } else if (this.#deps.isCancelled(data.directive, data.messageId)) {
      this.#bury(message, request, 'cancelled', 'It was cancelled before it came.');
    } else if (this.#isShareFull(data.directive)) {
      this.#bury(message, request, 'inbox-full', `The share of the inbox for ${data.directive} is full.`);
    } else {
      this.#deps.counters.count('messages_received');
      this.#settle(message, data.messageId, this.#deps.receive(request).flushed);
    }
  }

  #takeOversize(message: Incoming, size: number): void {
    const { counters } = this.#deps;
    counters.count('messages_oversize');
    const { messageId, directive } = peekMessage(message.payload);
    if (messageId === '' || !directivePattern.test(directive)) {
      const sentence = `A packet of ${size} bytes is too large, and its id is not at its beginning.`;
      this.#refuse(message, 'YGG_MESSAGE_TOO_LARGE', sentence);
      return;
    }
    const request = requestOf({ messageId, directive, responseTo: '', metadata: null, content: nothing });
    this.#bury(
      message,
      request,
      'too-large',
      `The packet has ${size} bytes, more than max-message-size allows.`,
    );
  }

  /** A message that is known by its id; only one with the same content is the same message. */
  #isRepetition(message: Incoming, data: DataMessage): boolean {
    const { journal, counters, log } = this.#deps;
    const { messageId, directive, metadata, content } = data;
    const known = journal.inbox.find(messageId);
    if (!known || !taken.has(known.state)) return false;
    if (known.hash !== requestHash(directive, metadata, content)) {
      counters.count('messages_id_reused');
      log.warn({ message_id: messageId, directive }, 'a new message came with the id of another one');
      return false;
    }
    counters.count('messages_duplicate');
    log.debug(
      { message_id: messageId, directive, state: known.state },
      'a message came again; not run again',
    );
    const flushed = this.#unflushed.get(messageId);
    if (flushed) this.#settle(message, '', flushed);
    else message.acknowledge();
    return true;
  }

  #refuse(message: Incoming, code: ErrorCode, reason: string): void {
    const { counters, log } = this.#deps;
    const { messageId, directive } = peekMessage(message.payload);
    counters.count('messages_refused');
    log.warn({ message_id: messageId, directive, code, error: reason }, 'a data message was refused');
    message.acknowledge();
  }

  #isFull({ pressed, payload }: Incoming): boolean {
    const { journal } = this.#deps;
    if (pressed || journal.trouble !== undefined) return true;
    const { messages, bytes, limit } = journal.inbox.fill();
    return messages >= limit.messages || bytes + payload.length > limit.bytes;
  }

  #isShareFull(directive: string): boolean {
    const { messages, bytes, limit } = this.#deps.journal.inbox.fill(directive);
    return messages >= limit.messages || bytes >= limit.bytes;
  }

  /** Taken, but only as a dead letter. */
  #bury(message: Incoming, request: NewRequest, reason: DeadReason, sentence: string): void {
    const { journal, counters, log } = this.#deps;
    const { messageId, directive } = request;
    counters.count('messages_dead');
    log.warn(
      { message_id: messageId, directive, reason, error: sentence },
      'a message was given up on arrival',
    );
    this.#settle(message, messageId, journal.inbox.refuse(request, reason, sentence).flushed);
  }

  /** Acknowledges once it is flushed; what the disk refused is left to the broker. */
  #settle(message: Incoming, messageId: string, flushed: Promise<void>): void {
    if (messageId !== '') this.#unflushed.set(messageId, flushed);
    this.#writing += 1;
    this.#writingBytes += message.payload.length;
    this.#flushing.add(flushed, { message, messageId, flushed });
  }

  #onFlushed(written: readonly Written[], error: unknown): void {
    for (const { message, messageId, flushed } of written) {
      this.#writing -= 1;
      this.#writingBytes -= message.payload.length;
      if (this.#unflushed.get(messageId) === flushed) this.#unflushed.delete(messageId);
      if (error === undefined) message.acknowledge();
      else this.#leave(message);
    }
    this.#arrivals.onWritten();
  }

  #leave(message: Incoming): void {
    const { counters, log, onLeft } = this.#deps;
    if (message.qos === 0) {
      counters.count('messages_qos0_dropped');
      const { messageId, directive } = peekMessage(message.payload);
      log.warn(
        { message_id: messageId, directive },
        'a message with QoS 0 was dropped: the inbox takes no more',
      );
    } else {
      onLeft();
    }
    message.leave();
  }
}

const nothing = new Uint8Array(0);

/** Foreman cancels a job with a message like any other, but for this one word. */
function isCancel({ metadata }: Pick<DataMessage, 'metadata'>): boolean {
  return metadata?.['event'] === 'cancel';
}

function requestOf(
  data: Pick<DataMessage, 'messageId' | 'responseTo' | 'directive' | 'metadata' | 'content'>,
): NewRequest {
  const { messageId, responseTo, directive, metadata, content } = data;
  return { messageId, responseTo, directive, metadata, content, cancel: isCancel(data), origin: 'broker' };
}
