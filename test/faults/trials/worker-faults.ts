/**
 * Workers are killed, stopped and slow to start while messages flow, and attached ones killed or cut off at every kind of
 * frame; one worker is left alone and watched.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Ledger, ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer } from '../../helpers/mqtt-server.ts';
import { alive } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { attachedWorker, nodeWorker, type WorkerFile } from '../../helpers/worker-files.ts';
import { createHome, startYggd } from '../../helpers/yggd.ts';
import type { Dice } from '../dice.ts';
import { compare, type Verdict } from '../ledgers.ts';
import { Load, type Span } from '../load.ts';
import { runningTime, watchStandstills } from '../running-time.ts';

export interface WorkerFaultsOptions {
  readonly dice: Dice;
  readonly faults: number;
  /** Workers that are struck, besides the one that is not; faults come to them in turns. */
  readonly workers: number;
  readonly kind: 'plain' | 'attached';
  readonly program?: string;
}

export interface WorkerFaultsResult {
  readonly faults: number;
  /** Of the workers that are run again until they are done, and of those that are not. */
  readonly untilDone: Verdict;
  readonly untilAccepted: Verdict;
  /** Milliseconds that the messages of the worker that was left alone took. */
  readonly bystander: readonly number[];
  /** Milliseconds from each kill of a worker that starts at once to its next registration. */
  readonly recoveries: readonly number[];
}

/** Milliseconds between two faults of one worker: it has been registered long enough to be restarted at once. */
const gap = 6_000;

type Redelivery = 'until-accepted' | 'until-done';

interface Target {
  readonly name: string;
  readonly redelivery: Redelivery;
  readonly book: Ledger;
  /** Tells a plain worker how slowly to start, and an attached one which faults to have. */
  readonly orders: string;
  readonly worker: WorkerFile;
}

type Strike = 'kill' | 'stop' | 'slow-start' | 'frame';

const strikesOf: Readonly<Record<WorkerFaultsOptions['kind'], readonly [Strike, ...Strike[]]>> = {
  plain: ['kill', 'kill', 'slow-start', 'stop'],
  attached: ['frame', 'frame', 'frame', 'kill', 'stop'],
};

/** Kinds of frames of either side, and those that come only where a worker says what it accepted. */
const frames = ['at-answers', 'at-outcomes', 'on-deliveries', 'on-receipts', 'on-settled'] as const;
const openingFrames = ['at-hello', 'on-welcome'] as const;
const acceptingFrames = ['at-accepted', 'on-recorded'] as const;
/** Milliseconds of running time in which a frame of every kind has come by. */
const framePatience = 5_000;

export async function workerFaults(scope: Scope, options: WorkerFaultsOptions): Promise<WorkerFaultsResult> {
  const { dice, faults, workers, kind: workerKind, program } = options;
  const folder = tempDir(scope, 'orders-');
  const targets = Array.from({ length: workers }, (_, index) => targetOf(scope, folder, workerKind, index));
  const bystander = nodeWorker({ handler: 'bystander' });
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [...targets.map(({ worker }) => worker), bystander]);
  const names = [...targets.map(({ name }) => name), 'bystander'];
  const yggd = startYggd(scope, {
    home,
    brokers: [broker.url],
    logLevel: 'error',
    ...(program !== undefined && { program }),
  });
  await server.online(names, { deadline: 30_000 });

  const loadOf = (directive: string): Load => new Load({ server, directive, window: 20, every: 20 });
  const loads = new Map(targets.map((target) => [target, loadOf(target.name)]));
  const watched = loadOf('bystander');
  const standstills = watchStandstills();
  const kills: Array<{ readonly target: Target; readonly at: number }> = [];
  let struck = 0;
  while (struck < faults) {
    const begun = performance.now();
    for (const target of targets) {
      if (struck === faults) break;
      const kind = dice.pick(strikesOf[workerKind]);
      if (workerKind === 'plain') {
        writeFileSync(target.orders, String(kind === 'slow-start' ? dice.between(500, 3_000) : 0));
      }
      if (await strike(target, kind, dice)) {
        struck += 1;
        if (kind === 'kill') kills.push({ target, at: Date.now() });
      }
      await sleep(dice.between(0, gap / workers));
    }
    await sleep(Math.max(0, gap / 2 - (performance.now() - begun)));
  }

  for (const load of [...loads.values(), watched]) load.stop();
  await Promise.all([...loads.values(), watched].map((load) => load.end()));
  await yggd.stopCleanly();
  const verdicts = (redelivery: Target['redelivery']): Verdict =>
    sum(
      [...loads]
        .filter(([target]) => target.redelivery === redelivery)
        .map(([{ book }, { ledgers }]) => compare(ledgers, book.entries())),
    );
  standstills.end();
  const lengths = (spans: readonly Span[]): number[] =>
    spans.filter(({ from, to }) => !standstills.between(from, to)).map(({ from, to }) => to - from);
  return {
    faults: struck,
    untilDone: verdicts('until-done'),
    untilAccepted: verdicts('until-accepted'),
    bystander: lengths(watched.spans()),
    recoveries: lengths(
      kills.flatMap(({ target, at }) => {
        const next = target.book.events('register').find((entry) => entry.at >= at);
        return next ? [{ from: at, to: next.at }] : [];
      }),
    ),
  };
}

function targetOf(scope: Scope, folder: string, kind: WorkerFaultsOptions['kind'], index: number): Target {
  const name = `target-${index}`;
  const redelivery = index % 2 === 0 ? 'until-done' : 'until-accepted';
  const book = ledger(scope);
  const orders = path.join(folder, name);
  writeFileSync(orders, '');
  const common = { handler: name, redelivery, ledger: book.file, delay: 10 } as const;
  const worker =
    kind === 'plain'
      ? nodeWorker({ ...common, startDelay: orders })
      : attachedWorker({
          ...common,
          faults: orders,
          behaviours: redelivery === 'until-accepted' ? ['accepts'] : [],
        });
  return { name, redelivery, book, orders, worker };
}

/** Strikes its incarnation, when it has been registered for long enough; says whether it did. */
async function strike(target: Target, kind: Strike, dice: Dice): Promise<boolean> {
  const last = target.book.events('register').at(-1);
  if (!last || !alive(last.pid) || Date.now() - last.at < gap) return false;
  const { pid } = last;
  switch (kind) {
    case 'frame':
      return await strikeAtFrame(target, dice);
    case 'stop':
      process.kill(pid, 'SIGSTOP');
      await sleep(dice.between(100, 1_000));
      // Half of them are killed while they stand still.
      process.kill(pid, dice.next() < 0.5 ? 'SIGCONT' : 'SIGKILL');
      return true;
    default:
      process.kill(pid, 'SIGKILL');
      return true;
  }
}

/** Has it end itself, or give up its stream, at a frame of some kind; says whether such a frame came by. */
async function strikeAtFrame({ redelivery, book, orders }: Target, dice: Dice): Promise<boolean> {
  const kinds = [...frames, ...openingFrames, ...(redelivery === 'until-accepted' ? acceptingFrames : [])];
  const frame = kinds[dice.upTo(kinds.length)] ?? 'at-answers';
  const order = `${dice.pick(['kill', 'cut'])}-${frame}`;
  const isOpening = openingFrames.some((opening) => opening === frame);
  const past = book.events('fault').length;
  writeFileSync(orders, isOpening ? `cut-on-deliveries\n${order}` : order);
  const happened = (): boolean =>
    book
      .events('fault')
      .slice(past)
      .some((entry) => entry['fault'] === order);
  const time = runningTime();
  while (!happened() && time.passed < framePatience) await sleep(20);
  time.end();
  if (!happened()) writeFileSync(orders, '');
  return happened();
}

function sum(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((total, verdict) => ({
    acknowledged: total.acknowledged + verdict.acknowledged,
    answered: total.answered + verdict.answered,
    reported: total.reported + verdict.reported,
    lost: [...total.lost, ...verdict.lost],
    responsesLost: [...total.responsesLost, ...verdict.responsesLost],
    ranAgain: total.ranAgain + verdict.ranAgain,
    ranAgainThere: total.ranAgainThere + verdict.ranAgainThere,
    answeredAgain: total.answeredAgain + verdict.answeredAgain,
    reasons: Object.fromEntries(
      [...Object.keys(total.reasons), ...Object.keys(verdict.reasons)].map((reason) => [
        reason,
        (total.reasons[reason] ?? 0) + (verdict.reasons[reason] ?? 0),
      ]),
    ),
  }));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
