/** An MQTT client that says exactly what a test tells it to, and acknowledges nothing by itself. */
import { connect, type Socket } from 'node:net';
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import type { Scope } from './scope.ts';
import { waitFor } from './wait-for.ts';

export class RawMqttClient {
  /** What came, oldest first. */
  readonly packets: Packet[] = [];
  readonly #socket: Socket;
  #lost = false;

  constructor(scope: Scope, port: number) {
    const read = parser();
    read.on('packet', (packet) => this.packets.push(packet));
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (bytes: Buffer) => read.parse(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#lost = true;
    });
    this.#socket = socket;
    scope.defer(() => this.cut());
  }

  /** Whether the broker, or the test, has ended the connection. */
  get lost(): boolean {
    return this.#lost;
  }

  say(packet: Packet): void {
    this.#socket.write(generate(packet));
  }

  /** Says nothing more: to the broker the connection is lost. */
  cut(): void {
    this.#socket.destroy();
  }

  /** Connects as `clientId`, to a session that is kept; resolves to whether there was one. */
  async connect(clientId: string, options: Partial<IConnectPacket> = {}): Promise<boolean> {
    const packet = { protocolId: 'MQTT', protocolVersion: 4, clean: false, keepalive: 60 } as const;
    this.say({ cmd: 'connect', clientId, ...packet, ...options });
    const { sessionPresent } = await this.first('connack');
    return sessionPresent;
  }

  async subscribe(topic: string): Promise<void> {
    this.say({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
    await this.first('suback');
  }

  /** Publishes with QoS 1 and waits for every acknowledgement. */
  async publish(topic: string, payloads: readonly string[]): Promise<void> {
    for (const [place, payload] of payloads.entries()) {
      this.say({ cmd: 'publish', topic, payload, qos: 1, dup: false, retain: false, messageId: place + 1 });
    }
    await waitFor(() => this.packets.filter(({ cmd }) => cmd === 'puback').length >= payloads.length, {
      what: `${payloads.length} PUBACKs`,
    });
  }

  /** Everything that the broker had said until now has come when this resolves. */
  async ping(): Promise<void> {
    const answered = (): number => this.packets.filter(({ cmd }) => cmd === 'pingresp').length;
    const before = answered();
    this.say({ cmd: 'pingreq' });
    await waitFor(() => answered() > before, { what: 'PINGRESP' });
  }

  /** Messages that came. */
  get messages(): readonly IPublishPacket[] {
    return this.packets.filter((packet) => packet.cmd === 'publish');
  }

  get payloads(): readonly string[] {
    return this.messages.map(({ payload }) => payload.toString());
  }

  first<Command extends Packet['cmd']>(cmd: Command): Promise<Extract<Packet, { cmd: Command }>> {
    const is = (packet: Packet): packet is Extract<Packet, { cmd: Command }> => packet.cmd === cmd;
    return waitFor(() => this.packets.find(is), { what: cmd });
  }
}
