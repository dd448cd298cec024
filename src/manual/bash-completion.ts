/**
 * Completion of a program's command line in bash. The script needs nothing beside bash itself.
 */
import { allCommands, type CommandNode, type OptionNode, type Value } from './program-tree.ts';

export function bashCompletion(program: CommandNode): string {
  const [name = ''] = program.path;
  const commands = allCommands(program);
  return `# ${name}: completion for bash.

# How the value of option $2 is completed after the command $1; fails when there is none.
_${name}_value() {
    case "$1 $2" in
${valueArms(commands)}
        *) return 1 ;;
    esac
}

_${name}() {
    local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} at=${name} kind= index
    COMPREPLY=()
    # bash takes --option=value for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=\${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        if _${name}_value "$at" "\${COMP_WORDS[index]}"; then
            [[ \${COMP_WORDS[index + 1]} == = ]] && ((index += 1))
            ((index += 1))
            continue
        fi
        case "$at \${COMP_WORDS[index]}" in
${commandArms(commands)}
        esac
    done
    kind=
    if _${name}_value "$at" "$before"; then
        :
    elif [[ $current == -* ]]; then
        case "$at" in
${optionArms(commands)}
        esac
    else
        case "$at" in
${wordArms(commands)}
        esac
    fi
    case "$kind" in
        file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$current") ;;
    esac
}

complete -F _${name} ${name}
`;
}

function valueArms(commands: readonly CommandNode[]): string {
  return arms(
    commands.flatMap(({ path, options }) =>
      options.filter(takesValue).flatMap(({ names, value }) => {
        const places = names.map((option) => quoted(`${path.join(' ')} ${option}`));
        return [`${places.join(' | ')}) kind=${quoted(wordsOf(value))} ;;`];
      }),
    ),
  );
}

function commandArms(commands: readonly CommandNode[]): string {
  return arms(
    commands.slice(1).map(({ path, aliases }) => {
      const above = path.slice(0, -1).join(' ');
      const names = [...path.slice(-1), ...aliases].map((each) => quoted(`${above} ${each}`));
      return `${names.join(' | ')}) at=${quoted(path.join(' '))} ;;`;
    }),
  );
}

function optionArms(commands: readonly CommandNode[]): string {
  return arms(
    commands.map(({ path, options }) => {
      const names = options.flatMap((option) => option.names);
      return `${quoted(path.join(' '))}) kind=${quoted(names.join(' '))} ;;`;
    }),
  );
}

/** Commands below, or what the arguments may be. */
function wordArms(commands: readonly CommandNode[]): string {
  return arms(
    commands.flatMap(({ path, commands: below, arguments: words }) => {
      const names = below.flatMap((each) => [...each.path.slice(-1), ...each.aliases]);
      const kind = names.join(' ') || words.map(({ value }) => wordsOf(value)).find((each) => each !== '');
      return kind ? [`${quoted(path.join(' '))}) kind=${quoted(kind)} ;;`] : [];
    }),
  );
}

function takesValue({ placeholder, optional }: OptionNode): boolean {
  return placeholder !== '' && !optional;
}

function wordsOf(value: Value | undefined): string {
  if (value?.kind === 'words') return value.words.join(' ');
  return value === undefined || value.kind === 'any' ? '' : value.kind;
}

function arms(lines: readonly string[]): string {
  return (lines.length > 0 ? lines : ['*) ;;']).map((line) => `            ${line}`).join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
