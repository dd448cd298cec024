/**
 * Completion of a program's command line in fish.
 */
import { allCommands, type CommandNode, type OptionNode, type Value } from './program-tree.ts';

export function fishCompletion(program: CommandNode): string {
  const [name = ''] = program.path;
  const commands = allCommands(program);
  const below = commands.slice(1).flatMap(({ path, aliases }) => {
    const above = path.slice(1, -1);
    return [...path.slice(-1), ...aliases].map((each) => quoted([...above, each].join(' ')));
  });
  return `# ${name}: completion for fish.

# Whether the words so far are those of the command that is named.
function __${name}_at
    set -l at
    for word in (commandline -opc)[2..]
        set -l next (string join ' ' -- $at $word)
        contains -- "$next" ${below.join(' ')}
        and set at $next
    end
    test "$at" = "$argv"
end

complete -c ${name} -f
${commands.flatMap((each) => lines(each, name)).join('\n')}
`;
}

function lines(command: CommandNode, name: string): string[] {
  const at = places(command);
  return [
    ...command.commands.flatMap(({ path, aliases, summary }) =>
      [...path.slice(-1), ...aliases].map(
        (each) => `complete -c ${name} -n ${condition(name, at)} -a ${each} -d ${quoted(summary)}`,
      ),
    ),
    ...command.options.map((option) => optionLine(option, name, at)),
    ...command.arguments
      .map(({ value, help }) => ({ words: completes(value), help }))
      .filter(({ words }) => words !== '')
      .map(({ words, help }) => `complete -c ${name} -n ${condition(name, at)}${words} -d ${quoted(help)}`),
  ];
}

/** Ways to write the command, without the program. */
function places({ path, aliases }: CommandNode): readonly string[] {
  const above = path.slice(1, -1);
  const names = path.length === 1 ? [''] : [...path.slice(-1), ...aliases];
  return names.map((each) => [...above, each].join(' '));
}

function condition(name: string, at: readonly string[]): string {
  return `"${at.map((place) => `__${name}_at '${place}'`).join('; or ')}"`;
}

function optionLine(
  { names, placeholder, optional, value, help }: OptionNode,
  name: string,
  at: readonly string[],
) {
  const flags = names.map((each) =>
    each.startsWith('--') ? ` -l ${each.slice(2)}` : ` -s ${each.slice(1)}`,
  );
  // -x: needs a value, and no file will do.
  const needs = value?.kind === 'file' ? ' -r' : ' -x';
  const takes = placeholder === '' ? '' : `${optional ? '' : needs}${completes(value)}`;
  return `complete -c ${name} -n ${condition(name, at)}${flags.join('')}${takes} -d ${quoted(help)}`;
}

function completes(value: Value | undefined): string {
  switch (value?.kind) {
    case 'words':
      return ` -a ${quoted(value.words.join(' '))}`;
    case 'file':
      return ' -F';
    case 'directory':
      return " -a '(__fish_complete_directories)'";
    default:
      return '';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
