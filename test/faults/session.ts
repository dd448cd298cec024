/**
 * The broker's side of one session, over all its connections, and what it saw the daemon do.
 *
 * It keeps what was not acknowledged and sends it again on the next connection, under packet identifiers from 1 that
 * stood for other messages before. Its book is the ledger of both ends: what the daemon acknowledged, and what of the
 * daemon's own messages the broker took.
 */
import type { IPublishPacket } from 'mqtt-packet';
import { dataMessage } from '../helpers/mqtt-server.ts';
import type { BrokerConnection } from '../helpers/scripted-broker.ts';
import type { Dice } from './dice.ts';
import { Ledgers } from './ledgers.ts';

/** Packets sent and not acknowledged. */
const windowSize = 20;

interface Packet {
  /** Of the request in it; empty for what is no request. */
  readonly id: string;
  readonly payload: string | Buffer;
}

export interface SessionOptions {
  readonly dice: Dice;
  /** Topics of the host: `<prefix>/<client-id>`. */
  readonly base: string;
  readonly directive: string;
  /** Bytes that the daemon takes as one packet. */
  readonly packetLimit: number;
}

export class Session {
  readonly ledgers: Ledgers = new Ledgers();
  /** What the daemon did that no client may do. */
  readonly wrong: string[] = [];
  readonly #options: SessionOptions;
  readonly #texts: string[] = [];
  /** To be sent, oldest first. */
  #waiting: Packet[] = [];
  /** By packet identifier, in order of sending. */
  #flying = new Map<number, Packet>();
  #connection: BrokerConnection | undefined;
  #pubacksSeen = 0;
  #nextId = 1;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** So many more requests, and what else a broker sends between them. */
  add(requests: number): void {
    for (let index = 0; index < requests; index += 1) {
      this.#waiting.push(this.#request(index));
      if (this.#options.dice.next() < 0.05) this.#waiting.push(this.#nuisance());
    }
  }

  /** Everything was acknowledged and settled. */
  get over(): boolean {
    const { sent, settled } = this.ledgers;
    return this.#waiting.length === 0 && this.#flying.size === 0 && settled >= sent.size;
  }

  /** A new connection: what was not acknowledged is sent again, first. */
  connected(connection: BrokerConnection): void {
    this.#connection = connection;
    this.#waiting.unshift(...this.#flying.values());
    this.#flying = new Map();
    this.#pubacksSeen = 0;
    this.#nextId = 1;
    this.turn();
  }

  /** Takes the PUBACKs that have come, and sends what may be sent. */
  turn(): void {
    const connection = this.#connection;
    if (!connection || connection.closed) return;
    const { pubacks } = connection;
    for (const packetId of pubacks.slice(this.#pubacksSeen)) this.#acknowledged(packetId);
    this.#pubacksSeen = pubacks.length;
    while (this.#flying.size < windowSize) {
      const packet = this.#waiting.shift();
      if (!packet) return;
      const messageId = this.#nextId;
      this.#nextId = messageId + 1;
      this.#flying.set(messageId, packet);
      connection.publish({ topic: `${this.#options.base}/data/in`, payload: packet.payload, messageId });
    }
  }

  /** The broker took something of the daemon's. */
  took({ topic, payload }: IPublishPacket): void {
    if (!topic.endsWith('/data/out') || payload.length === 0) return;
    this.ledgers.published({ json: JSON.parse(payload.toString()) });
  }

  #acknowledged(packetId: number): void {
    const packet = this.#flying.get(packetId);
    if (!packet) {
      this.wrong.push(`PUBACK ${packetId} stands for nothing`);
      return;
    }
    const [oldest] = this.#flying.keys();
    // MQTT 3.1.1, 4.6: in the order in which the packets came.
    if (packetId !== oldest) this.wrong.push(`PUBACK ${packetId} came before that of ${oldest}`);
    this.#flying.delete(packetId);
    if (packet.id !== '') this.ledgers.acknowledged.add(packet.id);
  }

  #request(content: unknown): Packet {
    const { id, text } = dataMessage({ directive: this.#options.directive, content });
    this.ledgers.sent.add(id);
    this.#texts.push(text);
    return { id, payload: text };
  }

  /** What a broker may send as well: a repetition, something that is no message, something too large. */
  #nuisance(): Packet {
    const { dice, packetLimit } = this.#options;
    const kind = dice.upTo(3);
    if (kind === 0) return { id: '', payload: this.#texts[dice.upTo(this.#texts.length)] ?? '' };
    if (kind === 1) return { id: '', payload: '{"type":"data"' };
    // Its id is at its beginning, so it can be reported.
    return this.#request('x'.repeat(packetLimit + dice.upTo(1_000)));
  }
}
