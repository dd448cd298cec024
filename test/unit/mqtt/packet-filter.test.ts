import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { generate, parser } from 'mqtt-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { PacketFilter } from '../../../src/mqtt/packet-filter.ts';
import type { PublishPacket } from '../../../src/mqtt/publish-packet.ts';

const maxPacket = 70_000;
const releases: Array<() => void> = [];
afterEach(() => {
  for (const release of releases.splice(0)) release();
});

/** What came out of a filter, in order. */
interface Seen {
  /** By their commands: all packets, whoever got them. */
  readonly order: string[];
  readonly publishes: Array<PublishPacket & { readonly oversize: number | undefined }>;
}

interface Pair {
  readonly filter: PacketFilter;
  readonly peer: Socket;
  readonly seen: Seen;
}

/** A filter in front of a socket, and the other end of that socket. */
async function createPair(largest = maxPacket, version: 4 | 5 = 4): Promise<Pair> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const seen: Seen = { order: [], publishes: [] };
  const filter = new PacketFilter(connect(address.port, '127.0.0.1'), {
    maxPacket: largest,
    version,
    onPublish: (packet, oversize) => {
      seen.order.push('publish');
      seen.publishes.push({ ...packet, oversize });
    },
    onPuback: (packetId, reason) => void seen.order.push(`puback ${packetId} ${reason}`),
  });
  const peer = await accepted;
  peer.on('error', () => {});
  releases.push(() => {
    filter.destroy();
    peer.destroy();
    server.close();
  });
  return { filter, peer, seen };
}

/** What comes out for these bytes, sent in pieces of these sizes. */
async function passThrough(
  bytes: Buffer,
  pieces: readonly number[] = [],
  largest = maxPacket,
  version: 4 | 5 = 4,
): Promise<Seen> {
  const { filter, peer, seen } = await createPair(largest, version);
  const rest = parser({ protocolVersion: version });
  rest.on('packet', ({ cmd }) => void seen.order.push(cmd));
  filter.on('data', (chunk) => rest.parse(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    filter.once('error', reject);
    filter.once('end', resolve);
  });
  let at = 0;
  for (const piece of pieces) {
    peer.write(bytes.subarray(at, at + piece));
    at += piece;
    await new Promise((resolve) => setImmediate(resolve));
  }
  peer.end(bytes.subarray(at));
  await ended;
  return seen;
}

const publish = (id: number, size: number, qos: 0 | 1 = 1): Buffer =>
  generate({
    cmd: 'publish',
    topic: 'yggdrasil/host/data/in',
    payload: Buffer.alloc(size, id),
    qos,
    messageId: id,
    retain: id % 2 === 0,
    dup: false,
  });

describe('PacketFilter', () => {
  test('hands over messages and PUBACKs, and passes the rest on as it is', async () => {
    const { order, publishes } = await passThrough(
      Buffer.concat([
        publish(1, 10),
        generate({ cmd: 'pingresp' }),
        publish(2, 60_000),
        generate({ cmd: 'puback', messageId: 513 }),
        publish(3, 0, 0),
      ]),
    );
    expect(order.filter((name) => name !== 'pingresp')).toEqual([
      'publish',
      'publish',
      'puback 513 0',
      'publish',
    ]);
    expect(order).toContain('pingresp');
    expect(publishes.map(({ payload }) => payload.length)).toEqual([10, 60_000, 0]);
    expect(publishes).toMatchObject([
      { packetId: 1, qos: 1, retain: false, topic: 'yggdrasil/host/data/in', oversize: undefined },
      { packetId: 2, qos: 1, retain: true },
      { packetId: 0, qos: 0 },
    ]);
  });

  test('reads past the properties of MQTT 5, and takes the reason of a PUBACK', async () => {
    const properties = { contentType: 'application/json', userProperties: { a: 'b'.repeat(200) } };
    const message = { topic: 't', qos: 1, messageId: 9, retain: false, dup: true } as const;
    const v5 = { protocolVersion: 5 };
    const { order, publishes } = await passThrough(
      Buffer.concat([
        generate({ cmd: 'publish', ...message, payload: 'x', properties }, v5),
        generate({ cmd: 'publish', ...message, payload: 'y'.repeat(80_000), properties }, v5),
        generate({ cmd: 'puback', messageId: 7, reasonCode: 0x97 }, v5),
      ]),
      [],
      maxPacket,
      5,
    );
    expect(publishes).toMatchObject([{ topic: 't', packetId: 9, dup: true }, { packetId: 9 }]);
    expect(publishes.map(({ payload }) => payload.toString())).toEqual(['x', 'y'.repeat(4_096)]);
    expect(order.at(-1)).toBe('puback 7 151');
  });

  test('hands over the beginning of an oversize packet in its turn', async () => {
    const bytes = Buffer.concat([publish(1, 10), publish(2, 300_000), publish(3, 20)]);
    const { publishes } = await passThrough(bytes);
    expect(
      publishes.map(({ packetId, qos, retain, topic, payload, oversize }) => [
        packetId,
        qos,
        retain,
        topic,
        payload.length,
        oversize,
      ]),
    ).toEqual([
      [1, 1, false, 'yggdrasil/host/data/in', 10, undefined],
      [2, 1, true, 'yggdrasil/host/data/in', 4_096, publish(2, 300_000).length],
      [3, 1, false, 'yggdrasil/host/data/in', 20, undefined],
    ]);
  });

  test('sees the same packets however the bytes are cut', async () => {
    const bytes = Buffer.concat([
      publish(1, 130),
      publish(2, 80_000),
      generate({ cmd: 'puback', messageId: 77 }),
      publish(3, 200, 0),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 12 }), async (pieces) => {
        const { order, publishes } = await passThrough(bytes, [1, 1, ...pieces]);
        expect(order).toEqual(['publish', 'publish', 'puback 77 0', 'publish']);
        expect(publishes.map(({ payload }) => payload.length)).toEqual([130, 4_096, 200]);
        expect(publishes.map(({ payload }) => payload[0])).toEqual([1, 2, 3]);
      }),
      { numRuns: 30 },
    );
  });

  test('looks at nothing while it is held, and goes on where it was', async () => {
    const { filter, peer, seen } = await createPair();
    filter.resume();
    filter.hold();
    peer.write(Buffer.concat([publish(1, 10), publish(2, 10)]));
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(seen.order).toEqual([]);
    peer.write(publish(3, 10));
    filter.release();
    await expect.poll(() => seen.publishes.map(({ packetId }) => packetId)).toEqual([1, 2, 3]);
  });

  test('writes what is sent in one turn together, in order', async () => {
    const { filter, peer } = await createPair();
    const chunks: string[] = [];
    peer.on('data', (chunk) => void chunks.push(chunk.toString()));
    filter.send(Buffer.from('a'), Buffer.from('b'));
    filter.write('c');
    filter.send(Buffer.from('d'));
    await expect.poll(() => chunks).toEqual(['abcd']);
  });

  test.each([
    [
      'QoS 2',
      generate({ cmd: 'publish', topic: 't', payload: '', qos: 2, messageId: 1, retain: false, dup: false }),
    ],
    ['a length that never ends', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a SUBACK of a megabyte', Buffer.from([0x90, 0x80, 0x80, 0x40])],
    ['a PUBACK of one byte', Buffer.from([0x40, 0x01, 0x00])],
    ['a PUBREL of one byte, which the library would throw at', Buffer.from([0x62, 0x01, 0x00])],
    ['a SUBACK of nothing', Buffer.from([0x90, 0x00])],
    ['a message without a topic', Buffer.from([0x30, 0x02, 0x00, 0x00])],
    ['a message that ends inside its packet identifier', Buffer.from([0x32, 0x04, 0x00, 0x01, 0x74, 0x00])],
  ])('ends the connection on %s', async (_, bytes) => {
    await expect(passThrough(bytes)).rejects.toMatchObject({ code: 'YGG_BROKER_PROTOCOL' });
  });

  test.each([
    ['a topic longer than its packet', Buffer.from([0x30, 20, 0xff, 0xff])],
    ['half a topic length', Buffer.from([0x30, 1, 0])],
  ])('ends the connection on an oversize message with %s', async (_, start) => {
    await expect(passThrough(Buffer.concat([start, Buffer.alloc(18)]), [], 2)).rejects.toMatchObject({
      code: 'YGG_BROKER_PROTOCOL',
    });
  });

  test('stops reading while nobody takes what it has', async () => {
    const { filter, peer } = await createPair();
    const packet = Buffer.concat([Buffer.from([0x90, 0x80, 0x80, 0x03]), Buffer.alloc(48 * 1024)]);
    peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => packet)));
    await expect.poll(() => filter.readableLength).toBeGreaterThan(0);
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(filter.readableLength).toBeLessThan(400_000);
    expect(peer.writableLength).toBeGreaterThan(0);
    filter.resume();
    await expect.poll(() => peer.writableLength).toBe(0);
  });
});
