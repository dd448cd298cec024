/**
 * One connection to one broker, on one MQTT.js client that is never used again.
 *
 * Owns the client, its stream, its acknowledgements and what is in flight. The library connects, subscribes and pings.
 * Its own session is not used: it acknowledges too early or on the wrong connection, resends beside the outbox, and has
 * no limits (docs/reliability.md). So it never sees a message: the filter takes PUBLISH and PUBACK out of its stream,
 * and those that leave are written here.
 */
import { MqttClient } from 'mqtt';
import { type IConnackPacket, writeToStream } from 'mqtt-packet';
import { asBuffer } from '../base/bytes.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { TlsMaterial } from '../base/tls.ts';
import { Acknowledgements, type Ticket } from './acknowledgements.ts';
import {
  endingFault,
  faultOf,
  firstRefusal,
  noMatchingSubscribers,
  publishFault,
  refusal,
} from './broker-fault.ts';
import { type ConnectTerms, clientOptions, subscribeOptions } from './client-options.ts';
import type { Connected, Incoming, InTopic, OutTopic, Receiver } from './connector.ts';
import type { Dial } from './dial.ts';
import { PacketFilter } from './packet-filter.ts';
import { ParserHold } from './parser-hold.ts';
import { type PublishPacket, puback, publishHead, topicBytes } from './publish-packet.ts';

export interface MqttConnectionDeps extends ConnectTerms {
  readonly tls: TlsMaterial;
  readonly dial: Dial;
  readonly receiver: Receiver;
  readonly clock: Clock;
  readonly limits: ReceiveLimits;
  /** Publish an empty QoS 0 message to data/out first: some brokers make a topic on its first publish. */
  readonly primeTopic: boolean;
  /** Subscribe although the broker kept the session: whether that is complete is not known. */
  readonly subscribeAlways: boolean;
  /** Milliseconds. */
  readonly publishTimeout: number;
}

/** How much may be received and not settled before parsing is held. */
export interface ReceiveLimits {
  readonly messages: number;
  readonly bytes: number;
  /** Bytes of the largest PUBLISH that is kept. */
  readonly packet: number;
}

interface Flight {
  /** Milliseconds, monotonic. */
  readonly since: number;
  readonly land: () => void;
  readonly fail: (error: YggError) => void;
}

/** Bytes of a PUBLISH beside topic and payload: fixed header, packet identifier, no properties. */
const packetAllowance = 8;
const lastPacketId = 0xffff;
const closeDeadline = 1_000;
/** Longest hold of the parser where the keep-alive is off. */
const holdWithoutKeepAlive = 15_000;

export class MqttConnection {
  readonly #deps: MqttConnectionDeps;
  readonly #client: MqttClient;
  readonly #filter: PacketFilter;
  readonly #acknowledgements: Acknowledgements;
  readonly #hold: ParserHold;
  readonly #closed: Promise<void>;
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  /** The first thing that went wrong, if any. */
  #fault: YggError | undefined;
  /** Bytes of the largest packet the broker takes. */
  #largest = Number.POSITIVE_INFINITY;
  /** Waiting for their PUBACK, by packet identifier, oldest first. */
  readonly #flights = new Map<number, Flight>();
  #lastId = 0;
  /** As they stand in a packet. */
  readonly #topics: Readonly<Record<OutTopic, Buffer>>;
  readonly #goOn = (): void => this.#filter.release();
  #overdue: Timer | undefined;

  constructor(deps: MqttConnectionDeps) {
    const { address, tls, dial, topics, version, limits } = deps;
    this.#deps = deps;
    this.#topics = {
      'control/out': topicBytes(topics.controlOut),
      'data/out': topicBytes(topics.dataOut),
    };
    this.#filter = new PacketFilter(dial(address, tls, { largest: limits.packet }), {
      maxPacket: limits.packet,
      version,
      onPublish: (packet, oversize) => this.#onPublish(packet, oversize),
      onPuback: (packetId, reason) => this.#onPuback(packetId, reason),
    });
    this.#acknowledgements = new Acknowledgements((packetId) => this.#writePuback(packetId));
    this.#hold = new ParserHold({
      clock: deps.clock,
      longest: deps.keepAlive > 0 ? deps.keepAlive / 2 : holdWithoutKeepAlive,
      overfull: () =>
        this.#acknowledgements.open > limits.messages || this.#acknowledgements.bytes > limits.bytes,
    });
    const client = new MqttClient(() => this.#filter, clientOptions(deps));
    this.#client = client;
    // After an error the library may go on with a stream that makes no sense any more.
    client.on('error', (error) => this.#fail(error));
    if (version === 5) this.#listenToReasons();
    this.#filter.on('error', (error) => this.#fail(error));
    this.#closed = new Promise((resolve) => {
      client.once('close', () => {
        this.#onClose();
        resolve();
      });
    });
  }

  /** Connects and subscribes. Throws `YGG_BROKER_REFUSED`, `YGG_BROKER_UNREACHABLE` or `YGG_BROKER_PROTOCOL`. */
  async open(abort: AbortSignal): Promise<Connected> {
    const { address, topics, primeTopic, subscribeAlways, clock, publishTimeout } = this.#deps;
    const onAbort = (): void => this.#fail(abort.reason);
    abort.addEventListener('abort', onAbort, { once: true });
    try {
      if (abort.aborted) onAbort();
      const { sessionPresent, properties = {} } = await this.#connack();
      if (properties.maximumQoS === 0) throw refusal('takes no messages with QoS 1');
      this.#largest = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
      const { receiveMaximum } = properties;
      if (primeTopic) this.#client.publish(topics.dataOut, '', { qos: 0 });
      if (!sessionPresent || subscribeAlways) await this.#subscribe();
      this.#state = 'open';
      this.#overdue = clock.every(publishTimeout / 4, () => this.#checkOverdue());
      return { broker: address.name, sessionPresent, ...(receiveMaximum && { receiveMaximum }) };
    } catch (error) {
      // The first fault counts: that the connection closed is mostly its consequence.
      this.#fail(error);
      await this.#closed;
      throw this.#fault ?? error;
    } finally {
      abort.removeEventListener('abort', onAbort);
    }
  }

  publish(topic: OutTopic, payload: Uint8Array): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#lost());
    const { clock, version } = this.#deps;
    const name = this.#topics[topic];
    const bytes = name.length + payload.length + packetAllowance;
    if (bytes > this.#largest) {
      const sentence = `It has ${payload.length} bytes, and the broker takes packets of ${this.#largest} at most.`;
      return Promise.reject(new YggError('YGG_BROKER_REFUSED', sentence));
    }
    return new Promise((resolve, reject) => {
      const id = this.#freeId();
      this.#flights.set(id, { since: clock.monotonic(), land: resolve, fail: reject });
      this.#filter.send(publishHead(name, id, { payload: payload.length, version }), asBuffer(payload));
    });
  }

  /** DISCONNECT and close: what is in flight is lost, and the broker sends no last will. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      writeToStream({ cmd: 'disconnect' }, this.#filter);
      this.#filter.end();
      const deadline = this.#deps.clock.after(closeDeadline, () => this.#filter.destroy());
      this.#hold.end();
      await this.#closed;
      deadline.cancel();
    } else {
      this.#filter.destroy();
      await this.#closed;
    }
  }

  #connack(): Promise<IConnackPacket> {
    return new Promise((resolve, reject) => {
      this.#client.once('connect', resolve);
      void this.#closed.then(() => reject(this.#lost()));
      this.#client.connect();
    });
  }

  #subscribe(): Promise<void> {
    const { topics, version } = this.#deps;
    return new Promise((resolve, reject) => {
      void this.#closed.then(() => reject(this.#lost()));
      const wanted = [topics.controlIn, topics.dataIn];
      this.#client.subscribe(wanted, subscribeOptions(version), (error, granted = []) => {
        // Granted QoS 0 would mean that whatever comes while the daemon is away is lost.
        const refused = wanted.filter(
          (topic) => !granted.some((grant) => grant.topic === topic && grant.qos === 1),
        );
        if (!error && refused.length === 0) resolve();
        else reject(refusal(`did not grant QoS 1 on ${(error ? wanted : refused).join(' and ')}`));
      });
    });
  }

  /** Of a PUBLISH; the library uses one for its SUBSCRIBE, and is answered before the first. */
  #freeId(): number {
    do this.#lastId = (this.#lastId % lastPacketId) + 1;
    while (this.#flights.has(this.#lastId));
    return this.#lastId;
  }

  #onPuback(packetId: number, reason: number): void {
    const flight = this.#flights.get(packetId);
    if (!flight) return;
    this.#flights.delete(packetId);
    if (reason === noMatchingSubscribers) this.#deps.receiver.onUnheard?.();
    if (reason < firstRefusal) flight.land();
    else flight.fail(publishFault(reason));
  }

  #onPublish(packet: PublishPacket, oversize: number | undefined): void {
    const { receiver } = this.#deps;
    const { payload, qos, packetId } = packet;
    const ticket = this.#acknowledgements.add(packetId, payload.length);
    const message: Incoming = {
      topic: this.#topicOf(packet.topic),
      topicName: packet.topic,
      payload,
      oversize,
      qos,
      retain: packet.retain,
      redelivered: packet.dup,
      pressed: this.#hold.pressed,
      acknowledge: () => this.#settle(ticket, 'acknowledged'),
      leave: () => this.#settle(ticket, 'left'),
    };
    receiver.onMessage(message);
    this.#filter.hold();
    this.#hold.next(this.#goOn);
  }

  #settle(ticket: Ticket, state: 'acknowledged' | 'left'): void {
    this.#acknowledgements.settle(ticket, state);
    this.#hold.relax();
  }

  /** What only MQTT 5 says. */
  #listenToReasons(): void {
    const { address } = this.#deps;
    this.#client.on('disconnect', ({ reasonCode, properties }) =>
      this.#fail(endingFault(address.name, reasonCode, properties?.reasonString)),
    );
  }

  #topicOf(name: string): InTopic {
    const { topics } = this.#deps;
    if (name === topics.dataIn) return 'data/in';
    return name === topics.controlIn ? 'control/in' : 'foreign';
  }

  #writePuback(packetId: number): void {
    this.#filter.send(puback(packetId));
  }

  #checkOverdue(): void {
    const { clock, publishTimeout } = this.#deps;
    for (const { since } of this.#flights.values()) {
      // MQTT resends only on a new connection, so a PUBACK that does not come is worth one.
      if (clock.monotonic() - since > publishTimeout) {
        this.#fail(new YggError('YGG_BROKER_LOST', `No PUBACK came for ${publishTimeout} ms.`));
      }
      return;
    }
  }

  #fail(error: unknown): void {
    this.#fault ??= faultOf(error);
    this.#filter.destroy();
  }

  #onClose(): void {
    const wasOpen = this.#state === 'open' || this.#state === 'closing';
    this.#state = 'closed';
    this.#overdue?.cancel();
    this.#hold.end();
    const lost = this.#lost();
    for (const flight of this.#flights.values()) flight.fail(lost);
    this.#flights.clear();
    // The client is left as it is: its `end` throws away what packets that are parsed already still need.
    if (wasOpen)
      this.#deps.receiver.onClose(this.#fault?.code === 'YGG_BROKER_PROTOCOL' ? this.#fault : lost);
  }

  /** For those who had a connection; an attempt at one fails with the fault itself. */
  #lost(): YggError {
    const reason = this.#fault?.message ?? `${this.#deps.address.name} closed the connection.`;
    return new YggError('YGG_BROKER_LOST', reason, { cause: this.#fault });
  }
}
