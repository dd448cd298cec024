/**
 * PUBLISH and PUBACK as bytes (MQTT 3.1.1 and MQTT 5, 3.3 and 3.4): the packets of which there is one for each message.
 *
 * Reads what follows a fixed header, writes whole packets. Of the properties of MQTT 5 none are wanted, and none sent.
 */
import { bytesOfLength, readLength, writeLength } from './fixed-header.ts';

export const publishType = 3;
export const pubackType = 4;

/** A PUBLISH as it came in. */
export interface PublishPacket {
  readonly topic: string;
  /** 0 with QoS 0. */
  readonly packetId: number;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly dup: boolean;
  /** A view of the bytes it was read from. */
  readonly payload: Buffer;
}

/** `undefined`: no such packet is allowed. With `cut`, the end of `body` is missing. */
export function readPublish(
  first: number,
  body: Buffer,
  { version, cut }: { readonly version: 4 | 5; readonly cut: boolean },
): PublishPacket | undefined {
  const qos = qosOf(first) === 0 ? 0 : 1;
  const topicEnd = body.length < 2 ? body.length : 2 + body.readUInt16BE(0);
  const idEnd = topicEnd + 2 * qos;
  if (qosOf(first) > 1 || topicEnd <= 2 || idEnd > body.length) return undefined;
  const packetId = qos === 0 ? 0 : body.readUInt16BE(topicEnd);
  const payloadStart = version === 5 ? endOfProperties(body, idEnd) : idEnd;
  if (payloadStart > body.length && !(cut && Number.isFinite(payloadStart))) return undefined;
  return {
    topic: body.toString('utf8', 2, topicEnd),
    packetId,
    qos,
    retain: (first & 1) === 1,
    dup: (first & 8) === 8,
    payload: body.subarray(payloadStart),
  };
}

/** The reason is 0 where the broker gives none; below 0x80 it took the message. */
export function readPuback(body: Buffer): { readonly packetId: number; readonly reason: number } | undefined {
  if (body.length < 2) return undefined;
  return { packetId: body.readUInt16BE(0), reason: body[2] ?? 0 };
}

/** A topic as it stands in a packet. */
export function topicBytes(topic: string): Buffer {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(topic));
  bytes.writeUInt16BE(bytes.length - 2);
  bytes.write(topic, 2);
  return bytes;
}

/** A PUBLISH with QoS 1, up to its payload. */
export function publishHead(
  topic: Buffer,
  packetId: number,
  { payload, version }: { readonly payload: number; readonly version: 4 | 5 },
): Buffer {
  const properties = version === 5 ? 1 : 0;
  const length = topic.length + 2 + properties + payload;
  const head = Buffer.allocUnsafe(1 + bytesOfLength(length) + length - payload);
  head[0] = (publishType << 4) | 2;
  let at = writeLength(head, 1, length);
  at += topic.copy(head, at);
  at = head.writeUInt16BE(packetId, at);
  if (properties === 1) head[at] = 0;
  return head;
}

export function puback(packetId: number): Buffer {
  const packet = Buffer.allocUnsafe(4);
  packet[0] = pubackType << 4;
  packet[1] = 2;
  packet.writeUInt16BE(packetId, 2);
  return packet;
}

/** Of the first byte of a PUBLISH. */
export function qosOf(first: number): number {
  return (first >> 1) & 3;
}

/** Where the payload begins with MQTT 5 (3.3.2.3); not finite when there is a property that may not be. */
function endOfProperties(body: Buffer, start: number): number {
  const { bytes, length } = readLength(body, start) ?? { bytes: 0, length: -1 };
  if (length < 0) return Number.POSITIVE_INFINITY;
  const end = start + bytes + length;
  let at = start + bytes;
  while (at < end && at < body.length) at = afterProperty(body, at);
  return at > end ? Number.POSITIVE_INFINITY : end;
}

/** A topic alias is none of these: no broker may send one to a client that has not allowed it. */
function afterProperty(body: Buffer, at: number): number {
  switch (body[at]) {
    case 0x01: // Payload Format Indicator
      return at + 2;
    case 0x02: // Message Expiry Interval
      return at + 5;
    case 0x03: // Content Type
    case 0x08: // Response Topic
    case 0x09: // Correlation Data
      return afterText(body, at + 1);
    case 0x0b: // Subscription Identifier
      return at + 1 + (readLength(body, at + 1)?.bytes ?? 0);
    case 0x26: // User Property
      return afterText(body, afterText(body, at + 1));
    default:
      return Number.POSITIVE_INFINITY;
  }
}

function afterText(body: Buffer, at: number): number {
  return at + 2 + 256 * (body[at] ?? 0) + (body[at + 1] ?? 0);
}
