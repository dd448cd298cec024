/** The daemon is killed again and again while messages flow, at random or at a named point. */
import path from 'node:path';
import { Child } from '../../helpers/child.ts';
import { reply, startContentServer } from '../../helpers/http-content.ts';
import { type Ledger, ledger } from '../../helpers/ledger.ts';
import { type Mosquitto, startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer } from '../../helpers/mqtt-server.ts';
import type { Scope } from '../../helpers/scope.ts';
import { attachedWorker, nodeWorker, sdkProgram, type WorkerFile } from '../../helpers/worker-files.ts';
import { createHome, type Home, startYggd, type Yggd } from '../../helpers/yggd.ts';
import { crashAt, runningPoints, stopPoints } from '../crash-points.ts';
import type { Dice } from '../dice.ts';
import { compare, type Verdict } from '../ledgers.ts';
import { Load } from '../load.ts';

export interface KillsOptions {
  readonly dice: Dice;
  readonly messages: number;
  readonly kills: number;
  readonly redelivery: 'until-accepted' | 'until-done';
  /**
   * `plain`, which it is when not set, and `attached` end with the daemon that started them; `lasting` is an attached
   * one on the SDK that nobody started but its author, and goes on.
   */
  readonly worker?: 'plain' | 'attached' | 'lasting';
  /** Slots of the worker; not set: as many as workers have in general. */
  readonly slots?: number;
  /** How answers leave the host. */
  readonly via?: 'mqtt' | 'http';
  /** Contents lie elsewhere and are fetched. */
  readonly detached?: boolean;
  /** All strikes at this point, so many milliseconds after it; not set: strikes of every kind. */
  readonly only?: { readonly point: string; readonly ms: number };
  /** A build of the daemon with crash points in it; not set: all kills strike at random. */
  readonly crashing?: string | undefined;
  /** Another build of the daemon. */
  readonly program?: string;
  /** Milliseconds without an answer after which the rest is lost; not set: 30 s. */
  readonly patience?: number;
}

/** One end of the daemon; what it waits for is drawn before the run. */
type Strike =
  /** Killed so many milliseconds after so many more are settled. */
  | { readonly kind: 'running'; readonly settled: number; readonly ms: number }
  /** The same while the broker is frozen, so that what the daemon says stays with it. */
  | { readonly kind: 'unheard'; readonly settled: number; readonly ms: number }
  /** Frozen for so many milliseconds, then killed. */
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
      readonly ms: number;
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
  /** Of the worker: what one kill may repeat. */
  readonly slots: number;
}

const usualSlots = 64;
/** Milliseconds that an attached worker has a message in hand. */
const attachedDelay = 20;
/** How often a daemon passes a named point, at most, before it ends there; some are passed once for many messages. */
const mostPasses = 24;
/** The same where all strikes are at one point, which messages may pass together. */
const fewPasses = 6;
/** Milliseconds that a daemon takes to end at a point of its stop. */
const stopPatience = 30_000;

export async function kills(scope: Scope, options: KillsOptions): Promise<KillsResult> {
  const { messages, worker = 'plain', crashing, program, patience = 30_000 } = options;
  const { slots = usualSlots, detached = false } = options;
  const plan = planOf(options);
  const book = ledger(scope);
  const sink = await startContentServer(scope);
  // As many under way at a time as the driver has unsettled, not the broker's usual twenty.
  const broker = await startMosquitto(scope, { lines: ['max_inflight_messages 1000'] });
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(
    scope,
    worker === 'lasting' ? [] : [workerOf(options, book, `${sink.origin}/sink`)],
  );
  const start = (crash?: NodeJS.ProcessEnv): Yggd =>
    startYggd(scope, {
      home,
      brokers: [broker.url],
      logLevel: 'error',
      flags: ['--content-hosts', sink.host, '--worker-window', String(slots)],
      ...(crash ? { env: crash } : {}),
      ...(crash && crashing !== undefined ? { program: crashing } : program !== undefined && { program }),
    });

  // The host has subscribed once, so that the broker keeps what comes while it is away.
  const first = start();
  let lasting: Child | undefined;
  if (worker === 'lasting') {
    await server.online([]);
    lasting = startLasting(scope, home, options, book);
  }
  await server.online(['echo']);
  await (lasting ? first.stop() : first.stopCleanly());

  // What flows in while the daemon is killed is a part of what flows between two kills.
  const unsettled = Math.min(600, Math.ceil(messages / plan.length / 2));
  const load = new Load({
    server,
    directive: 'echo',
    messages,
    window: unsettled,
    patience,
    ...(detached && { content: () => `${sink.origin}/source` }),
  });
  sink.on('/source', reply(200, '"from elsewhere"'));
  sink.on('/sink', (call, response) => {
    load.ledgers.posted(call);
    reply(200)(call, response);
  });
  let struck = 0;
  let atPoints = 0;
  for (const strike of plan) {
    if (load.allSettled || load.stuck) break;
    const reached = await carryOut(strike, { start, load, broker });
    struck += 1;
    if (reached) atPoints += 1;
  }
  const after = server.statuses.length;
  const last = start();
  await server.online(['echo'], { after });
  await load.end();
  lasting?.kill('SIGTERM');
  await lasting?.ended(stopPatience);
  await last.stopCleanly();
  return { ...compare(load.ledgers, book.entries()), kills: struck, atPoints, slots };
}

function workerOf(options: KillsOptions, book: Ledger, sink: string): WorkerFile {
  const { redelivery, worker = 'plain', via = 'mqtt', detached = false } = options;
  const common = { handler: 'echo', redelivery, ledger: book.file };
  if (worker === 'plain') {
    return nodeWorker({
      ...common,
      behaviours: ['signed'],
      detached,
      ...(via === 'http' && { answerTo: sink }),
    });
  }
  return attachedWorker({
    ...common,
    behaviours: redelivery === 'until-accepted' ? ['accepts'] : [],
    delay: attachedDelay,
  });
}

function startLasting(scope: Scope, home: Home, { redelivery }: KillsOptions, book: Ledger): Child {
  return new Child(scope, process.execPath, [sdkProgram], {
    env: {
      YGG_SOCKET_ADDR: `unix:${path.join(home.runtimeDir, 'dispatcher.sock')}`,
      ...{ FIXTURE_HANDLER: 'echo', FIXTURE_REDELIVERY: redelivery },
      ...{ FIXTURE_DELAY: String(attachedDelay), FIXTURE_LEDGER: book.file },
    },
  });
}

/** Random strikes and named points take turns: a message that is in hand at five ends in a row is given up. */
function planOf(options: KillsOptions): Strike[] {
  const { dice, messages, kills: count, via = 'mqtt', crashing, only, detached = false } = options;
  const { worker = 'plain' } = options;
  const share = Math.max(1, Math.floor(messages / count));
  const points = runningPoints({ via, detached, attached: worker !== 'plain' });
  return Array.from({ length: count }, (_, index): Strike => {
    if (only) return { kind: 'point', ...only, count: dice.between(1, fewPasses), settled: share };
    if (crashing !== undefined && index % 2 === 1) {
      if (dice.next() < 0.1) {
        const point = stopPoints[dice.upTo(stopPoints.length)] ?? '';
        return { kind: 'stop-point', point, count: dice.between(1, 4), settled: dice.upTo(share) };
      }
      const point = points[dice.upTo(points.length)] ?? '';
      return { kind: 'point', point, count: dice.between(1, mostPasses), ms: 0, settled: share };
    }
    const settled = dice.between(Math.ceil(share / 2), share);
    const roll = dice.next();
    if (roll < 0.5) return { kind: 'running', settled, ms: dice.upTo(100) };
    if (roll < 0.75) return { kind: 'unheard', settled, ms: dice.upTo(150) };
    if (roll < 0.8) return { kind: 'frozen', settled, ms: dice.upTo(1_000) };
    if (roll < 0.9) return { kind: 'stopping', settled, ms: dice.upTo(300) };
    return { kind: 'early', ms: dice.upTo(900) };
  });
}

interface Site {
  readonly start: (crash?: NodeJS.ProcessEnv) => Yggd;
  readonly load: Load;
  readonly broker: Mosquitto;
}

/** Starts a daemon and waits for its end; says whether it came to a named point. */
async function carryOut(strike: Strike, { start, load, broker }: Site): Promise<boolean> {
  const before = load.settled;
  const ms = strike.kind === 'point' ? strike.ms : 0;
  const yggd = start('point' in strike ? crashAt(strike.point, strike.count, ms) : undefined);
  if (strike.kind !== 'early') await load.reaches(before + strike.settled, () => yggd.exit !== undefined);
  switch (strike.kind) {
    case 'point':
      break;
    case 'stop-point':
      yggd.kill('SIGTERM');
      await yggd.ended(stopPatience);
      break;
    case 'unheard':
      broker.freeze();
      await sleep(strike.ms);
      break;
    case 'frozen':
      yggd.kill('SIGSTOP');
      await sleep(strike.ms);
      break;
    case 'stopping':
      yggd.kill('SIGTERM');
      await sleep(strike.ms);
      break;
    default:
      await sleep(strike.ms);
  }
  const reached = yggd.exit?.signal === 'SIGKILL';
  await yggd.crash();
  broker.wake();
  return reached;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
