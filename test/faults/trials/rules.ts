/** Small trials of single rules that a crash in general does not bring to light. */
import { ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer, dataMessage } from '../../helpers/mqtt-server.ts';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, startYggd } from '../../helpers/yggd.ts';
import { compare, Ledgers, type Verdict } from '../ledgers.ts';

/** Of a message that ends its worker only that message is given up, whoever was in hand with it. */
export async function poison(scope: Scope, program?: string): Promise<Verdict> {
  const book = ledger(scope);
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [
    nodeWorker({
      handler: 'echo',
      redelivery: 'until-done',
      behaviours: ['poisoned'],
      ledger: book.file,
      // Slow, so that many are in hand when it dies.
      delay: 400,
    }),
  ]);
  const yggd = startYggd(scope, {
    home,
    brokers: [broker.url],
    logLevel: 'error',
    ...(program !== undefined && { program }),
  });
  await server.online(['echo']);
  const ledgers = new Ledgers();
  let seen = 0;
  const settled = (): number => {
    for (const message of server.published.slice(seen)) ledgers.published(message);
    seen = server.published.length;
    return ledgers.settled;
  };
  const count = 8;
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const { id, text } = dataMessage({ directive: 'echo', content: index === 3 ? 'poison' : index });
      ledgers.sent.add(id);
      await server.publish('data/in', text);
      ledgers.acknowledged.add(id);
    }),
  );
  await waitFor(() => settled() === count, { what: `${count} ends`, deadline: 40_000 }).catch(() => {});
  await yggd.stop();
  return compare(ledgers, book.entries());
}

/** A message that found no worker runs when it is sent again under its old id; says how often it ran. */
export async function sentAgain(scope: Scope, program?: string): Promise<number> {
  const book = ledger(scope);
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope);
  const yggd = startYggd(scope, {
    home,
    brokers: [broker.url],
    logLevel: 'error',
    flags: ['--worker-grace', '1s'],
    ...(program !== undefined && { program }),
  });
  await server.online([]);
  const { id, text } = dataMessage({ directive: 'later' });
  await server.publish('data/in', text);
  const report = await server.answer(id);
  if (!report.text.includes('no-worker')) throw new Error(`unexpected: ${report.text}`);
  home.install(nodeWorker({ handler: 'later', ledger: book.file }));
  await server.online(['later']);
  await server.publish('data/in', text);
  await waitFor(() => server.answersTo(id).length > 1, { what: 'second answer', deadline: 3_000 }).catch(
    () => {},
  );
  await yggd.stop();
  return book.messageIds().filter((other) => other === id).length;
}
