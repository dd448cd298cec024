/**
 * One D-Bus connection: to a bus, or to a single peer without a bus driver.
 *
 * Owns the socket. Every wait has a deadline, and ends when the connection does: the library knows neither.
 */
import { DBusError, Message, type MessageBus, MessageType, sessionBus } from 'dbus-next';
import { type Deadline, within } from '../base/deadline.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import { refusalOf } from './refusal.ts';
import { type Argument, bodyOf, plain } from './values.ts';
import { answerHello, answersHello, type Wire, wireOf } from './wire.ts';

export interface Call {
  /** Who is asked; on a connection to a single peer only for sentences. */
  readonly service: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly args?: readonly Argument[];
  /** Milliseconds. */
  readonly timeout: number;
}

/** What was answered: values, or an error that its caller understands. */
export type Answer =
  | { readonly kind: 'values'; readonly values: readonly unknown[] }
  | { readonly kind: 'error'; readonly name: string; readonly text: string };

export interface Signal {
  readonly service: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
}

export interface ConnectionOptions {
  /** File of the socket. */
  readonly socket: string;
  /** What is connected to, for sentences: `the system bus at ...`. */
  readonly name: string;
  /** A peer that is no bus. */
  readonly peer: boolean;
  /** Milliseconds for the connection and the handshake. */
  readonly timeout: number;
}

/** What dbus-next's own reading of addresses would take for a mark. */
const marks = /[,;:=]/;

const busService = 'org.freedesktop.DBus';
const busPath = '/org/freedesktop/DBus';

export class Connection {
  readonly #bus: MessageBus;
  readonly #wire: Wire;
  readonly #peer: boolean;
  readonly #name: string;
  /** Rejects when the connection ends, whoever ended it. */
  readonly #end: Promise<never>;

  /** Throws `YGG_BUS_UNREACHABLE`. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { socket, name, timeout } = options;
    if (marks.test(socket)) throw unreachable(name, `${socket} has a character that cannot be used`);
    const connection = new Connection(options);
    try {
      await connection.#until({ step: 'the handshake', ms: timeout }, () => connection.#ready());
      return connection;
    } catch (error) {
      connection.close();
      throw error instanceof YggError && error.code === 'YGG_BUS_UNREACHABLE'
        ? error
        : unreachable(name, reasonOf(error), error);
    }
  }

  private constructor({ socket, name, peer }: ConnectionOptions) {
    // `socket` is the one form of an address for which the library does not look for a native module.
    this.#bus = sessionBus({ busAddress: `unix:socket=${socket}`, authMethods: ['EXTERNAL'] });
    this.#wire = wireOf(this.#bus);
    this.#peer = peer;
    this.#name = name;
    const { promise, reject } = rejection();
    this.#end = promise;
    this.#bus.on('error', (error: unknown) => reject(unreachable(name, reasonOf(error), error)));
    this.#wire.stream.once('close', () => reject(unreachable(name, 'it closed the connection')));
  }

  /**
   * Asks, and waits for the answer. Throws `YGG_NO_ANSWER`, `YGG_SERVICE_MISSING`, `YGG_NOT_ALLOWED`,
   * `YGG_SERVICE_REFUSED`, `YGG_BUS_UNREACHABLE`.
   */
  async call(call: Call): Promise<Answer> {
    const { service, path, interface: to, member, args = [], timeout } = call;
    const { signature, body } = bodyOf(args);
    const destination = this.#peer ? {} : { destination: service };
    const message = new Message({ ...destination, path, interface: to, member, signature, body });
    try {
      const reply = await this.#until({ step: service, ms: timeout }, () => this.#bus.call(message));
      return { kind: 'values', values: (reply?.body ?? []).map(plain) };
    } catch (error) {
      if (error instanceof DBusError) return answered(error, service);
      if (!(error instanceof YggError) || error.code !== 'YGG_DEADLINE') throw error;
      const sentence = `${service} did not answer ${member} within ${timeout / 1_000} s.`;
      throw new YggError('YGG_NO_ANSWER', sentence, { cause: error });
    }
  }

  /** Calls `listener` with the values of each such signal of this service; nobody else's count. */
  async watch(
    signal: Signal,
    timeout: number,
    listener: (values: readonly unknown[]) => void,
  ): Promise<void> {
    const { service, path, interface: from, member } = signal;
    const bus = { service: busService, path: busPath, interface: busService, timeout };
    const owner = await this.call({ ...bus, member: 'GetNameOwner', args: [['s', service]] });
    if (owner.kind !== 'values') throw unreachable(this.#name, `${owner.name} for ${service}`);
    this.#bus.on('message', (message: Message) => {
      // Whoever is on the bus may send us one like it.
      const genuine =
        message.sender === owner.values[0] && message.path === path && message.interface === from;
      if (message.type === MessageType.SIGNAL && genuine && message.member === member) {
        listener(message.body.map(plain));
      }
    });
    const rule = `type='signal',sender='${service}',path='${path}',interface='${from}',member='${member}'`;
    await this.call({ ...bus, member: 'AddMatch', args: [['s', rule]] });
  }

  /** Calls `released` when the connection has ended, for what it stands on. */
  onClose(released: () => void): void {
    this.#wire.stream.once('close', released);
  }

  close(): void {
    this.#wire.stream.destroy();
  }

  /** The handshake and, on a bus, its welcome. */
  #ready(): Promise<void> {
    const wire = this.#wire;
    return new Promise((resolve, reject) => {
      if (this.#peer) {
        wire.events.once('connect', () => {
          answerHello(wire);
          resolve();
        });
        return;
      }
      wire.events.prependListener('message', (message: Message) => {
        if (message.type !== MessageType.ERROR || !answersHello(message)) return;
        answerHello(wire);
        reject(new Error(`it answered ${message.errorName}: ${message.body[0]}`));
      });
      this.#bus.once('connect', () => resolve());
    });
  }

  #until<T>(deadline: Deadline, run: () => Promise<T>): Promise<T> {
    return within(deadline, () => Promise.race([run(), this.#end]));
  }
}

function answered(error: DBusError, service: string): Answer {
  const text = typeof error.text === 'string' ? error.text : '';
  const refusal = refusalOf(error.type, text, service);
  if (refusal) throw refusal;
  return { kind: 'error', name: error.type, text };
}

function unreachable(name: string, why: string, cause?: unknown): YggError {
  return new YggError('YGG_BUS_UNREACHABLE', `No connection to ${name}: ${why}.`, { cause });
}

/** Nobody has to wait for it. */
function rejection(): { readonly promise: Promise<never>; readonly reject: (error: YggError) => void } {
  let reject: (error: YggError) => void = () => {};
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  promise.catch(() => {});
  return { promise, reject };
}
