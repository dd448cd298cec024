/**
 * What people and programs see: data on standard output, words on standard error, one form for each reader.
 *
 * Everything that came from outside is made printable before it reaches a terminal.
 */
import { reasonOf } from '../base/errors.ts';
import { printable, printableLines } from '../base/printable.ts';
import { type Message, parseMessage } from '../messages.ts';
import { compactJson, indentedJson } from './json-layout.ts';

export type Format = 'text' | 'json';

/** A stream, and what may be done on it. */
export interface Screen {
  /** Resolves when the reader has taken it, or is gone. */
  write(text: string): Promise<void>;
  readonly terminal: boolean;
  readonly colour: boolean;
}

export interface PrinterDeps {
  readonly out: Screen;
  readonly err: Screen;
  readonly format: Format;
}

export interface Heard {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export class Printer {
  readonly #deps: PrinterDeps;

  constructor(deps: PrinterDeps) {
    this.#deps = deps;
  }

  /** A result that has a form for people and one for programs. */
  result(text: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { out, format } = this.#deps;
    return out.write(`${format === 'json' ? JSON.stringify(fields) : printable(text)}\n`);
  }

  /** The answer to a message: its content, or all of it for programs. */
  answer(payload: Buffer, content: Uint8Array, roundTrip: number): Promise<void> {
    const { out, format } = this.#deps;
    if (format === 'json') {
      const message = compactJson(payload.toString());
      return out.write(`{"round_trip_ms":${milliseconds(roundTrip)},"message":${message}}\n`);
    }
    const text = Buffer.from(content).toString();
    return out.write(`${out.terminal ? shownJson(text, '') : text}\n`);
  }

  /** One message of a live view. */
  heard(heard: Heard): Promise<void> {
    const { out, format } = this.#deps;
    return out.write(`${format === 'json' ? heardJson(heard) : this.#heardText(heard)}\n`);
  }

  /** Words beside the data that only a person at a terminal wants. */
  remark(sentence: string): Promise<void> {
    const { err } = this.#deps;
    return err.terminal ? err.write(`${paint(err, dim, printableLines(sentence))}\n`) : Promise.resolve();
  }

  warn(sentence: string): Promise<void> {
    const { err } = this.#deps;
    return err.write(`${paint(err, yellow, 'warning:')} ${printableLines(sentence)}\n`);
  }

  #heardText({ topic, payload, retained, at }: Heard): string {
    const { out } = this.#deps;
    const time = new Date(at).toTimeString().slice(0, 8);
    const fraction = String(at % 1000).padStart(3, '0');
    const head = `${paint(out, dim, `${time}.${fraction}`)}  ${paint(out, cyan, printable(topic))}  `;
    const mark = retained ? ' (retained)' : '';
    if (payload.length === 0) return `${head}empty${mark}`;
    let message: Message;
    try {
      message = parseMessage(payload);
    } catch (error) {
      return `${head}${paint(out, yellow, printable(reasonOf(error)))}${mark}\n  ${printable(payload.toString().slice(0, shownPayload))}`;
    }
    const content = contentOf(message);
    return `${head}${printable(summary(message))}${mark}${content === '' ? '' : `\n  ${shownJson(content, '  ')}`}`;
  }
}

/** Characters shown of a payload that is no message. */
const shownPayload = 1000;

const dim = 2;
const yellow = 33;
const cyan = 36;

function paint({ colour }: Screen, code: number, text: string): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export function milliseconds(span: number): number {
  return Math.round(span * 10) / 10;
}

function shownJson(text: string, margin: string): string {
  return printableLines(indentedJson(text)).replaceAll('\n', `\n${margin}`);
}

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
