/** How long one message takes through broker, host and worker and back, at a steady rate. */
import { connectAsync } from 'mqtt';
import { dataMessage } from '../helpers/mqtt-server.ts';

export interface Latency {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
}

export interface LatencyOptions {
  readonly url: string;
  readonly clientId: string;
  readonly directive: string;
  /** Messages a second. */
  readonly rate: number;
  readonly seconds: number;
}

export async function latency(options: LatencyOptions): Promise<Latency> {
  const { url, clientId, directive, rate, seconds } = options;
  const client = await connectAsync(url, { clientId: 'bench-latency' });
  if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function')
    client.stream.setNoDelay(true);
  const sentAt = new Map<string, number>();
  const took: number[] = [];
  client.on('message', (_, payload) => {
    const now = performance.now();
    const id = /"response_to":"([^"]*)"/.exec(payload.toString('latin1'))?.[1] ?? '';
    const sent = sentAt.get(id);
    if (sent === undefined || !sentAt.delete(id)) return;
    took.push(now - sent);
  });
  await client.subscribeAsync(`yggdrasil/${clientId}/data/out`, { qos: 1 });

  const total = rate * seconds;
  const begun = performance.now();
  for (let n = 0; n < total; n += 1) {
    const wait = begun + (n * 1_000) / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const { id, text } = dataMessage({ directive, content: { n } });
    sentAt.set(id, performance.now());
    client.publish(`yggdrasil/${clientId}/data/in`, text, { qos: 1 });
  }
  const end = performance.now() + 5_000;
  while (sentAt.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.endAsync();

  took.sort((a, b) => a - b);
  const at = (share: number): number =>
    took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), lost: sentAt.size };
}
