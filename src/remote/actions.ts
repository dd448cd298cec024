/**
 * What each command does once the broker is reached, and what it prints.
 */
import type { Clock } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import { milliseconds } from '../base/printer.ts';
import type { StringMap } from '../messages.ts';
import type { NewRequest } from './host.ts';
import type { Reached } from './reach.ts';

export interface ListenDeps {
  readonly clock: Clock;
  /** Resolves when the person has had enough. */
  interrupted(): Promise<void>;
}

/** Sends a message and prints its first answer. Throws `YGG_GIVEN_UP` when that is the host's failure report. */
export async function send({ host, target, printer }: Reached, request: NewRequest): Promise<void> {
  const { message, payload, roundTrip } = await host.send(request);
  await printer.answer(payload, message.content, roundTrip);
  const failure = failureOf(message.metadata, message.content);
  if (failure !== undefined) {
    throw new YggError('YGG_GIVEN_UP', `${target.host} gave the message up: ${failure}.`);
  }
  await printer.remark(`${request.directive} on ${target.host} answered in ${milliseconds(roundTrip)} ms`);
}

/** What a host says of a message that it gave up (docs/protocol.md), or `undefined` for any other answer. */
function failureOf(metadata: StringMap | null, content: Uint8Array): string | undefined {
  if (metadata?.['status'] !== 'failed') return undefined;
  const reason = metadata['reason'] ?? 'no reason given';
  try {
    const report: unknown = JSON.parse(Buffer.from(content).toString());
    const sentence: unknown = Object(Object(report).error).message;
    return typeof sentence === 'string' ? `${reason}: ${sentence.replace(/\.$/, '')}` : reason;
  } catch {
    return reason;
  }
}

export async function ping({ host, target, printer }: Reached): Promise<void> {
  const roundTrip = milliseconds(await host.ping());
  await printer.result(`pong from ${target.host} in ${roundTrip} ms`, {
    host: target.host,
    round_trip_ms: roundTrip,
  });
}

/** Prints what passes until `interrupted` resolves; throws `YGG_BROKER_LOST`. */
export async function listen(
  { target, topics, client, printer }: Reached,
  { clock, interrupted }: ListenDeps,
): Promise<void> {
  await client.listen(Object.values(topics), (topic, payload, retained) =>
    printer.heard({ topic, payload, retained, at: clock.now() }),
  );
  await printer.remark(`listening to the four topics of ${target.host}; Ctrl-C ends it`);
  const lost = await Promise.race([client.lost, interrupted()]);
  if (lost) throw lost;
}

/** @param delay seconds */
export async function reconnect({ host, target, printer }: Reached, delay: number): Promise<void> {
  const onLeft = (): void => void printer.remark(`${target.host} has left the broker`);
  const away = milliseconds(await host.reconnect(delay, onLeft));
  await printer.result(`${target.host} is back after ${away} ms`, { host: target.host, away_ms: away });
}

export async function disconnect({ host, target, printer }: Reached): Promise<void> {
  await host.disconnect();
  const text = `${target.host} has left the broker; SIGHUP to its daemon or a restart brings it back`;
  await printer.result(text, { host: target.host, state: 'offline' });
}
