/**
 * Completion of a program's command line in zsh.
 */
import {
  type ArgumentNode,
  allCommands,
  type CommandNode,
  type OptionNode,
  type Value,
} from './program-tree.ts';

export function zshCompletion(program: CommandNode): string {
  const [name = ''] = program.path;
  const functions = allCommands(program).map((each) =>
    each.commands.length > 0 ? branch(each) : leaf(each),
  );
  return `#compdef ${name}
# ${name}: completion for zsh.

${functions.join('\n')}
if [[ $funcstack[1] == _${name} ]]; then
    _${name} "$@"
else
    compdef _${name} ${name}
fi
`;
}

function leaf(command: CommandNode): string {
  const specs = [...command.options.map(optionSpec), ...command.arguments.map(argumentSpec)];
  return `${functionName(command)}() {
    _arguments -s${specs.map((spec) => ` \\\n        ${spec}`).join('')}
}
`;
}

function branch(command: CommandNode): string {
  const described = command.commands.map(
    ({ path, summary }) => `        ${quoted(`${path.at(-1)}:${summary}`)}`,
  );
  const arms = command.commands.map((each) => {
    const names = [...each.path.slice(-1), ...each.aliases];
    return `        ${names.join('|')}) ${functionName(each)} ;;`;
  });
  return `${functionName(command)}() {
    local context state state_descr line
    typeset -A opt_args
    local -a commands
    commands=(
${described.join('\n')}
    )
    _arguments -C${command.options.map((option) => ` \\\n        ${optionSpec(option)}`).join('')} \\
        '1: :->command' \\
        '*:: :->rest'
    case $state in
    command) _describe -t commands command commands ;;
    rest)
        case $line[1] in
${arms.join('\n')}
        esac
        ;;
    esac
}
`;
}

function functionName({ path }: CommandNode): string {
  return `_${path.join('_').replaceAll('-', '_')}`;
}

/** An option excludes none: some may be repeated, and the program says which may not. */
function optionSpec({ names, placeholder, optional, value, help }: OptionNode): string {
  const short = names.length > 1 ? `{${names.join(',')}}` : '';
  const text = `[${escaped(help)}]`;
  const argument =
    placeholder === '' ? '' : `${optional ? '::' : ':'}${escaped(placeholder)}:${action(value)}`;
  return short === ''
    ? quoted(`*${names[0] ?? ''}${text}${argument}`)
    : `'*'${short}${quoted(`${text}${argument}`)}`;
}

function argumentSpec({ term, value, help }: ArgumentNode): string {
  const repeated = term.includes('...') ? '*' : '';
  const optional = term.startsWith('[') ? ':' : '';
  return quoted(`${repeated}:${optional}${escaped(help || term)}:${action(value)}`);
}

function action(value: Value | undefined): string {
  switch (value?.kind) {
    case 'words':
      return `(${value.words.join(' ')})`;
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    default:
      return ' ';
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replace(/[[\]:]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
