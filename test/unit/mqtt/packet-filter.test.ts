import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { PacketFilter } from '../../../src/mqtt/packet-filter.ts';

const maxPacket = 70_000;
const releases: Array<() => void> = [];
afterEach(() => {
  for (const release of releases.splice(0)) release();
});

/** A filter in front of a socket, and the other end of that socket. */
async function createPair(
  largest = maxPacket,
): Promise<{ readonly filter: PacketFilter; readonly peer: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const filter = new PacketFilter(connect(address.port, '127.0.0.1'), { maxPacket: largest });
  const peer = await accepted;
  peer.on('error', () => {});
  releases.push(() => {
    filter.destroy();
    peer.destroy();
    server.close();
  });
  return { filter, peer };
}

/** Everything the parser would see of these bytes, sent in pieces of these sizes. */
async function passThrough(
  bytes: Buffer,
  pieces: readonly number[] = [],
  largest = maxPacket,
): Promise<{ packets: Packet[]; filter: PacketFilter }> {
  const { filter, peer } = await createPair(largest);
  const packets: Packet[] = [];
  const packetParser = parser();
  packetParser.on('packet', (packet) => packets.push(packet));
  filter.on('data', (chunk) => packetParser.parse(chunk));
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
  return { packets, filter };
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
const publishesOf = (packets: Packet[]): IPublishPacket[] =>
  packets.filter((packet) => packet.cmd === 'publish');

describe('PacketFilter', () => {
  test('passes packets on as they are', async () => {
    const bytes = Buffer.concat([
      publish(1, 10),
      generate({ cmd: 'pingresp' }),
      publish(2, 60_000),
      publish(3, 0, 0),
    ]);
    const { packets } = await passThrough(bytes);
    expect(packets.map((packet) => packet.cmd)).toEqual(['publish', 'pingresp', 'publish', 'publish']);
    expect(publishesOf(packets).map(({ payload }) => payload.length)).toEqual([10, 60_000, 0]);
  });

  test('puts a small packet in the place of an oversize one', async () => {
    const bytes = Buffer.concat([publish(1, 10), publish(2, 300_000), publish(3, 20)]);
    const { packets, filter } = await passThrough(bytes);
    expect(
      publishesOf(packets).map(({ messageId, qos, retain, topic, payload }) => [
        messageId,
        qos,
        retain,
        topic,
        payload.length,
      ]),
    ).toEqual([
      [1, 1, false, 'yggdrasil/host/data/in', 10],
      [2, 1, true, 'yggdrasil/host/data/in', 4_096],
      [3, 1, false, 'yggdrasil/host/data/in', 20],
    ]);
    expect([0, 1, 2].map((index) => filter.takeOversize(index))).toEqual([
      undefined,
      publish(2, 300_000).length,
      undefined,
    ]);
    expect(filter.takeOversize(1)).toBeUndefined();
  });

  test('sees the same packets however the bytes are cut', async () => {
    const bytes = Buffer.concat([
      publish(1, 130),
      publish(2, 80_000),
      generate({ cmd: 'pingresp' }),
      publish(3, 200, 0),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 12 }), async (pieces) => {
        const { packets } = await passThrough(bytes, [1, 1, ...pieces]);
        expect(packets.map((packet) => packet.cmd)).toEqual(['publish', 'publish', 'pingresp', 'publish']);
        expect(publishesOf(packets).map(({ payload }) => payload.length)).toEqual([130, 4_096, 200]);
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    [
      'QoS 2',
      generate({ cmd: 'publish', topic: 't', payload: '', qos: 2, messageId: 1, retain: false, dup: false }),
    ],
    ['a length that never ends', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a SUBACK of a megabyte', Buffer.from([0x90, 0x80, 0x80, 0x40])],
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
    peer.write(Buffer.concat(Array.from({ length: 800 }, () => publish(1, 60_000))));
    await expect.poll(() => filter.readableLength).toBeGreaterThan(0);
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(filter.readableLength).toBeLessThan(400_000);
    expect(peer.writableLength).toBeGreaterThan(0);
    filter.resume();
    await expect.poll(() => peer.writableLength).toBe(0);
  });
});
