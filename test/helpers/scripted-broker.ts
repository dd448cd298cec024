/**
 * A small broker of MQTT 3.1.1 and 5 that does what a test says, wrong things too.
 *
 * It keeps nothing and routes nothing: it answers CONNECT, SUBSCRIBE, PUBLISH and PINGREQ by its script, records
 * every packet, and sends what it is told to send. `until` waits for a condition, looked at whenever a packet comes
 * or a connection ends.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from 'node:tls';
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscribePacket,
  type Packet,
  parser,
} from 'mqtt-packet';

export interface BrokerScript {
  /** The answer to CONNECT; `silent` gives none, `drop` ends the connection. `returnCode` is the reason in MQTT 5. */
  connect?: (packet: IConnectPacket) => ConnectAnswer | 'silent' | 'drop';
  /** The codes of the SUBACK, one for each topic filter; `silent` gives none. */
  subscribe?: (packet: ISubscribePacket) => number[] | 'silent';
  /** Whether a PUBLISH with QoS 1 is acknowledged; a number is the reason of MQTT 5. */
  publish?: (packet: IPublishPacket, connection: BrokerConnection) => 'ack' | 'silent' | 'drop' | number;
  /** Whether a PINGREQ is answered. */
  ping?: () => boolean;
}

export interface ConnectAnswer {
  readonly returnCode?: number;
  readonly sessionPresent?: boolean;
  /** Of MQTT 5. */
  readonly properties?: NonNullable<IConnackPacket['properties']>;
}

export interface OutgoingPublish {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos?: 0 | 1 | 2;
  /** Packet identifier; chosen by the connection when left out. */
  readonly messageId?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** Of MQTT 5. */
  readonly properties?: NonNullable<IPublishPacket['properties']>;
}

export class BrokerConnection {
  /** Every packet the client sent, in order. */
  readonly received: Packet[] = [];
  readonly #socket: Socket;
  #nextId = 1;
  closed = false;
  /** Of the protocol, as the client's CONNECT said. */
  version = 4;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Serial number of the certificate that the client showed; empty without one. */
  get peer(): string {
    return this.#socket instanceof TLSSocket
      ? (this.#socket.getPeerX509Certificate()?.serialNumber ?? '')
      : '';
  }

  /** Bytes that wait to be sent. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Packet identifiers of the PUBACKs received, in order. */
  get pubacks(): number[] {
    return this.received.flatMap((packet) => (packet.cmd === 'puback' ? [packet.messageId ?? 0] : []));
  }

  get publishes(): IPublishPacket[] {
    return this.received.filter((packet) => packet.cmd === 'publish');
  }

  /** What was published on topics that end so, as text. */
  texts(topicEnd: string): string[] {
    return this.publishes.flatMap(({ topic, payload }) =>
      topic.endsWith(topicEnd) ? [payload.toString()] : [],
    );
  }

  /** Sends a PUBLISH and returns its packet identifier (0 with QoS 0). */
  publish({ qos = 1, retain = false, dup = false, messageId, ...rest }: OutgoingPublish): number {
    const id = qos === 0 ? 0 : (messageId ?? this.#nextId++);
    this.send({ cmd: 'publish', qos, retain, dup, ...(qos > 0 && { messageId: id }), ...rest });
    return id;
  }

  send(packet: Packet): void {
    this.raw(generate(packet, { protocolVersion: this.version }));
  }

  raw(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Cuts the connection as a broken network does. */
  drop(): void {
    this.#socket.destroy();
  }

  /** Sends half of a PUBLISH with this payload, and cuts the connection. */
  cutInside(payload: string): void {
    const bytes = generate({ cmd: 'publish', topic: 'cut', payload, qos: 0, retain: false, dup: false });
    this.#socket.end(bytes.subarray(0, bytes.length / 2));
  }

  /** Ends the connection with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads nothing more, as a stuck peer. */
  pause(): void {
    this.#socket.pause();
  }
}

export interface ScriptedBroker {
  readonly port: number;
  readonly url: string;
  readonly connections: readonly BrokerConnection[];
  /** May be changed at any time. */
  readonly script: BrokerScript;
  /** The n-th connection (the first is 0), once its CONNECT came. */
  connection(index: number): Promise<BrokerConnection>;
  /** Resolves when the condition holds; throws after `deadline` milliseconds, saying what was waited for. */
  until(what: string, condition: () => boolean, deadline?: number): Promise<void>;
  close(): Promise<void>;
}

/** With `tls` the broker speaks TLS, on an `mqtts` URL. */
export async function startScriptedBroker(
  script: BrokerScript = {},
  { tls }: { readonly tls?: TlsOptions } = {},
): Promise<ScriptedBroker> {
  const connections: BrokerConnection[] = [];
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watcher of [...watchers]) watcher();
  };

  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    const connection = new BrokerConnection(socket);
    const packets = parser();
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      connection.closed = true;
      changed();
    });
    packets.on('packet', (packet) => {
      connection.received.push(packet);
      if (packet.cmd === 'connect') {
        connection.version = packet.protocolVersion ?? 4;
        connections.push(connection);
      }
      answer(script, connection, packet);
      changed();
    });
  };
  const server: Server = tls ? createTlsServer(tls, accept) : createServer(accept);
  // A client that does not like the certificate is a test's business, not the broker's.
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  function until(what: string, condition: () => boolean, deadline = 5_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!condition()) return;
        end();
        resolve();
      };
      // Some conditions change without a packet.
      const poll = setInterval(look, 5);
      const timer = setTimeout(() => {
        end();
        reject(new Error(`waited ${deadline} ms in vain: ${what}`));
      }, deadline);
      const end = (): void => {
        clearInterval(poll);
        clearTimeout(timer);
        watchers.delete(look);
      };
      watchers.add(look);
      look();
    });
  }

  return {
    port: address.port,
    url: `${tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${address.port}`,
    connections,
    script,
    until,
    async connection(index) {
      await until(`connection ${index}`, () => connections.length > index);
      const connection = connections[index];
      if (!connection) throw new Error(`no connection ${index}`);
      return connection;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(script: BrokerScript, connection: BrokerConnection, packet: Packet): void {
  switch (packet.cmd) {
    case 'connect': {
      const verdict = script.connect?.(packet) ?? {};
      if (verdict === 'drop') connection.drop();
      else if (verdict !== 'silent') {
        const { returnCode = 0, sessionPresent = false, properties = {} } = verdict;
        connection.send({ cmd: 'connack', returnCode, reasonCode: returnCode, sessionPresent, properties });
      }
      break;
    }
    case 'subscribe': {
      const granted = script.subscribe?.(packet) ?? packet.subscriptions.map(({ qos }) => qos);
      if (granted !== 'silent') connection.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
      break;
    }
    case 'publish': {
      const verdict = script.publish?.(packet, connection) ?? 'ack';
      if (verdict === 'drop') connection.drop();
      else if (verdict !== 'silent' && packet.qos === 1) {
        const reasonCode = verdict === 'ack' ? 0 : verdict;
        connection.send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode });
      }
      break;
    }
    case 'pingreq':
      if (script.ping?.() ?? true) connection.send({ cmd: 'pingresp' });
      break;
    default:
      break;
  }
}
