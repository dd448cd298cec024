/**
 * Says something to a host through the broker and waits for what comes back.
 */
import type { Clock } from '../base/clock.ts';
import { within } from '../base/deadline.ts';
import { codeOf, reasonOf, YggError } from '../base/errors.ts';
import { type Message, parseMessage } from '../messages.ts';

/** What is needed of a connection to the broker. */
export interface BrokerClient {
  readonly lost: Promise<YggError>;
  listen(
    topics: readonly string[],
    receive: (topic: string, payload: Buffer, retained: boolean) => void | Promise<void>,
  ): Promise<void>;
  publish(topic: string, payload: Uint8Array): Promise<void>;
}

export interface Exchange<T> {
  readonly client: BrokerClient;
  readonly clock: Clock;
  /** The host's topic that the answer comes on. */
  readonly answers: string;
  /** The host's topic that the question goes to. */
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Milliseconds from the broker's acknowledgement. */
  readonly timeout: number;
  /**
   * What a message means, or `undefined` while it is not what is waited for.
   * @param elapsed milliseconds since the payload was said
   */
  take(message: Message, elapsed: number, payload: Buffer): T | undefined;
  /** The sentence for `YGG_NO_ANSWER`. */
  readonly noAnswer: string;
}

/** Throws `YGG_NO_ANSWER`, `YGG_BROKER_LOST`, `YGG_BROKER_REFUSED`. */
export async function exchange<T>(options: Exchange<T>): Promise<T> {
  const { client, clock, answers, topic, payload, timeout, take } = options;
  let begun = clock.monotonic();
  let found: (value: T) => void = () => {};
  const answer = new Promise<T>((resolve) => {
    found = resolve;
  });
  // Subscribed before it is said: an answer may be there before the broker's acknowledgement is.
  await client.listen([answers], (_topic, bytes) => {
    const message = messageOf(bytes);
    const value = message && take(message, clock.monotonic() - begun, bytes);
    if (value !== undefined) found(value);
  });
  begun = clock.monotonic();
  try {
    await client.publish(topic, payload);
    return await within({ step: 'the answer', ms: timeout }, () =>
      Promise.race([answer, client.lost.then((error) => Promise.reject(error))]),
    );
  } catch (error) {
    throw explained(error, options);
  }
}

/** What a deadline or a closed connection means to somebody who waits for an answer. */
function explained(error: unknown, { noAnswer, topic }: Exchange<unknown>): unknown {
  const code = codeOf(error);
  if (code === 'YGG_DEADLINE') return new YggError('YGG_NO_ANSWER', noAnswer, { cause: error });
  if (code !== 'YGG_BROKER_LOST') return error;
  const hint = `Brokers close a connection that publishes what it may not: check the access list for ${topic}.`;
  return new YggError(code, `${reasonOf(error)} ${hint}`, { cause: error });
}

/** Others may say on a host's topics what they like; what is no message is not the answer. */
function messageOf(bytes: Buffer): Message | undefined {
  try {
    return parseMessage(bytes);
  } catch {
    return undefined;
  }
}
