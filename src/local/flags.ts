/**
 * The options and arguments that several local commands have, and how they are read.
 */
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import type { Clock } from '../base/clock.ts';
import type { LogLevel } from '../base/log.ts';
import { logLevels } from '../base/logger.ts';
import type { Format } from '../base/printer.ts';
import { type MessageKey, type MessageQuery, mostListed } from '../control-api.ts';
import { type MessageState, messageStates } from '../journal/message-record.ts';
import type { DaemonPlace } from './daemon-door.ts';

export interface FlagReaders {
  /** Milliseconds of `10s`, or `undefined`. */
  parseDuration(text: string): number | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

export interface CommonFlags extends DaemonPlace {
  /** Milliseconds. */
  readonly timeout: number;
  readonly format: Format;
}

export interface ListFlags extends CommonFlags {
  readonly directive?: string;
  readonly state?: readonly MessageState[];
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  readonly limit: number;
}

export interface ShowFlags extends CommonFlags {
  readonly content: boolean;
}

export interface DispatchFlags extends CommonFlags {
  readonly metadata?: readonly string[];
  readonly wait: boolean;
}

export interface RestartFlags extends CommonFlags {
  readonly whenIdle: boolean;
  /** Milliseconds. */
  readonly idleFor: number;
  readonly within: number;
}

export function addCommon(command: Command, deps: FlagReaders): Command {
  return command
    .option('--runtime-dir <dir>', 'runtime directory of the daemon')
    .option('--config <file>', 'configuration file of the daemon')
    .addOption(
      spanOption(
        '--timeout',
        'how long to wait for the daemon, and for the end of a dispatched message',
        deps,
      ).default(10_000, '10s'),
    )
    .addOption(
      new Option('--format <format>', 'for people or for programs').choices(['text', 'json']).default('text'),
    );
}

/** Takes a duration, in milliseconds. */
export function spanOption(name: string, help: string, { parseDuration }: FlagReaders): Option {
  return new Option(`${name} <duration>`, help).argParser(
    (text) => parseDuration(text) ?? refuseDuration(text),
  );
}

/** For what works without a running daemon too. */
export function addPlace(command: Command, deps: FlagReaders): Command {
  return addCommon(command, deps).option('--state-dir <dir>', 'state directory of a daemon that is stopped');
}

export function addFilters(command: Command, deps: FlagReaders): Command {
  const time = (text: string): number => timeOf(text, deps);
  return addPlace(command, deps)
    .option('--directive <directive>', 'only for this directive')
    .option('--since <time>', 'queued since then: 10m ago, or 2026-11-20T10:00:00Z', time)
    .option('--until <time>', 'queued before then', time)
    .addOption(
      new Option('--limit <number>', `at most so many, up to ${mostListed}`)
        .argParser(limitOf)
        .default(mostListed),
    );
}

export function stateOption(): Option {
  return new Option('--state <state>', 'only in this state; may be repeated')
    .choices(messageStates)
    .argParser((text, previous: readonly MessageState[] | undefined) => [...(previous ?? []), stateOf(text)]);
}

export function queryOf({
  directive = '',
  state = [],
  since = 0,
  until = 0,
  limit,
}: ListFlags): MessageQuery {
  return { directive, states: state, since, until, limit };
}

/** A number of the list, or a message id. */
export function keyOf(text: string): MessageKey {
  return /^[0-9]{1,15}$/.test(text)
    ? { sequence: Number(text), messageId: '' }
    : { sequence: 0, messageId: text };
}

function timeOf(text: string, { parseDuration, clock }: FlagReaders): number {
  const span = parseDuration(text);
  if (span !== undefined) return clock.now() - span;
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new InvalidArgumentError(
    `"${text}" is neither a time such as 2026-11-20T10:00:00Z nor a span such as 10m.`,
  );
}

function limitOf(text: string): number {
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= mostListed) return limit;
  throw new InvalidArgumentError(`"${text}" is not a number from 1 to ${mostListed}.`);
}

function stateOf(text: string): MessageState {
  const known = messageStates.find((state) => state === text);
  if (known) return known;
  throw new InvalidArgumentError(`Allowed choices are ${messageStates.join(', ')}.`);
}

export function levelArgument(): Argument {
  return new Argument('<level>', 'how much is logged').choices(logLevels).argParser(levelOf);
}

function levelOf(text: string): LogLevel {
  const known = logLevels.find((level) => level === text.toLowerCase());
  if (known) return known;
  throw new InvalidArgumentError(`Allowed choices are ${logLevels.join(', ')}.`);
}

export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function refuseDuration(text: string): never {
  throw new InvalidArgumentError(`"${text}" is not a duration such as "500ms", "10s" or "5m".`);
}
