/**
 * The router under a broker that breaks in every way: what was acknowledged was taken, what was not comes again, and
 * in the end every message ran once and every answer arrived.
 *
 * The broker here keeps a session as a real one does: what is not acknowledged on one connection is sent again on the
 * next, under packet identifiers that were used before for other messages. The seed of a failed run is in its name.
 */

import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import type { BrokerConnection } from '../helpers/scripted-broker.ts';
import { createRig, dataMessage, type Rig, topics } from '../unit/message-router/rig.ts';

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const windowSize = 20;

/** The broker's side of one session. */
class Session {
  readonly #rig: Rig;
  readonly #random: () => number;
  /** Not acknowledged, oldest first. */
  readonly waiting: string[];
  /** Acknowledged ids, with the number of times. */
  readonly acknowledged = new Map<string, number>();
  /** Answers that came, by the id they answer. */
  readonly answers = new Map<string, number>();
  #flying = new Map<number, string>();
  #connection: BrokerConnection | undefined;
  #seen = 0;
  #nextId = 1;

  constructor(rig: Rig, ids: readonly string[], random: () => number) {
    this.#rig = rig;
    this.#random = random;
    this.waiting = [...ids];
  }

  /** A new connection: everything is sent again, from packet identifier 1. */
  connected(connection: BrokerConnection): void {
    this.#connection = connection;
    this.waiting.unshift(...this.#flying.values());
    this.#flying = new Map();
    this.#seen = 0;
    this.#nextId = 1;
    this.fill();
  }

  /** Takes PUBACKs, and checks that each is for something that lies in the inbox. */
  look(): void {
    const connection = this.#connection;
    if (!connection) return;
    const { pubacks } = connection;
    for (const packetId of pubacks.slice(this.#seen)) {
      const id = this.#flying.get(packetId);
      expect(id, `PUBACK ${packetId} is for nothing`).toBeDefined();
      if (id === undefined) continue;
      expect(this.#rig.journal.inbox.find(id), `${id} was acknowledged but not taken`).toBeDefined();
      this.#flying.delete(packetId);
      this.acknowledged.set(id, (this.acknowledged.get(id) ?? 0) + 1);
    }
    this.#seen = pubacks.length;
    this.fill();
  }

  fill(): void {
    while (this.#flying.size < windowSize) {
      const id = this.waiting.shift();
      if (id === undefined) return;
      const packetId = this.#nextId;
      this.#nextId += 1;
      this.#flying.set(packetId, id);
      this.#connection?.publish({ topic: topics.dataIn, payload: dataMessage({ id }), messageId: packetId });
    }
  }

  answered({ topic, payload }: IPublishPacket): void {
    if (topic !== topics.dataOut || payload.length === 0) return;
    const { response_to: id } = JSON.parse(payload.toString());
    this.answers.set(id, (this.answers.get(id) ?? 0) + 1);
  }

  /** One thing goes wrong. */
  fault(): string {
    const connection = this.#connection;
    if (!connection) return 'nothing';
    const faults: Array<readonly [string, () => void]> = [
      ['cut', () => connection.drop()],
      ['reset', () => connection.reset()],
      ['cut inside a packet', () => connection.cutInside(dataMessage({ id: 'never' }))],
      ['nonsense', () => connection.raw(Buffer.from([0, 0, 0]))],
      [
        'oversize',
        () => connection.publish({ topic: topics.dataIn, payload: Buffer.alloc(150_000), qos: 0 }),
      ],
      ['foreign topic', () => connection.publish({ topic: 'x', payload: 'x', qos: 0 })],
      ['stray PUBACK', () => connection.send({ cmd: 'puback', messageId: 65_000 })],
      ['refusal', () => this.#refuseOnce(connection, 5)],
      ['not ready', () => this.#refuseOnce(connection, 3)],
      ['subscription refused', () => this.#denyOnce(connection)],
    ];
    const [name, run] = faults[Math.floor(this.#random() * faults.length)] ?? ['nothing', () => {}];
    run();
    return name;
  }

  #refuseOnce(connection: BrokerConnection, returnCode: number): void {
    const { script } = this.#rig.broker;
    const connect = script.connect;
    script.connect = () => {
      if (connect) script.connect = connect;
      return { returnCode };
    };
    connection.drop();
  }

  #denyOnce(connection: BrokerConnection): void {
    const { script } = this.#rig.broker;
    script.subscribe = () => {
      delete script.subscribe;
      return [0x80, 0x80];
    };
    connection.drop();
  }
}

describe('a broker that breaks', () => {
  test.each(Array.from({ length: 20 }, (_, index) => index + 1))('ten faults, seed %i', async (seed) => {
    const random = randomOf(seed);
    const ids = Array.from({ length: 400 }, (_, index) => `message-${seed}-${index}`);
    const rig = await createRig({ mqtt: { maxMessageSize: 1_000 }, idle: true });
    const session = new Session(rig, ids, random);
    const ran = new Map<string, number>();
    rig.broker.script.publish = (packet) => {
      // Lost on the way: with the PUBLISH, or with the PUBACK.
      const fate = random();
      if (fate < 0.01) return 'drop';
      session.answered(packet);
      return fate < 0.02 ? 'drop' : 'ack';
    };
    rig.broker.script.connect = () => ({ sessionPresent: rig.broker.connections.length > 1 });
    rig.signals.observe('data-recv', ({ sequence }) => {
      const messageId = rig.datastore.messages.get(sequence)?.messageId ?? '';
      ran.set(messageId, (ran.get(messageId) ?? 0) + 1);
      rig.settle(sequence);
      rig.respond({ responseTo: messageId });
    });
    rig.register({ slots: 8 });
    await rig.router.run?.();

    let connections = 0;
    let faults = 0;
    const done = (): boolean =>
      session.acknowledged.size === ids.length && rig.journal.outbox.fill().messages === 0;
    for (let turn = 0; !done(); turn += 1) {
      expect(turn, `stuck: ${session.acknowledged.size} acknowledged`).toBeLessThan(20_000);
      const latest = rig.broker.connections.at(-1);
      if (latest && rig.broker.connections.length > connections && rig.router.link.kind === 'connected') {
        connections = rig.broker.connections.length;
        session.connected(latest);
      }
      session.look();
      if (faults < 10 && random() < 0.02) {
        faults += 1;
        rig.store.heldFlushes = random() < 0.3;
        session.fault();
      } else if (random() < 0.1) {
        rig.store.release();
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }

    expect(
      [...ran.values()].filter((times) => times !== 1),
      'ran more than once',
    ).toEqual([]);
    expect(ran.size).toBe(ids.length);
    // One that was in flight at four closes in a row is a dead letter, by bad luck or not.
    const dead = rig.journal.dead.list(Number.MAX_SAFE_INTEGER, 100).map(({ responseTo }) => responseTo);
    expect(
      ids.filter((id) => !session.answers.has(id) && !dead.includes(id)),
      'neither answered nor a dead letter',
    ).toEqual([]);
  });
});
