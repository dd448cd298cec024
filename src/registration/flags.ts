/**
 * The options that several commands of ygg have, and how they are read.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Format } from '../base/printer.ts';

export interface FlagReaders {
  /** Milliseconds of `10s`, or `undefined`. */
  parseDuration(text: string): number | undefined;
}

export interface CommonFlags {
  readonly format: Format;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Which daemon is meant. */
export interface DaemonFlags {
  readonly runtimeDir?: string;
  readonly config?: string;
}

/** `usual` is the time an answer may take unless somebody says otherwise. */
export function addCommon(command: Command, { parseDuration }: FlagReaders, usual: string): Command {
  return addFormat(command).addOption(
    new Option(
      '--timeout <duration>',
      'how long each answer may take, and a third of what a start or stop may',
    )
      .argParser((text) => parseDuration(text) ?? refuseDuration(text))
      .default(parseDuration(usual), usual),
  );
}

export function addFormat(command: Command): Command {
  return command.addOption(
    new Option('--format <format>', 'for people or for programs').choices(['text', 'json']).default('text'),
  );
}

function refuseDuration(text: string): never {
  throw new InvalidArgumentError(`"${text}" is not a duration such as "500ms", "10s" or "5m".`);
}

export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
