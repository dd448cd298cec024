/**
 * What is reached into of dbus-next beyond its interface: the connection behind a bus, and its first call.
 *
 * Every bus of the library says Hello. Where there is no bus driver, or the bus refuses, the answer is an error, which the
 * library throws where nobody can catch it. So Hello is answered here instead, and its real answer finds nobody waiting.
 */
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { Message, type MessageBus, MessageType } from 'dbus-next';
import { YggError } from '../base/errors.ts';

export interface Wire {
  /** Emits `connect` after the handshake, and `message`. */
  readonly events: EventEmitter;
  readonly stream: Duplex;
}

/** Hello is the first message of a connection. */
const helloSerial = '1';

/** Throws `YGG_INTERNAL` when the library has changed. */
export function wireOf(bus: MessageBus): Wire {
  const events: unknown = Reflect.get(bus, '_connection');
  const stream: unknown = events instanceof EventEmitter ? Reflect.get(events, 'stream') : undefined;
  if (events instanceof EventEmitter && stream instanceof Duplex) return { events, stream };
  throw new YggError('YGG_INTERNAL', 'dbus-next does not keep its connection where it did.');
}

/** Ends the library's wait for an answer to Hello. */
export function answerHello({ events }: Wire): void {
  const answer = { type: MessageType.METHOD_RETURN, replySerial: helloSerial, signature: 's', body: [''] };
  events.emit('message', new Message(answer));
}

/** Whether it is the answer to Hello. */
export function answersHello(message: Message): boolean {
  return String(message.replySerial) === helloSerial;
}
