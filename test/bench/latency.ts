/** How long one message takes through broker, host and worker and back. */
import { setTimeout as wait } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { dataMessage } from '../helpers/mqtt-server.ts';

export interface Latency {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
  readonly doubled: number;
}

export interface LatencyOptions {
  readonly url: string;
  readonly clientId: string;
  readonly directive: string;
}

/** So many messages a second, whatever becomes of those before. */
export async function atRate(
  options: LatencyOptions & { readonly rate: number; readonly seconds: number },
): Promise<Latency> {
  const { rate, seconds } = options;
  return await timed(options, async (timer) => {
    const begun = performance.now();
    for (let n = 0; n < rate * seconds; n += 1) {
      const early = begun + (n * 1_000) / rate - performance.now();
      if (early > 0) await wait(early);
      timer.send(n);
    }
  });
}

/** Each message after the answer to the one before. */
export async function oneAtATime(options: LatencyOptions & { readonly messages: number }): Promise<Latency> {
  return await timed(options, async (timer) => {
    for (let n = 0; n < options.messages; n += 1) {
      const answered = timer.nextAnswer();
      timer.send(n);
      await Promise.race([answered, wait(5_000)]);
    }
  });
}

async function timed(options: LatencyOptions, send: (timer: Timer) => Promise<void>): Promise<Latency> {
  const client = await connectAsync(options.url, { clientId: 'bench-latency' });
  if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function')
    client.stream.setNoDelay(true);
  try {
    const timer = new Timer(client, options);
    await client.subscribeAsync(`yggdrasil/${options.clientId}/data/out`, { qos: 1 });
    await send(timer);
    const end = performance.now() + 5_000;
    while (timer.open > 0 && performance.now() < end) await wait(5);
    return timer.result();
  } finally {
    await client.endAsync();
  }
}

class Timer {
  readonly #client: MqttClient;
  readonly #options: LatencyOptions;
  readonly #sentAt = new Map<string, number>();
  readonly #answered = new Set<string>();
  readonly #took: number[] = [];
  #doubled = 0;
  #onAnswer: () => void = () => {};

  constructor(client: MqttClient, options: LatencyOptions) {
    this.#client = client;
    this.#options = options;
    client.on('message', (_, payload) => this.#take(payload));
  }

  /** Sent and not answered. */
  get open(): number {
    return this.#sentAt.size;
  }

  send(n: number): void {
    const { clientId, directive } = this.#options;
    const { id, text } = dataMessage({ directive, content: { n } });
    this.#sentAt.set(id, performance.now());
    this.#client.publish(`yggdrasil/${clientId}/data/in`, text, { qos: 1 });
  }

  nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  result(): Latency {
    const sorted = this.#took.sort((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99), lost: this.open, doubled: this.#doubled };
  }

  #take(payload: Buffer): void {
    const now = performance.now();
    const id = /"response_to":"([^"]*)"/.exec(payload.toString('latin1'))?.[1] ?? '';
    const sent = this.#sentAt.get(id);
    if (sent === undefined) {
      if (this.#answered.has(id)) this.#doubled += 1;
      return;
    }
    this.#sentAt.delete(id);
    this.#answered.add(id);
    this.#took.push(now - sent);
    this.#onAnswer();
  }
}
