/**
 * What a program takes, read from its commander commands: the source of manual pages and completions.
 */
import type { Argument, Command, Help, Option } from 'commander';

/** What may stand in a place: one of some words, a file, a directory, or anything. */
export type Value =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' | 'directory' | 'any' };

export interface OptionNode {
  /** `-u` and `--username`, the long one last. */
  readonly names: readonly string[];
  /** As it is written after the name; empty: it takes no value. */
  readonly placeholder: string;
  /** Its value may be left out. */
  readonly optional: boolean;
  readonly value: Value | undefined;
  readonly help: string;
  /** Heading above it, or empty. */
  readonly group: string;
}

export interface ArgumentNode {
  /** `<id...>`. */
  readonly term: string;
  readonly value: Value;
  readonly help: string;
}

export interface CommandNode {
  /** From the program on: `['yggctl', 'workers', 'list']`. */
  readonly path: readonly string[];
  readonly aliases: readonly string[];
  /** Heading above it, or empty. */
  readonly group: string;
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
}

/** What its help shows; what is hidden there is hidden here. */
export function programTree(command: Command, above: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  const path = [...above, command.name()];
  return {
    path,
    aliases: command.aliases(),
    group: (command.helpGroup() ?? '').replace(/:$/, ''),
    summary: help.subcommandDescription(command),
    description: command.description() || help.subcommandDescription(command),
    options: help.visibleOptions(command).map((option) => optionNode(option, helpOf(option, help))),
    arguments: command.registeredArguments.map(argumentNode),
    commands: help
      .visibleCommands(command)
      .filter((each) => each.name() !== 'help')
      .map((each) => programTree(each, path)),
  };
}

/** It and all below it, in the order of the help. */
export function allCommands(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}

/** Without the default of a switch, which is that nobody sets it. */
function helpOf(option: Option, help: Help): string {
  return help.optionDescription(option).replace(/ \(default: false\)$/, '');
}

function optionNode(option: Option, help: string): OptionNode {
  const placeholder = /[<[]([^\]>]+)[\]>]/.exec(option.flags)?.[1] ?? '';
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    placeholder,
    optional: option.optional,
    value: placeholder === '' ? undefined : valueNamed(placeholder, option.argChoices),
    help,
    group: (option.helpGroupHeading ?? '').replace(/:$/, ''),
  };
}

function argumentNode(argument: Argument): ArgumentNode {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return {
    term: argument.required ? `<${name}>` : `[${name}]`,
    value: valueNamed(argument.name(), argument.argChoices),
    help: argument.description,
  };
}

function valueNamed(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: 'words', words: choices };
  switch (placeholder.toLowerCase()) {
    case 'bool':
      return { kind: 'words', words: ['true', 'false'] };
    case 'file':
    case 'socket':
      return { kind: 'file' };
    case 'dir':
      return { kind: 'directory' };
    default:
      return { kind: 'any' };
  }
}
