/**
 * Starts the parts in order and stops them in stages.
 *
 * Owns the order, the deadlines and the gathering of errors; knows nothing of what the parts do.
 */
import { setMaxListeners } from 'node:events';
import { within } from './base/deadline.ts';
import { reasonOf, YggError } from './base/errors.ts';
import type { Logger } from './base/log.ts';

/**
 * The stages of stopping, in order. The flow of messages is a circle, so no part can be emptied before the others;
 * every part is asked at every stage instead.
 *
 * - `quiet`: no intake, no admission, no new hand-over.
 * - `finish`: what workers have in hand is waited for.
 * - `workers`: workers are stopped; what they still send is taken.
 * - `goodbye`: the outbox is emptied, offline is said, the broker is left.
 */
const drainStages = ['quiet', 'finish', 'workers', 'goodbye'] as const;

export type DrainStage = (typeof drainStages)[number];

export interface Part {
  readonly name: string;
  /** Acquires what the part needs. On a failure everything acquired so far must be released before it throws. */
  init(abort: AbortSignal): Promise<void> | void;
  /** Called once every part is initialised. */
  run?(): Promise<void> | void;
  /** Does its share of one stage; `abort` fires when the stage's time is over. */
  drain?(stage: DrainStage, abort: AbortSignal): Promise<void> | void;
  /** Releases everything. Called once, also after a drain that ran out of time. */
  stop(abort: AbortSignal): Promise<void> | void;
}

/** What is there before the start, and is let go of after every part, also when nothing was ever started. */
export type Holding = Pick<Part, 'name' | 'stop'>;

export interface LifecycleOptions {
  readonly parts: readonly Part[];
  /** In the order in which it was acquired. */
  readonly held?: readonly Holding[];
  readonly log: Logger;
  /** Milliseconds each `init` and each `run` may take. */
  readonly startDeadline?: number;
  /** Milliseconds each stage may take. */
  readonly stageDeadlines?: Partial<Record<DrainStage, number>>;
  /** Milliseconds each `stop` may take. */
  readonly stopDeadline?: number;
}

export interface Lifecycle {
  /**
   * Starts every part in order; when one fails, those before it are stopped in reverse, what is held is let go of, and
   * it throws `YGG_START`. Throws `YGG_CLOSED` when it is stopped before it is through.
   */
  start(): Promise<void>;
  /**
   * Drains and stops; throws `YGG_STOP` naming every part that failed. Later calls wait for the first. A start under
   * way goes no further than the step it is at.
   */
  stop(): Promise<void>;
  /** Cuts every wait of a stop under way, or stops without draining. */
  force(): Promise<void>;
}

const defaultStages: Record<DrainStage, number> = {
  quiet: 2_000,
  finish: 5_000,
  workers: 11_000,
  goodbye: 3_000,
};

/** Milliseconds a part may take to give up a stage whose time is over. */
const giveUp = 500;

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { parts, log, startDeadline = 30_000, stopDeadline = 5_000 } = options;
  const stages = { ...defaultStages, ...options.stageDeadlines };
  const started: Array<Holding & Pick<Part, 'drain'>> = [...(options.held ?? [])];
  const forced = new AbortController();
  // All parts wait for it at the same time, however many there are.
  setMaxListeners(0, forced.signal);
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  /** A stop takes over between two steps: what is started by then is drained and stopped, and nothing more starts. */
  function checkAsked(): void {
    if (stopping) throw new YggError('YGG_CLOSED', 'Stopped before everything was started.');
  }

  async function startOnce(): Promise<void> {
    let step = '';
    try {
      for (const part of parts) {
        checkAsked();
        step = `${part.name}: init`;
        await within({ step, ms: startDeadline, abort: forced.signal }, (abort) => part.init(abort));
        started.push(part);
      }
      for (const part of parts) {
        checkAsked();
        step = `${part.name}: run`;
        await within({ step, ms: startDeadline, abort: forced.signal }, () => part.run?.());
      }
    } catch (error) {
      // A stop under way drains and stops the parts itself.
      const failures = stopping ? [] : await stopParts();
      for (const failure of failures)
        log.error({ error: failure }, 'a part did not stop after a failed start');
      if (error instanceof YggError && error.code !== 'YGG_DEADLINE') throw error;
      throw new YggError('YGG_START', `${step} failed: ${reasonOf(error)}`, { cause: error });
    }
  }

  /**
   * One stage of every part. A part that gives up when its time is over has done its share, whatever is left; one
   * that goes on after that is a failure.
   */
  async function drain(stage: DrainStage): Promise<string[]> {
    const overtime = new AbortController();
    const timer = setTimeout(() => overtime.abort(), stages[stage]);
    const abort = AbortSignal.any([overtime.signal, forced.signal]);
    setMaxListeners(0, abort);
    const outcomes = await Promise.allSettled(
      started.map((part) =>
        within({ step: `${part.name}: ${stage}`, ms: stages[stage] + giveUp, abort: forced.signal }, () =>
          part.drain?.(stage, abort),
        ),
      ),
    );
    clearTimeout(timer);
    if (overtime.signal.aborted)
      log.warn({ stage, ms: stages[stage] }, 'a stage of the stop ran out of time');
    return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [reasonOf(outcome.reason)] : []));
  }

  async function stopParts(): Promise<string[]> {
    const failures: string[] = [];
    for (const part of started.splice(0).reverse()) {
      try {
        await within({ step: `${part.name}: stop`, ms: stopDeadline }, (abort) => part.stop(abort));
      } catch (error) {
        failures.push(reasonOf(error));
      }
    }
    return failures;
  }

  async function stopOnce(): Promise<void> {
    // Its error is the starter's affair.
    await starting?.catch(() => {});
    const failures: string[] = [];
    for (const stage of drainStages) {
      if (forced.signal.aborted) break;
      const begun = performance.now();
      failures.push(...(await drain(stage)));
      log.debug({ stage, ms: Math.round(performance.now() - begun) }, 'stop stage over');
    }
    failures.push(...(await stopParts()));
    if (failures.length > 0 && !forced.signal.aborted) {
      throw new YggError('YGG_STOP', `Not stopped cleanly: ${failures.join('; ')}.`);
    }
  }

  function stop(): Promise<void> {
    stopping ??= stopOnce();
    return stopping;
  }

  return {
    start() {
      starting ??= startOnce();
      return starting;
    },
    stop,
    force() {
      forced.abort();
      return stop();
    },
  };
}
