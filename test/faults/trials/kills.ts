/** The daemon is killed again and again while messages flow, at random or at a named point. */
import { reply, startContentServer } from '../../helpers/http-content.ts';
import { ledger } from '../../helpers/ledger.ts';
import { startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer } from '../../helpers/mqtt-server.ts';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, startYggd, type Yggd } from '../../helpers/yggd.ts';
import { crashAt, runningPoints, stopPoints } from '../crash-points.ts';
import type { Dice } from '../dice.ts';
import { compare, type Verdict } from '../ledgers.ts';
import { Load } from '../load.ts';

export interface KillsOptions {
  readonly dice: Dice;
  readonly messages: number;
  readonly kills: number;
  readonly redelivery: 'until-accepted' | 'until-done';
  /** How answers leave the host. */
  readonly via?: 'mqtt' | 'http';
  /** A build of the daemon with crash points in it; not set: all kills strike at random. */
  readonly crashing?: string | undefined;
  /** Another build of the daemon. */
  readonly program?: string;
}

/** One end of the daemon; what it waits for is drawn before the run. */
type Strike =
  /** Killed when so many more are settled. */
  | { readonly kind: 'at-progress'; readonly settled: number }
  /** Frozen for a while when so many more are settled, then killed or set free and killed later. */
  | { readonly kind: 'frozen'; readonly settled: number; readonly ms: number }
  /** Killed so many milliseconds after its start. */
  | { readonly kind: 'early'; readonly ms: number }
  /** Asked to stop, and killed so many milliseconds later. */
  | { readonly kind: 'stopping'; readonly settled: number; readonly ms: number }
  /** Ends itself at a named point, or is killed like others when so many more are settled before. */
  | {
      readonly kind: 'point';
      readonly point: string;
      readonly count: number;
      readonly settled: number;
    }
  /** Asked to stop when so many more are settled, and ends itself at a named point. */
  | {
      readonly kind: 'stop-point';
      readonly point: string;
      readonly count: number;
      readonly settled: number;
    };

export interface KillsResult extends Verdict {
  /** Kills that struck, and those of them at a named point. */
  readonly kills: number;
  readonly atPoints: number;
  /** Messages in the working set of one directive: what one kill may repeat. */
  readonly window: number;
}

const window = 64;
/** How often a daemon passes a named point, at most, before it ends there; some are passed once for many messages. */
const mostPasses = 24;
/** Milliseconds. */
const strikePatience = 30_000;

export async function kills(scope: Scope, options: KillsOptions): Promise<KillsResult> {
  const { messages, redelivery, via = 'mqtt', crashing, program } = options;
  const plan = planOf(options);
  const book = ledger(scope);
  const sink = await startContentServer(scope);
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [
    nodeWorker({
      handler: 'echo',
      redelivery,
      behaviours: ['signed'],
      ledger: book.file,
      ...(via === 'http' && { answerTo: `${sink.origin}/sink` }),
    }),
  ]);
  const start = (crash?: NodeJS.ProcessEnv): Yggd =>
    startYggd(scope, {
      home,
      brokers: [broker.url],
      logLevel: 'error',
      flags: ['--content-hosts', sink.host, '--worker-window', String(window)],
      ...(crash ? { env: crash } : {}),
      ...(crash && crashing !== undefined ? { program: crashing } : program !== undefined && { program }),
    });

  // The host has subscribed once, so that the broker keeps what comes while it is away.
  const first = start();
  await server.online(['echo']);
  await first.stopCleanly();

  const load = new Load({ server, directive: 'echo', messages, window: 600 });
  sink.on('/sink', (call, response) => {
    load.ledgers.posted(call);
    reply(200)(call, response);
  });
  let struck = 0;
  let atPoints = 0;
  for (const strike of plan) {
    if (load.allSettled) break;
    const reached = await carryOut(strike, start, load);
    struck += 1;
    if (reached) atPoints += 1;
  }
  const after = server.statuses.length;
  const last = start();
  await server.online(['echo'], { after });
  await load.end();
  await last.stopCleanly();
  return { ...compare(load.ledgers, book.entries()), kills: struck, atPoints, window };
}

/** Random strikes and named points take turns: a message that is in hand at five ends in a row is given up. */
function planOf({ dice, messages, kills: count, via = 'mqtt', crashing }: KillsOptions): Strike[] {
  const share = Math.max(1, Math.floor(messages / count));
  const points = runningPoints(via);
  return Array.from({ length: count }, (_, index): Strike => {
    if (crashing !== undefined && index % 2 === 1) {
      if (dice.next() < 0.1) {
        const point = stopPoints[dice.upTo(stopPoints.length)] ?? '';
        return { kind: 'stop-point', point, count: dice.between(1, 4), settled: dice.upTo(share) };
      }
      const point = points[dice.upTo(points.length)] ?? '';
      return { kind: 'point', point, count: dice.between(1, mostPasses), settled: share };
    }
    const settled = dice.between(Math.ceil(share / 2), share);
    const roll = dice.next();
    if (roll < 0.7) return { kind: 'at-progress', settled };
    if (roll < 0.8) return { kind: 'frozen', settled, ms: dice.upTo(1_000) };
    if (roll < 0.9) return { kind: 'stopping', settled, ms: dice.upTo(300) };
    return { kind: 'early', ms: dice.upTo(900) };
  });
}

/** Starts a daemon and waits for its end; says whether it came to a named point. */
async function carryOut(
  strike: Strike,
  start: (crash?: NodeJS.ProcessEnv) => Yggd,
  load: Load,
): Promise<boolean> {
  const before = load.settled;
  if (strike.kind === 'point' || strike.kind === 'stop-point') {
    const yggd = start(crashAt(strike.point, strike.count));
    await progress(yggd, load, before + strike.settled);
    if (strike.kind === 'stop-point') {
      yggd.kill('SIGTERM');
      await yggd.ended(strikePatience);
    }
    const reached = yggd.exit?.signal === 'SIGKILL';
    await yggd.crash();
    return reached;
  }
  const yggd = start();
  if (strike.kind === 'early') {
    await sleep(strike.ms);
  } else {
    await progress(yggd, load, before + strike.settled);
    if (strike.kind === 'frozen') yggd.kill('SIGSTOP');
    if (strike.kind === 'stopping') yggd.kill('SIGTERM');
    if (strike.kind !== 'at-progress') await sleep(strike.ms);
  }
  await yggd.crash();
  return false;
}

async function progress(yggd: Yggd, load: Load, settled: number): Promise<void> {
  await waitFor(() => load.settled >= settled || load.allSettled || yggd.exit !== undefined, {
    what: `${settled} settled messages`,
    deadline: strikePatience,
    detail: () => yggd.output,
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
