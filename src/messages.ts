/**
 * The MQTT envelopes (docs/protocol.md): their types, how they are read, how they are written.
 *
 * Reading takes what the servers in the field send: field names match without regard to case and the last of a
 * repeated one counts, as in Go; unknown fields are ignored. Every failure is `YGG_MESSAGE_INVALID`. `content` of a
 * data message is never built: it stays the exact bytes between the braces, a view of the packet it came in.
 * Writing keeps the field order of the Go daemon.
 */
import { isUtf8 } from 'node:buffer';
import { asBuffer } from './base/bytes.ts';
import { YggError } from './base/errors.ts';
import { Fields, type StringMap } from './base/json-fields.ts';
import { isJson } from './base/json-text.ts';

export type { StringMap } from './base/json-fields.ts';

interface Envelope {
  readonly messageId: string;
  /** The id of the message this one answers, or empty. */
  readonly responseTo: string;
  /** Milliseconds since the epoch; `undefined` when it was not said. */
  readonly sent: number | undefined;
}

export interface DataMessage extends Envelope {
  readonly type: 'data';
  readonly directive: string;
  readonly metadata: StringMap | null;
  /** Empty when the envelope had none. */
  readonly content: Uint8Array;
}

export interface CommandMessage extends Envelope {
  readonly type: 'command';
  readonly command: string;
  readonly arguments: StringMap;
}

export interface EventMessage extends Envelope {
  readonly type: 'event';
  /** `pong` or `disconnect`; other words from other daemons. */
  readonly event: string;
}

/** Who this host is, as the inventory knows it. Unknown is empty. */
export interface CanonicalFacts {
  readonly insights_id: string;
  readonly machine_id: string;
  readonly bios_uuid: string;
  readonly subscription_manager_id: string;
  readonly ip_addresses: readonly string[];
  readonly mac_addresses: readonly string[];
  readonly fqdn: string;
}

/** What a connection status says besides its envelope. */
export interface ConnectionStatus {
  readonly facts: CanonicalFacts;
  /** The features of each registered handler. */
  readonly dispatchers: Readonly<Record<string, StringMap>>;
  readonly state: 'online' | 'offline';
  /** Left out when there are none. */
  readonly tags?: StringMap | undefined;
  readonly client?: { readonly name: string; readonly version: string } | undefined;
}

export interface ConnectionStatusMessage extends Envelope {
  readonly type: 'connection-status';
  readonly content: Readonly<Record<string, unknown>>;
}

export type Message = DataMessage | CommandMessage | EventMessage | ConnectionStatusMessage;

/** The envelope of a message that is written; `sent` in milliseconds since the epoch. */
export interface NewEnvelope {
  readonly messageId: string;
  readonly responseTo?: string;
  readonly sent: number;
}

export interface NewData extends NewEnvelope {
  readonly directive: string;
  readonly metadata: StringMap | null;
  /** As the worker gave it: JSON goes in as it is, other text as a string, other bytes as base64; none is `null`. */
  readonly content: Uint8Array;
}

/** A directive that can be one: what a worker may register for. */
export const directivePattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether a response is posted and not published: its directive has a scheme, which the name of a worker cannot. */
export function isAddress(directive: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(directive);
}

/** Longest message id that is taken, in characters. Servers send UUIDs. */
export const maxIdLength: number = 256;

/** Reads a message of data/in. Throws `YGG_MESSAGE_INVALID`, also for an id or directive that is not usable. */
export function parseData(bytes: Uint8Array): DataMessage {
  const message = dataOf(openEnvelope(bytes, 'data'));
  if (!directivePattern.test(message.directive)) {
    const directive = shown(message.directive);
    throw invalid(`directive is ${directive}: letters, digits, dot, underscore, hyphen, at most 128`);
  }
  return message;
}

/** Reads a message of control/in. Throws `YGG_MESSAGE_INVALID`. */
export function parseCommand(bytes: Uint8Array): CommandMessage {
  return commandOf(openEnvelope(bytes, 'command'));
}

/** Reads any message of the four topics, with any directive: what a server does. Throws `YGG_MESSAGE_INVALID`. */
export function parseMessage(bytes: Uint8Array): Message {
  const fields = openEnvelope(bytes);
  const type = stringOf(fields, 'type');
  if (type === 'data') return dataOf(fields);
  if (type === 'command') return commandOf(fields);
  if (type === 'event') return { type, ...envelopeOf(fields), event: stringOf(fields, 'content') };
  if (type !== 'connection-status') throw invalid(`type is ${shown(type)}`);
  const content: unknown = JSON.parse(asBuffer(fields.bytes('content') ?? noValue).toString());
  if (!isRecord(content)) throw invalid('content is not an object');
  return { type, ...envelopeOf(fields), content };
}

/** What can still be read of a message that is damaged or cut short: for log lines and dead letters. */
export function peekMessage(head: Uint8Array): { readonly messageId: string; readonly directive: string } {
  const fields = new Fields(head);
  const read = (name: string): string =>
    isUtf8(fields.bytes(name) ?? noValue) ? (fields.string(name) ?? '').slice(0, maxIdLength) : '';
  return { messageId: read('message_id'), directive: read('directive') };
}

/** Writes a data message. */
export function encodeData(data: NewData): Buffer {
  const { json: body, base64 } = contentAsJson(data.content);
  const metadata = base64 ? { ...data.metadata, 'content-encoding': 'base64' } : data.metadata;
  const head = `${startEnvelope('data', data)},"directive":${JSON.stringify(data.directive)},"metadata":${JSON.stringify(metadata)},"content":`;
  const headLength = Buffer.byteLength(head);
  const message = Buffer.allocUnsafe(headLength + body.length + 1);
  message.write(head);
  message.set(body, headLength);
  message[headLength + body.length] = 0x7d;
  return message;
}

/** Any bytes as the content of an envelope: JSON as it is, other text as a string, other bytes as base64, none as null. */
export function contentAsJson(content: Uint8Array): { readonly json: Uint8Array; readonly base64: boolean } {
  if (content.length === 0) return { json: noValue, base64: false };
  if (!isUtf8(content)) {
    return { json: Buffer.from(`"${asBuffer(content).toString('base64')}"`), base64: true };
  }
  const json = isJson(content) ? content : Buffer.from(JSON.stringify(asBuffer(content).toString()));
  return { json, base64: false };
}

/** Writes what this host is and which handlers it has. */
export function encodeConnectionStatus(envelope: NewEnvelope, status: ConnectionStatus): Buffer {
  const { facts, dispatchers, state, tags, client } = status;
  const content = {
    canonical_facts: facts,
    dispatchers,
    state,
    ...(tags && Object.keys(tags).length > 0 && { tags }),
    ...(client && { client_name: client.name, client_version: client.version }),
  };
  return Buffer.from(`${startEnvelope('connection-status', envelope)},"content":${JSON.stringify(content)}}`);
}

/** Writes what the broker says for a host that vanished: offline, and nothing about it. */
export function encodeLastWill(envelope: NewEnvelope): Buffer {
  return encodeConnectionStatus(envelope, { facts: unknownFacts, dispatchers: {}, state: 'offline' });
}

/** Writes an event. */
export function encodeEvent(envelope: NewEnvelope, event: 'pong' | 'disconnect'): Buffer {
  return Buffer.from(`${startEnvelope('event', envelope)},"content":${JSON.stringify(event)}}`);
}

/** Writes a command, as a server does. */
export function encodeCommand(
  envelope: NewEnvelope,
  command: string,
  args: Readonly<Record<string, string | number>> | null,
): Buffer {
  const content = JSON.stringify({ command, arguments: args });
  return Buffer.from(`${startEnvelope('command', envelope)},"content":${content}}`);
}

/** The beginning that all messages share, up to and including `sent`. */
function startEnvelope(type: string, { messageId, responseTo = '', sent }: NewEnvelope): string {
  return `{"type":"${type}","message_id":${JSON.stringify(messageId)},"response_to":${JSON.stringify(responseTo)},"version":1,"sent":"${new Date(sent).toISOString()}"`;
}

/** The fields of an envelope; `type`, where it is said, must be `expected`: the topic decides what a message is. */
function openEnvelope(bytes: Uint8Array, expected?: string): Fields {
  if (!isUtf8(bytes)) throw invalid('it is not UTF-8');
  const fields = new Fields(bytes);
  if (!fields.whole) throw invalid('it is not a JSON object');
  if (expected !== undefined && fields.has('type')) {
    const type = stringOf(fields, 'type');
    if (type !== expected) throw invalid(`type is ${shown(type)}, expected "${expected}"`);
  }
  return fields;
}

function dataOf(fields: Fields): DataMessage {
  return {
    type: 'data',
    ...envelopeOf(fields),
    directive: stringOf(fields, 'directive'),
    metadata: mapOf(fields, 'metadata'),
    content: fields.bytes('content') ?? nothing,
  };
}

function commandOf(fields: Fields): CommandMessage {
  const content = new Fields(fields.bytes('content') ?? nothing);
  if (!content.whole) throw invalid('content is not an object');
  return {
    type: 'command',
    ...envelopeOf(fields),
    command: stringOf(content, 'command'),
    arguments: mapOf(content, 'arguments') ?? emptyMap,
  };
}

function envelopeOf(fields: Fields): Envelope {
  const messageId = stringOf(fields, 'message_id');
  if (messageId === '') throw invalid('message_id is missing or empty');
  if (messageId.length > maxIdLength) throw invalid(`message_id is longer than ${maxIdLength} characters`);
  return { messageId, responseTo: stringOf(fields, 'response_to'), sent: timeOf(fields) };
}

/** Empty when the field is missing or null. */
function stringOf(fields: Fields, name: string): string {
  const text = fields.string(name);
  if (text === undefined) throw invalid(`${name} is not a string`);
  return text;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function timeOf(fields: Fields): number | undefined {
  const text = stringOf(fields, 'sent');
  if (text === '') return undefined;
  const time = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw invalid(`sent is ${shown(text)}, expected an RFC 3339 time`);
  return time;
}

function mapOf(fields: Fields, name: string): StringMap | null {
  const map = fields.stringMap(name);
  if (map === undefined) throw invalid(`${name} is not an object of strings`);
  return map;
}

const nothing = Buffer.alloc(0);
const noValue = Buffer.from('null');
const emptyMap: StringMap = Object.freeze(Object.create(null));
const unknownFacts: CanonicalFacts = {
  insights_id: '',
  machine_id: '',
  bios_uuid: '',
  subscription_manager_id: '',
  ip_addresses: [],
  mac_addresses: [],
  fqdn: '',
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}

function invalid(what: string): YggError {
  return new YggError('YGG_MESSAGE_INVALID', `The message is not usable: ${what}.`);
}
