/** Publishes requests as a server does, never more than so many unsettled, and keeps the ledgers of both ends. */
import { dataMessage, type MqttServer } from '../helpers/mqtt-server.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { Ledgers } from './ledgers.ts';

export interface LoadOptions {
  readonly server: MqttServer;
  readonly directive: string;
  readonly messages: number;
  /** Requests that may be unsettled. */
  readonly window: number;
  readonly content?: (index: number) => unknown;
}

/** Milliseconds without another answer after which the rest is lost. */
const patience = 30_000;

export class Load {
  readonly ledgers: Ledgers = new Ledgers();
  readonly #options: LoadOptions;
  /** How much of what the host published was looked at. */
  #seen = 0;
  #stopped = false;
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

  get allSettled(): boolean {
    return this.settled >= this.#options.messages;
  }

  /** Waits until everything is settled, or nothing more comes. */
  async end(): Promise<void> {
    let before = -1;
    while (!this.allSettled && this.settled > before) {
      before = this.settled;
      await waitFor(() => this.settled > before, { what: 'answer', deadline: patience }).catch(() => {});
    }
    this.#stopped = true;
    await this.#publishing;
  }

  async #publish(): Promise<void> {
    const { server, directive, messages, window, content = (index) => index } = this.#options;
    const { sent, acknowledged } = this.ledgers;
    while (sent.size < messages && !this.#stopped) {
      while (sent.size < messages && sent.size - this.settled < window) {
        const { id, text } = dataMessage({ directive, content: content(sent.size), metadata: metadataOf() });
        sent.add(id);
        void server.publish('data/in', text.replaceAll(placeholder, id)).then(() => acknowledged.add(id));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await waitFor(() => acknowledged.size === sent.size, { what: 'acknowledgement of the broker' });
  }
}

/** Stands for the id of the message in its own metadata, which a worker gives back. */
const placeholder = '@id@';

function metadataOf(): Record<string, string> {
  return { request_id: placeholder };
}
