/**
 * The manual page of a program, for man(1).
 */
import { bold, italic, roff, roffArgument } from '../base/roff.ts';
import { particularsOf } from './particulars.ts';
import { allCommands, type CommandNode, type OptionNode } from './program-tree.ts';

/** Options that this many commands of a group have in common are explained once. */
const shared = 3;

export function manPage(program: CommandNode, version: string): string {
  const [name = ''] = program.path;
  const { section, title, exit, more } = particularsOf(name);
  const parts = [
    `.TH ${roffArgument(name.toUpperCase())} ${section} "" ${roffArgument(`yggd ${version}`)}`,
    `.SH NAME\n${roff(name)} \\- ${roff(title)}`,
    `.SH SYNOPSIS\n${synopsis(program)}`,
    `.SH DESCRIPTION\n${roff(program.description)}`,
    `.SH OPTIONS\n${underHeadings(program.options)}`,
    ...groupsOf(program).map(groupText),
    `.SH EXIT STATUS\n${exit.map(([status, what]) => `.TP\n${bold(status)}\n${roff(what)}`).join('\n')}`,
    ...more.map(({ heading, text }) => `.SH ${roffArgument(heading)}\n${text.map(roff).join('\n.br\n')}`),
  ];
  return `${parts.join('\n')}\n`;
}

/** Commands that stand together in the help. */
interface Group {
  readonly heading: string;
  readonly commands: readonly CommandNode[];
}

function groupsOf({ commands }: CommandNode): readonly Group[] {
  const groups = new Map<string, CommandNode[]>();
  for (const command of commands) {
    const leaves = allCommands(command).filter((each) => each.commands.length === 0);
    groups.set(command.group, [...(groups.get(command.group) ?? []), ...leaves]);
  }
  return [...groups].map(([heading, leaves]) => ({ heading: heading || 'Commands', commands: leaves }));
}

function groupText({ heading, commands }: Group): string {
  const common = commonOptions(commands);
  return [
    `.SH ${roffArgument(heading.toUpperCase())}`,
    ...(common.length > 0 ? ['.SS Options of most of these commands', ...common.map(optionText)] : []),
    ...commands.map((each) => commandText(each, common)),
  ].join('\n');
}

function commandText(command: CommandNode, common: readonly OptionNode[]): string {
  const own = command.options.filter((option) => !isHelp(option) && !among(common, option));
  const also = command.options.filter((option) => among(common, option)).map(longName);
  const aliases =
    command.aliases.length > 0 ? [`.PP\nAlso called ${command.aliases.map(bold).join(', ')}.`] : [];
  return [
    `.SS ${roffArgument(command.path.slice(1).join(' '))}`,
    synopsis(command),
    `.PP\n${roff(sentence(command.description))}`,
    ...aliases,
    ...command.arguments
      .filter(({ help }) => help !== '')
      .map(({ term, help }) => `.TP\n${italic(term)}\n${roff(sentence(help))}`),
    ...own.map(optionText),
    ...(also.length > 0 ? [`.PP\nTakes ${also.map(bold).join(', ')} too.`] : []),
  ].join('\n');
}

function synopsis({ path, arguments: words, commands }: CommandNode): string {
  const takes = [
    italic('[options]'),
    ...(commands.length > 0 ? [italic('<command>')] : words.map(({ term }) => italic(term))),
  ];
  return `${bold(path.join(' '))} ${takes.join(' ')}`;
}

function underHeadings(options: readonly OptionNode[]): string {
  let group = '';
  return options
    .map((option) => {
      const heading = option.group !== group ? `.SS ${roffArgument(option.group || 'General')}\n` : '';
      group = option.group;
      return heading + optionText(option);
    })
    .join('\n');
}

function optionText(option: OptionNode): string {
  const { names, placeholder, optional, help } = option;
  const value = placeholder === '' ? '' : ` ${italic(optional ? `[${placeholder}]` : placeholder)}`;
  return `.TP\n${names.map(bold).join(', ')}${value}\n${roff(sentence(help))}`;
}

function commonOptions(commands: readonly CommandNode[]): readonly OptionNode[] {
  const seen = new Map<string, { readonly option: OptionNode; count: number }>();
  for (const option of commands.flatMap(({ options }) => options)) {
    if (isHelp(option)) continue;
    const key = JSON.stringify(option);
    const entry = seen.get(key) ?? { option, count: 0 };
    entry.count += 1;
    seen.set(key, entry);
  }
  return [...seen.values()].filter(({ count }) => count >= shared).map(({ option }) => option);
}

function among(options: readonly OptionNode[], one: OptionNode): boolean {
  return options.some((option) => JSON.stringify(option) === JSON.stringify(one));
}

function isHelp({ names }: OptionNode): boolean {
  return names.includes('--help');
}

function longName({ names }: OptionNode): string {
  return names.at(-1) ?? '';
}

/** With a capital and a full stop. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?:]$/.test(whole) ? whole : `${whole}.`;
}
