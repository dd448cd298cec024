/**
 * What a program prints about itself for those who package it: `--generate-man-page`, `--generate-completion SHELL`.
 */
import type { Command } from 'commander';
import { packageVersion } from '../src/package-version.ts';

/** `undefined` when the words ask for something else; nothing is loaded then. Throws `YGG_USAGE`. */
export async function referenceOf(
  words: readonly string[],
  command: () => Command,
): Promise<string | undefined> {
  if (words[0] !== '--generate-man-page' && words[0] !== '--generate-completion') return undefined;
  const { reference } = await import('../src/manual/reference.ts');
  return reference(command(), words, packageVersion);
}
