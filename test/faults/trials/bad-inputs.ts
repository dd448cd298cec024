/** Generated inputs, near to right ones and far from them, for everything that reads what others wrote. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Duplex } from 'node:stream';
import fc, { type Arbitrary } from 'fast-check';
import { generate, parser } from 'mqtt-packet';
import { YggError } from '../../../src/base/errors.ts';
import { loadOptions } from '../../../src/config/load.ts';
import type { Environment } from '../../../src/config/options.ts';
import { createEgress } from '../../../src/http/egress.ts';
import { parseCommand, parseData, peekMessage } from '../../../src/messages.ts';
import { parseBrokerAddress } from '../../../src/mqtt/broker-address.ts';
import { PacketFilter } from '../../../src/mqtt/packet-filter.ts';
import { near } from '../../helpers/near-inputs.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

/** Something that reads, and what it is given. */
interface Reader {
  readonly name: string;
  readonly inputs: Arbitrary<Uint8Array>;
  /** Returns, or throws a coded error; anything else is a crash. */
  read(input: Uint8Array): void;
}

export interface BadInputs {
  /** Inputs by reader, and how many of them were refused. */
  readonly counts: ReadonlyArray<{
    readonly name: string;
    readonly inputs: number;
    readonly refused: number;
  }>;
  /** What no coded error was, and what took longer than a second. */
  readonly failures: readonly string[];
}

/** Milliseconds after which one input counts as a hang. */
const hang = 1_000;

export function badInputs(
  scope: Scope,
  { seed, inputs }: { readonly seed: number; readonly inputs: number },
): BadInputs {
  const failures: string[] = [];
  const readers = readersOf(scope);
  const counts = readers.map(({ name, inputs: generated, read }) => {
    const share = Math.ceil(inputs / readers.length);
    let refused = 0;
    /** Reads it; the milliseconds that took, and what was thrown. */
    const attemptAt = (input: Uint8Array): { readonly took: number; readonly error: unknown } => {
      const begun = performance.now();
      let error: unknown;
      try {
        read(input);
      } catch (thrown) {
        error = thrown;
      }
      return { took: performance.now() - begun, error };
    };
    const property = fc.property(generated, (input) => {
      const { took, error } = attemptAt(input);
      if (error !== undefined) refused += 1;
      if (error !== undefined && !(error instanceof YggError)) {
        failures.push(`${name}: ${String(error)} at ${shownInput(input)}`);
      }
      // Once may be the machine's fault.
      if (took > hang && attemptAt(input).took > hang) failures.push(`${name}: slow at ${shownInput(input)}`);
    });
    fc.assert(property, { seed, numRuns: share });
    return { name, inputs: share, refused };
  });
  return { counts, failures };
}

function readersOf(scope: Scope): Reader[] {
  const config = path.join(tempDir(scope, 'ygg-toml-'), 'config.toml');
  const egress = createEgress({
    dataHost: undefined,
    contentHosts: ['content.example.com:8443'],
    contentHostsOnly: false,
    brokerHosts: ['broker.example.com'],
  });
  const text = new TextDecoder();
  return [
    {
      name: 'envelopes',
      inputs: near(envelopes),
      read(input) {
        peekMessage(input);
        attempt(() => parseCommand(input));
        parseData(input);
      },
    },
    { name: 'frames', inputs: near(frames), read: readFrames },
    {
      name: 'TOML',
      inputs: near(tomls),
      read(input) {
        writeFileSync(config, input);
        loadOptions({ flags: {}, environment, file: config });
      },
    },
    {
      name: 'URLs',
      inputs: near(urls),
      read(input) {
        const address = text.decode(input);
        attempt(() => egress.route(address));
        parseBrokerAddress(address);
      },
    },
  ];
}

/** Lets coded errors pass. */
function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof YggError)) throw error;
  }
}

/** The bytes of a broker, in pieces, through the filter and into the parser as a connection has them. */
function readFrames(input: Uint8Array): void {
  const socket = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
    setNoDelay() {},
  });
  // What the filter needs of a socket is all there.
  const filter = new PacketFilter(socket as never, {
    ...{ maxPacket: 1_024, version: 4 },
    onPublish() {},
    onPuback() {},
  });
  const packets = parser();
  filter.on('error', () => {});
  packets.on('error', () => {});
  const size = 1 + ((input[0] ?? 0) % 64);
  for (let at = 0; at < input.length && !filter.destroyed; at += size) {
    socket.emit('data', Buffer.from(input.subarray(at, at + size)));
    for (let bytes = filter.read(); bytes !== null; bytes = filter.read()) packets.parse(bytes);
  }
  const { errored } = filter;
  filter.destroy();
  socket.destroy();
  if (errored) throw errored;
}

const environment: Environment = {
  uid: 1000,
  currentDirectory: '/nowhere',
  homeDirectory: '/nowhere',
  temporaryDirectory: '/nowhere',
  variables: {},
};

function bytesOf(texts: Arbitrary<string>): Arbitrary<Uint8Array> {
  return texts.map((text) => Buffer.from(text));
}

/** As it should be, but for one in five: with one wrong field the others would not be looked at. */
function mostly(right: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: fc.jsonValue() });
}

const envelopes: Arbitrary<Uint8Array> = bytesOf(
  fc
    .record(
      {
        type: mostly(fc.constantFrom('data', 'data', 'command', 'event', 'connection-status')),
        message_id: mostly(fc.uuid()),
        response_to: mostly(fc.oneof(fc.uuid(), fc.constant(''))),
        version: mostly(fc.constant(1)),
        sent: mostly(fc.constant('2026-01-01T00:00:00Z')),
        directive: mostly(fc.constantFrom('echo', 'rhc-worker-playbook')),
        metadata: mostly(fc.dictionary(fc.string(), fc.string())),
        content: mostly(fc.oneof(fc.jsonValue(), fc.constant({ command: 'ping', arguments: null }))),
      },
      { requiredKeys: ['type', 'message_id', 'directive'] },
    )
    .map((envelope) => JSON.stringify(envelope)),
);

const frames: Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      fc
        .record({ topic: fc.string({ minLength: 1 }), payload: fc.string(), qos: fc.constantFrom(0, 1) })
        .map(({ topic, payload, qos }) =>
          generate({
            cmd: 'publish',
            topic,
            payload: payload.repeat(1 + (payload.length % 40) * 10),
            qos: qos === 0 ? 0 : 1,
            retain: false,
            dup: false,
            messageId: 7,
          }),
        ),
      fc.constant(generate({ cmd: 'puback', messageId: 7 })),
      fc.constant(generate({ cmd: 'pingresp' })),
      fc.constant(generate({ cmd: 'connack', returnCode: 0, sessionPresent: true })),
      fc.constant(generate({ cmd: 'suback', messageId: 1, granted: [1, 1] })),
    ),
    { maxLength: 4 },
  )
  .map((packets) => Buffer.concat(packets));

const tomls: Arbitrary<Uint8Array> = bytesOf(
  fc
    .array(
      fc.tuple(
        fc.constantFrom(
          'broker',
          'client-id',
          'log-level',
          'inbox-limit',
          'worker-grace',
          'http-retries',
          'mqtt-keep-alive',
          'content-hosts',
          'max-content-size',
          'broke',
        ),
        fc.oneof(
          fc.string().map((value) => JSON.stringify(value)),
          fc.constantFrom(
            '"mqtt://localhost"',
            '["a", "b"]',
            '"5m"',
            '5',
            'true',
            '"1000 / 2GiB"',
            '{ a = 1 }',
          ),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
      ),
      { maxLength: 6 },
    )
    .map((lines) => lines.map(([key, value]) => `${key} = ${value}`).join('\n')),
);

const urls: Arbitrary<Uint8Array> = bytesOf(
  fc.oneof(
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc
      .tuple(
        fc.constantFrom('mqtt', 'mqtts', 'tcp', 'ssl', 'ws', 'http', 'https', 'file', 'javascript', ''),
        fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.string()),
        fc.oneof(fc.nat(70_000).map(String), fc.string({ maxLength: 3 })),
        fc.string({ maxLength: 8 }),
      )
      .map(([scheme, host, port, user]) => `${scheme}://${user}@${host}:${port}/`),
  ),
);

function shownInput(input: Uint8Array): string {
  return JSON.stringify(Buffer.from(input).toString('latin1').slice(0, 200));
}
