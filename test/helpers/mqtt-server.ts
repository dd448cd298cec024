/**
 * The other end of the broker: publishes to one host's topics as a server does, and keeps everything it says.
 *
 * Its session survives the broker's restarts, so that what a host publishes meanwhile is not lost to the test.
 */
import { randomUUID } from 'node:crypto';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { Scope } from './scope.ts';
import { waitFor } from './wait-for.ts';

export interface Published {
  readonly topic: 'control/out' | 'data/out';
  readonly text: string;
  /** Its fields; empty for the empty first publish of a connection. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly qos: number;
  readonly retain: boolean;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** What a data message may set; the rest is filled in as a server would. */
export interface DataFields {
  readonly directive: string;
  readonly content?: unknown;
  /** The content as it stands in the envelope, for texts that JSON.stringify would change. */
  readonly raw?: string;
  readonly metadata?: unknown;
  readonly messageId?: string;
  readonly responseTo?: string;
}

export interface MqttServerOptions {
  readonly clientId?: string;
  readonly prefix?: string;
  readonly mqtt?: IClientOptions;
}

export class MqttServer {
  /** Everything the host published, in order. */
  readonly published: Published[] = [];
  readonly #byResponseTo = new Map<string, Published[]>();
  readonly #client: MqttClient;
  readonly #base: string;

  constructor(client: MqttClient, base: string) {
    this.#client = client;
    this.#base = base;
    client.on('message', (topic, payload, packet) => {
      this.#take(topic, payload.toString('utf8'), packet.qos, packet.retain);
    });
  }

  /** Publishes bytes as they are to `control/in` or `data/in`. */
  async publish(
    topic: 'control/in' | 'data/in',
    payload: string | Buffer,
    options: { readonly qos?: 0 | 1; readonly retain?: boolean } = {},
  ): Promise<void> {
    await this.#client.publishAsync(`${this.#base}/${topic}`, payload, { qos: 1, ...options });
  }

  /** Publishes a data message; returns its id. */
  async send(fields: DataFields): Promise<string> {
    const { text, id } = dataMessage(fields);
    await this.publish('data/in', text);
    return id;
  }

  /** Publishes a command; returns its id. */
  async command(command: string, args: unknown = null, messageId: string = randomUUID()): Promise<string> {
    const envelope = {
      type: 'command',
      message_id: messageId,
      response_to: '',
      version: 1,
      sent: new Date().toISOString(),
      content: { command, arguments: args },
    };
    await this.publish('control/in', JSON.stringify(envelope));
    return messageId;
  }

  /** Everything that answers this id, so far. */
  answersTo(id: string): readonly Published[] {
    return this.#byResponseTo.get(id) ?? [];
  }

  /** The first answer to this id. */
  async answer(id: string, deadline = 10_000): Promise<Published> {
    return await waitFor(() => this.answersTo(id)[0], {
      what: `answer to ${id}`,
      deadline,
      detail: this.#detail,
    });
  }

  /** Every connection status, in order. */
  get statuses(): readonly Published[] {
    return this.published.filter(({ json }) => json['type'] === 'connection-status');
  }

  /** Everything on `data/out` but the empty first publish of a connection. */
  get data(): readonly Published[] {
    return this.published.filter(({ topic, text }) => topic === 'data/out' && text !== '');
  }

  /** A connection status, the `after`-th or later, that says online with exactly these handlers. */
  async online(
    handlers: readonly string[],
    options: { after?: number; deadline?: number } = {},
  ): Promise<Published> {
    const { after = 0, deadline } = options;
    const wanted = [...handlers].sort().join();
    return await waitFor(
      () =>
        this.statuses
          .slice(after)
          .find((status) => stateOf(status) === 'online' && handlersOf(status) === wanted),
      {
        what: `online status with dispatchers [${wanted}]`,
        deadline: deadline ?? 15_000,
        detail: this.#detail,
      },
    );
  }

  async offline(options: { after?: number; deadline?: number } = {}): Promise<Published> {
    const { after = 0, deadline = 10_000 } = options;
    return await waitFor(() => this.statuses.slice(after).find((status) => stateOf(status) === 'offline'), {
      what: 'offline status',
      deadline,
      detail: this.#detail,
    });
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  readonly #detail = (): string => {
    const last = this.published.slice(-10).map(({ topic, text }) => `  ${topic} ${text.slice(0, 300)}`);
    return ['last published by the host:', ...last].join('\n');
  };

  #take(topic: string, text: string, qos: number, retain: boolean): void {
    const json: Record<string, unknown> = text === '' ? {} : JSON.parse(text);
    const published: Published = {
      topic: topic.endsWith('control/out') ? 'control/out' : 'data/out',
      text,
      json,
      qos,
      retain,
      at: performance.now(),
    };
    this.published.push(published);
    const responseTo = json['response_to'];
    if (typeof responseTo !== 'string' || responseTo === '') return;
    const answers = this.#byResponseTo.get(responseTo);
    if (answers) answers.push(published);
    else this.#byResponseTo.set(responseTo, [published]);
  }
}

export async function connectMqttServer(
  scope: Scope,
  url: string,
  { clientId = 'test-client-0001', prefix = 'yggdrasil', mqtt = {} }: MqttServerOptions = {},
): Promise<MqttServer> {
  const client = await connectAsync(url, {
    clientId: `server-${randomUUID()}`,
    clean: false,
    reconnectPeriod: 100,
    connectTimeout: 5_000,
    ...mqtt,
  });
  const server = new MqttServer(client, `${prefix}/${clientId}`);
  scope.defer(() => server.close());
  // A broker that the test stopped is no failure of the test.
  client.on('error', () => {});
  await client.subscribeAsync([`${prefix}/${clientId}/control/out`, `${prefix}/${clientId}/data/out`], {
    qos: 1,
  });
  return server;
}

/** A data envelope as a server writes it, and its id. */
export function dataMessage(fields: DataFields): { readonly id: string; readonly text: string } {
  const {
    directive,
    content = null,
    raw,
    metadata = {},
    messageId: id = randomUUID(),
    responseTo = '',
  } = fields;
  const head = {
    type: 'data',
    message_id: id,
    response_to: responseTo,
    version: 1,
    sent: new Date().toISOString(),
    directive,
    metadata,
  };
  const text = `${JSON.stringify(head).slice(0, -1)},"content":${raw ?? JSON.stringify(content)}}`;
  return { id, text };
}

/** The content as it stands in a published envelope; it is the last field. */
export function rawContent({ text }: Published): string {
  const mark = '"content":';
  return text.slice(text.indexOf(mark) + mark.length, -1);
}

export function contentOf(status: Published): Readonly<Record<string, unknown>> {
  const content = status.json['content'];
  return typeof content === 'object' && content !== null ? { ...content } : {};
}

export function dispatchersOf(status: Published): Readonly<Record<string, unknown>> {
  const dispatchers = contentOf(status)['dispatchers'];
  return typeof dispatchers === 'object' && dispatchers !== null ? { ...dispatchers } : {};
}

function handlersOf(status: Published): string {
  return Object.keys(dispatchersOf(status)).sort().join();
}

function stateOf(status: Published): unknown {
  return contentOf(status)['state'];
}
