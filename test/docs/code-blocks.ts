/**
 * The code blocks of a document, run as one program against the built package.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');

/** The blocks of one language, in order. */
export function codeBlocks(document: string, language: string): string[] {
  const text = readFileSync(path.join(root, document), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, tag, code]) =>
    tag === language && code !== undefined ? [code] : [],
  );
}

/** Runs a program that imports `yggd` as its dependents do; gives what it printed. Rejects when it fails. */
export async function runProgram(code: string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'yggd-docs-'));
  try {
    mkdirSync(path.join(folder, 'node_modules'));
    symlinkSync(root, path.join(folder, 'node_modules', 'yggd'));
    writeFileSync(path.join(folder, 'program.mjs'), code);
    const run = promisify(execFile)(process.execPath, ['program.mjs'], {
      cwd: folder,
      timeout: 30_000,
      env: { PATH: process.env['PATH'], TMPDIR: folder },
    });
    const { stdout, stderr } = await run;
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
