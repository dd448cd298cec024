/**
 * What a program can print about itself, beside its help: its manual page, and completions for shells.
 */
import type { Command } from 'commander';
import { YggError } from '../base/errors.ts';
import { bashCompletion } from './bash-completion.ts';
import { fishCompletion } from './fish-completion.ts';
import { manPage } from './man-page.ts';
import { type CommandNode, programTree } from './program-tree.ts';
import { zshCompletion } from './zsh-completion.ts';

const completions: Readonly<Record<string, (program: CommandNode) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** What `words` ask for; `undefined` when it is something else. Throws `YGG_USAGE`. */
export function reference(command: Command, words: readonly string[], version: string): string | undefined {
  const [flag, shell = ''] = words;
  if (flag === '--generate-man-page') return manPage(programTree(command), version);
  if (flag !== '--generate-completion') return undefined;
  const write = Object.hasOwn(completions, shell) ? completions[shell] : undefined;
  if (write) return write(programTree(command));
  throw new YggError(
    'YGG_USAGE',
    `Completions are for ${Object.keys(completions).join(', ')}, not "${shell}".`,
  );
}
