/** What a hostile broker says below MQTT when it is reached by a websocket: its answer to the upgrade, and frames. */
import type { Socket } from 'node:net';
import fc, { type Arbitrary } from 'fast-check';
import { near } from '../../helpers/near-inputs.ts';
import { ClientFrames, frame, upgradeAnswer, wholeBinary } from '../../helpers/websocket.ts';

export interface Framing {
  /** In place of an answer that takes the upgrade. */
  readonly refusal: string | undefined;
  /** What stands between the frames that carry packets, in turn; mostly nothing. */
  readonly between: readonly Uint8Array[];
}

const [continuation, text, close, ping, pong] = [0x80, 0x81, 0x88, 0x89, 0x8a];
const bytes = fc.uint8Array({ maxLength: 200 });
const told = fc.tuple(fc.constantFrom(ping, pong), fc.uint8Array({ maxLength: 125 }));

/** Frames after which a websocket may go on. */
const harmless: Arbitrary<Uint8Array> = told.map(([first, payload]) => controlFrame(first, payload));

/** Frames that it should not survive: no beginning, no end, too long, of no kind, masked, compressed, or any bytes. */
const harmful: Arbitrary<Uint8Array> = fc.oneof(
  fc
    .tuple(fc.constantFrom(continuation, text, close, 0x83, 0x8f, 0xc2, 0xf2, 0x02, 0x09), bytes)
    .map(([first, payload]) => frame(payload, payload.length, first)),
  bytes.map((payload) => frame(payload, 2 ** 40)),
  bytes.map((payload) => frame(payload, Number.MAX_SAFE_INTEGER)),
  near(bytes.map((payload) => frame(payload))),
  fc.constantFrom(Buffer.from([wholeBinary, 0x81, 1, 2, 3, 4, 5]), Buffer.from([close, 2, 0xff, 0xff])),
);

const upgrades: Arbitrary<string | undefined> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
        'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
        upgradeAnswer('another key'),
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      ),
      fc.string(),
    ),
  },
);

export const framings: Arbitrary<Framing> = fc.record({
  refusal: upgrades,
  between: fc.array(
    fc.oneof(
      { weight: 200, arbitrary: fc.constant(new Uint8Array(0)) },
      { weight: 20, arbitrary: harmless },
      { weight: 1, arbitrary: harmful },
    ),
    { minLength: 1, maxLength: 64 },
  ),
});

function controlFrame(first: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([first, payload.length]), payload]);
}

/** A socket as the broker sees it: bytes of MQTT in both directions. */
export interface Line {
  write(packets: Uint8Array): void;
}

/** `onBytes` gets what the client's frames carry. */
export function overWebsocket(
  socket: Socket,
  { refusal, between }: Framing,
  onBytes: (bytes: Buffer) => void,
): Line {
  const frames = new ClientFrames();
  let head = '';
  let upgraded = false;
  let written = 0;
  socket.on('data', (chunk: Buffer) => {
    if (upgraded) {
      onBytes(frames.take(chunk));
      return;
    }
    head += chunk.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    upgraded = true;
    socket.write(upgradeAnswer(/sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? ''));
  });
  return {
    write(packets) {
      socket.write(Buffer.concat([between[written % between.length] ?? packets, frame(packets)]));
      written += 1;
    },
  };
}

export function overSocket(socket: Socket, onBytes: (bytes: Buffer) => void): Line {
  socket.on('data', onBytes);
  return { write: (packets) => void socket.write(packets) };
}
