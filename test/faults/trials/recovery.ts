/** How long it takes until everything goes on after somebody was away. */
import { ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer, dataMessage, type MqttServer } from '../../helpers/mqtt-server.ts';
import { starvationOf } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../../helpers/yggd.ts';
import type { Dice } from '../dice.ts';
import { runningTime } from '../running-time.ts';

/** Milliseconds of connection after which a daemon takes the next loss for a first one. */
const stable = 31_000;
/** A broker goes away once for so many hosts. */
const hosts = 10;

/**
 * Milliseconds from the start of a killed daemon to its first hand-over, once for each of so many times. What it waited
 * for a processor, because others had them all, is not counted.
 */
export async function daemonRecoveries(scope: Scope, times: number): Promise<number[]> {
  const book = ledger(scope);
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [
    nodeWorker({ handler: 'echo', redelivery: 'until-done', ledger: book.file }),
  ]);
  const start = (): Yggd => startYggd(scope, { home, brokers: [broker.url], logLevel: 'error' });
  let yggd = start();
  await server.online(['echo']);
  const spans: number[] = [];
  for (let time = 0; time < times; time += 1) {
    await yggd.crash();
    const waiting = Array.from({ length: 20 }, () => dataMessage({ directive: 'echo' }));
    await Promise.all(waiting.map(({ text }) => server.publish('data/in', text)));
    const runs = book.events('message').length;
    const time = runningTime();
    yggd = start();
    await book.reaches('message', runs + 1, 30_000);
    spans.push(time.passed - starvationOf(yggd.pid));
    time.end();
    await Promise.all(waiting.map(({ id }) => server.answer(id, 30_000)));
  }
  await yggd.stopCleanly();
  return spans;
}

/**
 * Milliseconds from the return of a broker, which was away for 2 s at most, to the status that a host publishes after
 * its subscription; once for each host each time.
 */
export async function brokerRecoveries(
  scope: Scope,
  { dice, times }: { readonly dice: Dice; readonly times: number },
): Promise<number[]> {
  const broker = await startMosquitto(scope, { persistence: true });
  const servers: MqttServer[] = [];
  for (let index = 0; index < hosts; index += 1) {
    const clientId = `host-${index}`;
    const server = await connectMqttServer(scope, broker.url, { clientId });
    startYggd(scope, { home: createHome(scope), brokers: [broker.url], clientId, logLevel: 'error' });
    await server.online([], { deadline: 30_000 });
    servers.push(server);
  }
  const spans: number[] = [];
  for (let round = 0; round < Math.ceil(times / hosts); round += 1) {
    await new Promise((resolve) => setTimeout(resolve, stable));
    await broker.stop();
    await new Promise((resolve) => setTimeout(resolve, dice.between(0, 1_800)));
    const before = servers.map((server) => server.statuses.length);
    await broker.start();
    const time = runningTime();
    const back = servers.map(async (server, index) => {
      await server.online([], { after: before[index] ?? 0, deadline: 90_000 });
      return time.passed;
    });
    spans.push(...(await Promise.all(back)));
    time.end();
  }
  return spans;
}
