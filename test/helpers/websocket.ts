/** The server's side of a websocket, down to its frames (RFC 6455), for servers that do not keep to it. */
import { createHash } from 'node:crypto';

/** The answer to an upgrade that takes it; `key` is what the client sent as Sec-WebSocket-Key. */
export function upgradeAnswer(key: string): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    'Sec-WebSocket-Protocol: mqtt',
    '\r\n',
  ].join('\r\n');
}

/** The first byte of a whole binary frame. */
export const wholeBinary = 0x82;

/** A frame of a server (5.2); `announced` bytes are said to follow. */
export function frame(
  payload: Uint8Array,
  announced: number = payload.length,
  first: number = wholeBinary,
): Buffer {
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(announced), 2);
  return Buffer.concat([header, payload]);
}

/** Takes the masked frames of a client apart, wherever they are cut. */
export class ClientFrames {
  #rest: Buffer = Buffer.alloc(0);

  /** What the binary frames among these bytes carry. */
  take(chunk: Uint8Array): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const payloads: Buffer[] = [];
    for (let next = this.#next(); next; next = this.#next()) {
      const { opcode, payload } = next;
      if (opcode <= 2) payloads.push(payload);
    }
    return Buffer.concat(payloads);
  }

  #next(): { readonly opcode: number; readonly payload: Buffer } | undefined {
    const rest = this.#rest;
    if (rest.length < 2) return undefined;
    const short = rest.readUInt8(1) & 0x7f;
    const more = short === 126 ? 2 : short === 127 ? 8 : 0;
    const at = 2 + more + 4;
    if (rest.length < at) return undefined;
    const length = more === 2 ? rest.readUInt16BE(2) : more === 8 ? Number(rest.readBigUInt64BE(2)) : short;
    if (rest.length < at + length) return undefined;
    const mask = rest.subarray(at - 4, at);
    const payload = Buffer.from(
      rest.subarray(at, at + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)),
    );
    this.#rest = rest.subarray(at + length);
    return { opcode: rest.readUInt8(0) & 0x0f, payload };
  }
}
