/**
 * A real broker that is killed, frozen and restarted. It may lose what it had acknowledged, so the server does what
 * such servers do: it sends everything again that was not answered, under the old ids.
 */
import { ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer, dataMessage } from '../../helpers/mqtt-server.ts';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, startYggd } from '../../helpers/yggd.ts';
import type { Dice } from '../dice.ts';

export interface BrokerKillsResult {
  readonly messages: number;
  /** Requests that no worker ever saw. */
  readonly neverRun: number;
  /** Runs beyond the first. */
  readonly ranAgain: number;
}

const messagesPerKill = 100;
/** Milliseconds. */
const patience = 60_000;

export async function brokerKills(
  scope: Scope,
  { dice, kills }: { readonly dice: Dice; readonly kills: number },
): Promise<BrokerKillsResult> {
  const book = ledger(scope);
  const broker = await startMosquitto(scope, { persistence: true });
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [nodeWorker({ handler: 'echo', ledger: book.file })]);
  const flags = ['--mqtt-keep-alive', '5s', '--mqtt-connect-retry-interval', '1s'];
  const yggd = startYggd(scope, { home, brokers: [broker.url], logLevel: 'error', flags });
  await server.online(['echo']);

  const sent = new Set<string>();
  for (let round = 0; round < kills; round += 1) {
    const batch = Array.from({ length: messagesPerKill }, () => dataMessage({ directive: 'echo' }));
    for (const { id } of batch) sent.add(id);
    const first = Promise.all(batch.map(({ text }) => server.publish('data/in', text)));
    await new Promise((resolve) => setTimeout(resolve, dice.between(0, 200)));
    if (dice.next() < 0.3) {
      broker.freeze();
      await new Promise((resolve) => setTimeout(resolve, dice.between(0, 1_000)));
      broker.wake();
    } else {
      await broker.kill();
      await broker.start();
    }
    await first;
    await waitFor(
      async () => {
        const seen = new Set(book.messageIds());
        const missing = batch.filter(({ id }) => !seen.has(id));
        await Promise.all(missing.map(({ text }) => server.publish('data/in', text)));
        await new Promise((resolve) => setTimeout(resolve, 500));
        return missing.length === 0;
      },
      { what: 'run of every message', deadline: patience },
    ).catch(() => {});
  }
  await yggd.stopCleanly();
  const run = book.messageIds();
  const different = new Set(run);
  return {
    messages: sent.size,
    neverRun: [...sent].filter((id) => !different.has(id)).length,
    ranAgain: run.length - different.size,
  };
}
