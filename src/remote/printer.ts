/**
 * What comes from a host through the broker, as people and programs see it.
 */
import { reasonOf } from '../base/errors.ts';
import { compactJson } from '../base/json-layout.ts';
import { printable } from '../base/printable.ts';
import { cyan, dim, milliseconds, Printer, paint, shownContent, yellow } from '../base/printer.ts';
import { timeOfDay } from '../base/time-text.ts';
import { type Message, parseMessage } from '../messages.ts';

export interface Heard {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export class HostPrinter extends Printer {
  /** The answer to a message: its content, or all of it for programs. */
  answer(payload: Buffer, content: Uint8Array, roundTrip: number): Promise<void> {
    if (this.format === 'text') return this.content(content);
    const message = compactJson(payload.toString());
    return this.line(`{"round_trip_ms":${milliseconds(roundTrip)},"message":${message}}`);
  }

  /** One message of a live view. */
  heard(heard: Heard): Promise<void> {
    return this.line(this.format === 'json' ? heardJson(heard) : this.#heardText(heard));
  }

  #heardText({ topic, payload, retained, at }: Heard): string {
    const { out } = this;
    const head = `${paint(out, dim, timeOfDay(at))}  ${paint(out, cyan, printable(topic))}  `;
    const mark = retained ? ' (retained)' : '';
    if (payload.length === 0) return `${head}empty${mark}`;
    let message: Message;
    try {
      message = parseMessage(payload);
    } catch (error) {
      return `${head}${paint(out, yellow, printable(reasonOf(error)))}${mark}\n  ${printable(payload.toString().slice(0, shownPayload))}`;
    }
    const content = contentOf(message);
    return `${head}${printable(summary(message))}${mark}${content === '' ? '' : `\n  ${shownContent(content, '  ')}`}`;
  }
}

/** Characters shown of a payload that is no message. */
const shownPayload = 1000;

function heardJson({ topic, payload, retained, at }: Heard): string {
  let message: string;
  try {
    parseMessage(payload);
    message = `"message":${compactJson(payload.toString())}`;
  } catch {
    message = `"payload":${JSON.stringify(payload.toString('base64'))}`;
  }
  const flags = retained ? '"retained":true,' : '';
  return `{"received":"${new Date(at).toISOString()}","topic":${JSON.stringify(topic)},${flags}${message}}`;
}

function summary(message: Message): string {
  const { messageId, responseTo } = message;
  const ids = responseTo === '' ? messageId : `${messageId} in answer to ${responseTo}`;
  switch (message.type) {
    case 'data':
      return `data for ${message.directive}, ${ids}${entries(message.metadata)}`;
    case 'command':
      return `command ${message.command}, ${ids}${entries(message.arguments)}`;
    case 'event':
      return `event ${message.event}, ${ids}`;
    case 'connection-status': {
      const handlers = Object.keys(Object(message.content['dispatchers'])).join(', ');
      return `${String(message.content['state'])}, workers: ${handlers || 'none'}, ${ids}`;
    }
  }
}

function entries(map: Readonly<Record<string, string>> | null): string {
  return Object.entries(map ?? {})
    .map(([name, value]) => `, ${name}=${value}`)
    .join('');
}

/** What a message carries beyond its summary, as JSON text. */
function contentOf(message: Message): string {
  return message.type === 'data' ? Buffer.from(message.content).toString() : '';
}
