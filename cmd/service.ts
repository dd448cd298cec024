/**
 * Runs a daemon from its start to its end, as the signals of the process say.
 *
 * SIGTERM and SIGINT stop it; another one, at least a second after the first, forces it (a terminal and npm deliver
 * one Ctrl-C twice). SIGHUP reads again what may change. A stop that takes longer than it may is forced too, and one
 * that cannot even be forced is left.
 */
import type { Clock, Timer } from '../src/base/clock.ts';
import { codeOf, exitOf, reasonOf } from '../src/base/errors.ts';
import type { Logger } from '../src/base/log.ts';
import type { Notifier } from '../src/host/notify.ts';

/** The part of a daemon that is needed here. */
export interface Service {
  /** Resolves when everything runs; rejects when it could not be started, or was stopped before. */
  start(): Promise<void>;
  /** Drains and stops; also during a start. */
  stop(): Promise<void>;
  /** Cuts a stop short. */
  force(): Promise<void>;
  /** Reads again what may change, and returns to the broker. */
  reload(): Promise<void> | void;
}

export interface ServiceDeps {
  readonly service: Service;
  readonly signals: SignalSource;
  readonly notifier: Pick<Notifier, 'ready' | 'reloading' | 'stopping'>;
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  readonly log: Logger;
  /** Milliseconds a stop may take; read when it begins. */
  readonly stopTimeout: number;
}

/** The part of `process` that is needed here; one listener for each signal. */
export interface SignalSource {
  on(signal: ServiceSignal, listener: () => void): unknown;
  off(signal: ServiceSignal, listener: () => void): unknown;
}

export type ServiceSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

/** Milliseconds in which a second signal is the first one again. */
const sameSignal = 1_000;
/** Milliseconds a forced stop may take. */
const forceTimeout = 2_000;

/** Runs it to its end; resolves with the exit status. */
export function runService(deps: ServiceDeps): Promise<number> {
  const { service, signals, notifier, clock, log } = deps;
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    let forced = false;
    let timer: Timer | undefined;

    function end(status: number): void {
      timer?.cancel();
      signals.off('SIGTERM', onStop);
      signals.off('SIGINT', onStop);
      signals.off('SIGHUP', onReload);
      resolve(status);
    }

    function onStop(): void {
      const now = clock.monotonic();
      if (askedAt !== undefined) {
        if (now - askedAt >= sameSignal) force('a second signal');
        return;
      }
      askedAt = now;
      log.info({}, 'stopping');
      void notifier.stopping();
      const { stopTimeout } = deps;
      timer = clock.after(stopTimeout, () => force(`it takes longer than ${stopTimeout} ms`));
      service.stop().then(
        () => end(forced ? 1 : 0),
        (error: unknown) => end(statusOf(error, log)),
      );
    }

    function force(why: string): void {
      if (forced) return;
      forced = true;
      log.warn({ reason: why }, 'the stop is forced');
      timer?.cancel();
      timer = clock.after(forceTimeout, () => {
        log.error({}, 'the forced stop does not end either, everything is left as it is');
        end(1);
      });
      service.force().then(
        () => end(1),
        (error: unknown) => end(statusOf(error, log)),
      );
    }

    /** During the start, once it is over: what was read at its beginning may have changed since. */
    function onReload(): void {
      log.info({}, 'reloading');
      // A start that failed ends with its own words.
      started.then(reload, () => {});
    }

    async function reload(): Promise<void> {
      if (askedAt === undefined) void notifier.reloading();
      try {
        await service.reload();
      } catch (error) {
        log.error({ error: reasonOf(error) }, 'not reloaded');
      }
      if (askedAt === undefined) void notifier.ready();
    }

    signals.on('SIGTERM', onStop);
    signals.on('SIGINT', onStop);
    signals.on('SIGHUP', onReload);
    const started = service.start();
    started.then(
      () => {
        if (askedAt === undefined) void notifier.ready();
      },
      (error: unknown) => {
        // A start that was stopped ends with the stop.
        if (askedAt === undefined) end(statusOf(error, log));
      },
    );
  });
}

/** Says what ended the daemon; the exit status for it. */
function statusOf(error: unknown, log: Logger): number {
  log.error({ code: codeOf(error), error: reasonOf(error) }, 'yggd ends');
  return exitOf(error);
}
