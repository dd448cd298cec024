/**
 * One host as a server sees it: its four topics, and what can be asked of it through the broker.
 */
import type { Clock } from '../base/clock.ts';
import { type DataMessage, encodeCommand, encodeData, type Message } from '../messages.ts';
import { type BrokerClient, exchange } from './exchange.ts';

/** The topics of one host; `in` and `out` are as the host sees them. */
export interface HostTopics {
  readonly controlIn: string;
  readonly controlOut: string;
  readonly dataIn: string;
  readonly dataOut: string;
}

export interface HostDeps {
  readonly client: BrokerClient;
  readonly host: string;
  readonly topicPrefix: string;
  readonly topics: HostTopics;
  readonly clock: Clock;
  /** A new message id, a UUID. */
  readonly newId: () => string;
  /** Milliseconds to wait for each answer. */
  readonly timeout: number;
}

export interface Answer {
  readonly message: DataMessage;
  readonly payload: Buffer;
  /** Milliseconds from before it was said to its answer. */
  readonly roundTrip: number;
}

export interface NewRequest {
  readonly directive: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly content: Uint8Array;
}

export interface RemoteHost {
  /** Sends a data message and waits for the first answer to it. */
  send(request: NewRequest): Promise<Answer>;
  /** Resolves with the milliseconds until the pong. */
  ping(): Promise<number>;
  /** Resolves with the milliseconds until the host said that it leaves the broker. */
  disconnect(): Promise<number>;
  /**
   * Resolves with the milliseconds until the host was online again.
   * @param delay seconds it stays away
   */
  reconnect(delay: number, onLeft: () => void): Promise<number>;
}

export function createRemoteHost(deps: HostDeps): RemoteHost {
  const { client, host, topicPrefix, topics, clock, newId, timeout } = deps;

  function noAnswer(topic: string, answers: string, ms: number, more: readonly string[] = []): string {
    const checks = [
      `"${host}" is the client id of a host, and it is online ("yggctl remote listen" shows what it says);`,
      `the broker's access list lets this client publish to ${topic} and subscribe to ${answers};`,
      `the host uses the topic prefix "${topicPrefix}" (--topic-prefix);`,
      ...more,
    ];
    return [`${host} did not answer within ${ms / 1000} s. Check that`, ...checks]
      .join('\n  - ')
      .replace(/;$/, '.');
  }

  /** Says a command on control/in and waits for what `take` makes of control/out. */
  function command<T>({ name, args = null, wait = timeout, take }: HostCommand<T>): Promise<T> {
    const messageId = newId();
    return exchange({
      client,
      clock,
      topic: topics.controlIn,
      answers: topics.controlOut,
      payload: encodeCommand({ messageId, sent: clock.now() }, name, args),
      timeout: wait,
      take: (message, elapsed) => take(message, elapsed, messageId),
      noAnswer: noAnswer(topics.controlIn, topics.controlOut, wait),
    });
  }

  return {
    send({ directive, metadata, content }) {
      const messageId = newId();
      return exchange({
        client,
        clock,
        topic: topics.dataIn,
        answers: topics.dataOut,
        payload: encodeData({ messageId, sent: clock.now(), directive, metadata, content }),
        timeout,
        take: (message, roundTrip, payload) =>
          message.type === 'data' && message.responseTo === messageId
            ? { message, payload, roundTrip }
            : undefined,
        noAnswer: noAnswer(topics.dataIn, topics.dataOut, timeout, [
          `a worker for "${directive}" runs there and answers in time (--timeout waits longer).`,
        ]),
      });
    },
    ping: () =>
      command({
        name: 'ping',
        take: (message, elapsed, messageId) =>
          message.type === 'event' && message.responseTo === messageId ? elapsed : undefined,
      }),
    disconnect: () =>
      command({
        name: 'disconnect',
        take: (message, elapsed) => (saysGoodbye(message) ? elapsed : undefined),
      }),
    reconnect(delay, onLeft) {
      let left = false;
      return command({
        name: 'reconnect',
        args: { delay: String(delay) },
        wait: timeout + delay * 1000,
        take(message, elapsed) {
          if (!left && saysGoodbye(message)) {
            left = true;
            onLeft();
          }
          return left && stateOf(message) === 'online' ? elapsed : undefined;
        },
      });
    },
  };
}

interface HostCommand<T> {
  readonly name: string;
  readonly args?: Readonly<Record<string, string>> | null;
  /** Milliseconds. */
  readonly wait?: number;
  take(message: Message, elapsed: number, messageId: string): T | undefined;
}

function saysGoodbye(message: Message): boolean {
  return (message.type === 'event' && message.event === 'disconnect') || stateOf(message) === 'offline';
}

function stateOf(message: Message): unknown {
  return message.type === 'connection-status' ? message.content['state'] : undefined;
}
