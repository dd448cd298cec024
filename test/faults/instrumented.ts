/**
 * Copies of the built programs with lines put in: places where a process ends itself, and planted bugs.
 *
 * The sources know nothing of either. A line is put in beside a piece of the built text, which has to be there exactly
 * once, so that a piece that was changed or moved fails here, by name, and no fault silently strikes nothing.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** One change of one built file. */
export interface Edit {
  /** Below `dist`, without `.js`. */
  readonly file: string;
  /** A piece of its text; how it is broken into lines does not matter. */
  readonly find: string;
  /** What stands in its place; `$&` is the piece itself. */
  readonly put: string;
}

/** Makes such a copy; returns the path of its `yggd`. */
export function instrumented(scope: Scope, edits: readonly Edit[]): string {
  const copy = tempDir(scope, 'ygg-build-');
  for (const name of ['dist', 'protocol', 'package.json']) {
    cpSync(path.join(root, name), path.join(copy, name), {
      recursive: true,
      filter: (file) => !/\.(d\.ts|map)$/.test(file),
    });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  for (const edit of edits) apply(edit, path.join(copy, 'dist', `${edit.file}.js`));
  return path.join(copy, 'dist/cmd/yggd.js');
}

/** Throws when the piece is not there exactly once. */
function apply({ file, find, put }: Edit, target: string): void {
  const text = readFileSync(target, 'utf8');
  const words = find.trim().split(/\s+/).map(escaped);
  const piece = new RegExp(words.join('\\s+'), 'g');
  const found = text.match(piece)?.length ?? 0;
  if (found !== 1) throw new Error(`${file}: expected once, found ${found} times: ${find}`);
  writeFileSync(target, text.replace(piece, put));
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
