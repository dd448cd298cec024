/**
 * The command line of the daemon, made from the option table.
 */
import { Command, Option } from 'commander';
import {
  defaultText,
  keysWithoutEffect,
  type OptionSpec,
  optionFields,
  optionName,
  optionTable,
} from './table.ts';

/** What the command line asks for beside the options. */
export type DaemonAction = 'run' | 'check' | 'example' | 'markdown' | 'config-page';

export interface CommandLine {
  readonly action: DaemonAction;
  /** `--config`. */
  readonly file: string | undefined;
  /** Values of option flags by name; a flag given twice has two. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
}

const actions: ReadonlyArray<readonly [flag: string, action: DaemonAction, help: string | undefined]> = [
  ['--check-config', 'check', 'Say whether the configuration is fit for use, and end'],
  ['--generate-config', 'example', undefined],
  ['--generate-markdown', 'markdown', undefined],
  ['--generate-config-page', 'config-page', undefined],
];

/** What the command line takes. */
export function daemonCommand(version: string): Command {
  const command = new Command('yggd')
    .description('Takes messages from an MQTT broker, hands each to a local worker, sends the answers back.')
    .usage('[options]')
    .version(version, '--version', 'Print the version, and end')
    .helpOption('--help', 'Print this help, and end')
    .allowExcessArguments(false)
    .exitOverride();
  command.addOption(
    new Option('--config <FILE>', 'Read the configuration from FILE (default: /etc/yggdrasil/config.toml)'),
  );
  for (const [flag, , help] of actions) {
    command.addOption(help === undefined ? new Option(flag).hideHelp() : new Option(flag, help));
  }
  for (const flag of flagsOfTable()) command.addOption(flag);
  return command;
}

/**
 * Reads the words after the program's name. Throws commander's `CommanderError`, whose `exitCode` is 0 after help or
 * version were printed.
 */
export function readCommandLine(words: readonly string[], version: string): CommandLine {
  const command = daemonCommand(version);
  command.parse(words, { from: 'user' });

  const given = command.opts<Record<string, unknown>>();
  const flags: Record<string, readonly string[]> = {};
  for (const flag of flagsOfTable()) {
    const values = given[flag.attributeName()];
    // A switch without a value is `true`.
    if (values !== undefined) flags[flag.long?.slice(2) ?? ''] = Array.isArray(values) ? values : ['true'];
  }
  const asked = actions.find(([flag]) => given[new Option(flag).attributeName()] === true);
  const file = given['config'];
  return { action: asked?.[1] ?? 'run', file: typeof file === 'string' ? file : undefined, flags };
}

function* flagsOfTable(): Iterable<Option> {
  let section: string | undefined;
  for (const field of optionFields) {
    const spec: OptionSpec<unknown> = optionTable[field];
    section = spec.section ?? section;
    const repeated = spec.kind.repeatable ? 'may be repeated; ' : '';
    const option = flagOf(optionName(field), spec, `${spec.help} (${repeated}default: ${defaultText(spec)})`);
    yield section === undefined ? option : option.helpGroup(`${section}:`);
    for (const alias of spec.aliases ?? []) yield flagOf(alias, spec, '').hideHelp();
  }
  for (const name of keysWithoutEffect.keys()) {
    yield collecting(new Option(`--${name} [VALUE]`)).hideHelp();
  }
}

function flagOf(name: string, { kind }: OptionSpec<unknown>, help: string): Option {
  const option =
    kind.placeholder === 'BOOL'
      ? new Option(`--${name} [BOOL]`, help)
      : new Option(`--${name} <${kind.placeholder}>`, help);
  if (kind.choices) option.choices(kind.choices);
  return collecting(option);
}

/** Values stay texts; the kind of the option reads them. */
function collecting(option: Option): Option {
  return option.argParser<string[]>((value, before) => [...(before ?? []), value]);
}
