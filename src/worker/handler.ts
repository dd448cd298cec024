/**
 * One handler of a worker: what its author says of it, and what that comes to.
 */
import { YggError } from '../base/errors.ts';
import { type Commands, commandHandler, type EventDefinitions } from './commands.ts';
import type { Metadata, Redelivery } from './frames.ts';
import type { Job } from './job.ts';
import type { Message } from './message.ts';
import { featuresOf, type Offer } from './offer.ts';

/**
 * Takes one message. What it returns, or resolves to, is the answer: bytes as they are, `undefined` none, anything
 * else as JSON. What it throws is the message's failure.
 */
export type OnMessage = (message: Message, job: Job) => unknown;

export interface HandlerSettings {
  /**
   * `until-accepted` (default): no message is run twice; one that was in hand when worker or daemon died is reported.
   * `until-done`: run again until it has an outcome. The worker's own TOML wins.
   */
  readonly redelivery?: Redelivery;
  /** Messages it works on at a time (1). The worker's own TOML wins. */
  readonly concurrency?: number;
  /** Milliseconds one run may take; the job's signal is aborted then, and the message has failed. */
  readonly timeout?: number;
  /** Further runs of a message whose handler threw (0). */
  readonly retries?: number;
  /** True: content is to be the body of a GET on the URL the message carries. */
  readonly detached?: boolean;
  /**
   * True: does nothing that must not be repeated before `job.accept()` has resolved, so that a message it had not
   * accepted when it died is delivered again.
   */
  readonly accepts?: boolean;
  /** True: content over 256 KiB is not read into memory, it is there as `message.stream()`. */
  readonly streaming?: boolean;
  /** Told to the server as they are, beside what the worker offers. */
  readonly features?: Metadata;
}

/** Takes messages as they are, or as commands. */
export type HandlerOptions = HandlerSettings &
  (
    | { readonly onMessage: OnMessage; readonly commands?: undefined }
    | {
        /** By name, each made by `command(...)`. */
        readonly commands: Commands;
        readonly onMessage?: undefined;
      }
  );

/** A handler with everything said. */
export interface Handler extends Required<Omit<HandlerSettings, 'timeout'>> {
  readonly name: string;
  readonly onMessage: OnMessage;
  readonly timeout: number | undefined;
  readonly offer: Offer;
  /** What it throws is answered as an event, and is no failure of the message. */
  readonly answersFailures: boolean;
}

/** What holds for all handlers of a worker. */
export interface WorkerOffer {
  readonly help?: string;
  readonly events?: EventDefinitions;
}

/** @throws YggError `YGG_HANDLER_INVALID`, `YGG_USAGE` */
export function handlerOf(
  name: string,
  options: HandlerOptions,
  { help, events }: WorkerOffer = {},
): Handler {
  if (!/^[\w.-]{1,128}$/.test(name)) {
    throw new YggError(
      'YGG_HANDLER_INVALID',
      `${JSON.stringify(name)} is no handler: letters, digits, dot, underscore and hyphen, at most 128.`,
    );
  }
  const { concurrency = 1, retries = 0, timeout } = options;
  checkCount(name, 'concurrency', concurrency, 1);
  checkCount(name, 'retries', retries, 0);
  if (timeout !== undefined) checkCount(name, 'timeout', timeout, 1);
  const { commands } = options;
  const offer = { help, events, commands };
  return {
    name,
    onMessage: options.commands ? commandHandler(options.commands) : options.onMessage,
    offer,
    answersFailures: commands !== undefined,
    redelivery: options.redelivery ?? 'until-accepted',
    concurrency,
    timeout,
    retries,
    detached: options.detached ?? false,
    accepts: options.accepts ?? false,
    streaming: options.streaming ?? false,
    features: { ...featuresOf(offer), ...options.features },
  };
}

function checkCount(handler: string, option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new YggError(
    'YGG_USAGE',
    `${option} of the handler ${handler} is ${value}: give a whole number from ${least} up.`,
  );
}
