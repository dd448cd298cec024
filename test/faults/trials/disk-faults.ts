/** The disk is full, fails, takes no writes or hesitates while messages flow. */
import { ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer } from '../../helpers/mqtt-server.ts';
import type { Scope } from '../../helpers/scope.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../../helpers/yggd.ts';
import type { Dice } from '../dice.ts';
import { createFailingDisk, failingDisk } from '../failing-disk.ts';
import { instrumented } from '../instrumented.ts';
import { compare, type Verdict } from '../ledgers.ts';
import { Load } from '../load.ts';
import { runningTime } from '../running-time.ts';

export interface DiskFaultsResult extends Verdict {
  readonly faults: number;
  /** Kills while the disk was in trouble, among the faults. */
  readonly kills: number;
  /** Ends of the daemon that nobody asked for. */
  readonly ends: number;
  /** Milliseconds from the end of each fault to the next answer. */
  readonly recoveries: readonly number[];
}

export async function diskFaults(
  scope: Scope,
  { dice, faults }: { readonly dice: Dice; readonly faults: number },
): Promise<DiskFaultsResult> {
  const disk = createFailingDisk(scope);
  const program = instrumented(scope, failingDisk);
  const book = ledger(scope);
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const worker = nodeWorker({
    handler: 'echo',
    redelivery: 'until-done',
    behaviours: ['persistent'],
    ledger: book.file,
  });
  const home = createHome(scope, [worker], disk.directory);
  const start = (): Yggd =>
    startYggd(scope, {
      home,
      brokers: [broker.url],
      logLevel: 'error',
      env: disk.environment,
      program,
    });
  let yggd = start();
  await server.online(['echo']);
  const load = new Load({ server, directive: 'echo', window: 60, every: 5 });
  const recoveries: number[] = [];
  let kills = 0;
  let ends = 0;
  let struck = 0;
  while (struck < faults && !load.stuck) {
    await load.reaches(load.settled + dice.between(20, 80), () => yggd.exit !== undefined);
    disk.set(dice.pick(disk.faults));
    struck += 1;
    await new Promise((resolve) => setTimeout(resolve, dice.between(50, 3_000)));
    const killed = dice.next() < 0.2;
    if (yggd.exit) ends += 1;
    else if (killed) kills += 1;
    if (killed || yggd.exit) await yggd.crash();
    disk.set(undefined);
    const time = runningTime();
    if (yggd.exit) yggd = start();
    await load.reaches(load.settled + 1, () => yggd.exit !== undefined);
    recoveries.push(time.passed);
    time.end();
  }
  load.stop();
  await load.end();
  await yggd.stop();
  return { ...compare(load.ledgers, book.entries()), faults: struck, kills, ends, recoveries };
}
