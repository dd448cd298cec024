/** Publishes requests as a server does, never more than so many unsettled, and keeps the ledgers of both ends. */
import { dataMessage, type MqttServer } from '../helpers/mqtt-server.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { Ledgers } from './ledgers.ts';
import { runningTime } from './running-time.ts';

export interface LoadOptions {
  readonly server: MqttServer;
  readonly directive: string;
  /** Not set: until `stop`. */
  readonly messages?: number;
  /** Requests that may be unsettled. */
  readonly window: number;
  /** Milliseconds between two requests; not set: as many as the window takes. */
  readonly every?: number;
  readonly content?: (index: number) => unknown;
  /** Milliseconds of running time without another answer after which the rest is lost. */
  readonly patience?: number;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

export class Load {
  readonly ledgers: Ledgers = new Ledgers();
  /** Milliseconds of the monotonic clock at which a request was given to the broker. */
  readonly sentAt: Map<string, number> = new Map();
  readonly #options: LoadOptions;
  /** How much of what the host published was looked at. */
  #seen = 0;
  #stopped = false;
  #stuck = false;
  readonly #publishing: Promise<void>;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#publishing = this.#publish();
  }

  /** Requests that are settled by now. */
  get settled(): number {
    const { published } = this.#options.server;
    for (; this.#seen < published.length; this.#seen += 1) {
      const message = published[this.#seen];
      if (message) this.ledgers.published(message);
    }
    return this.ledgers.settled;
  }

  /** All that there will be is settled. */
  get allSettled(): boolean {
    const { messages = Number.POSITIVE_INFINITY } = this.#options;
    return this.settled >= (this.#stopped ? this.ledgers.sent.size : messages);
  }

  /** Sends nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Nothing came for longer than anybody waits. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Waits until so many are settled, or all, or `instead`, as long as more keep coming. */
  async reaches(count: number, instead: () => boolean = () => false): Promise<void> {
    const { patience = 30_000 } = this.#options;
    const done = (): boolean => this.settled >= count || this.allSettled || instead();
    const time = runningTime();
    let last = 0;
    for (let before = this.settled; !done(); ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (this.settled > before) {
        before = this.settled;
        last = time.passed;
      } else if (time.passed - last > patience) {
        this.#stuck = true;
        break;
      }
    }
    time.end();
  }

  /** Waits until everything is settled, or nothing more comes. */
  async end(): Promise<void> {
    if (this.#stuck) this.stop();
    await this.reaches(Number.POSITIVE_INFINITY);
    this.stop();
    await this.#publishing;
  }

  /** When each settled request was sent and when it was settled, in milliseconds since the epoch. */
  spans(): Span[] {
    const first = new Map<string, number>();
    for (const { json, at } of this.#options.server.published) {
      const id = String(json['response_to'] ?? '');
      if (this.sentAt.has(id) && !first.has(id)) first.set(id, at);
    }
    const { timeOrigin } = performance;
    return [...first].map(([id, at]) => ({
      from: timeOrigin + (this.sentAt.get(id) ?? at),
      to: timeOrigin + at,
    }));
  }

  async #publish(): Promise<void> {
    const { messages = Number.POSITIVE_INFINITY, window, every } = this.#options;
    const { sent, acknowledged } = this.ledgers;
    while (sent.size < messages && !this.#stopped) {
      const room = window - (sent.size - this.settled);
      const count = Math.min(messages - sent.size, every === undefined ? room : Math.min(room, 1));
      for (let index = 0; index < count; index += 1) this.#send();
      await new Promise((resolve) => setTimeout(resolve, every ?? 5));
    }
    await waitFor(() => acknowledged.size === sent.size, { what: 'acknowledgement of the broker' });
  }

  #send(): void {
    const { server, directive, content = (index) => index } = this.#options;
    const { sent, acknowledged } = this.ledgers;
    const { id, text } = dataMessage({
      directive,
      content: content(sent.size),
      metadata: { request_id: placeholder },
    });
    sent.add(id);
    this.sentAt.set(id, performance.now());
    void server.publish('data/in', text.replaceAll(placeholder, id)).then(() => acknowledged.add(id));
  }
}

/** Stands for the id of the message in its own metadata, which a worker gives back. */
const placeholder = '@id@';
