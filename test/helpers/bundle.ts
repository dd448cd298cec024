/** Sources as one program that plain Node runs: for tests whose subject needs a process of its own. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'vite';
import type { Scope } from './scope.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** Below the project, where packages are found. */
const cache = path.join(root, 'node_modules', '.cache', 'yggd-test');

/** Bundles a source file, named from the project folder; packages stay outside. Returns the program's path. */
export async function bundle(scope: Scope, source: string): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const outDir = mkdtempSync(path.join(cache, 'program-'));
  scope.defer(() => rmSync(outDir, { recursive: true, force: true }));
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: path.join(root, source),
      outDir,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rollupOptions: { output: { entryFileNames: 'program.mjs' } },
    },
  });
  return path.join(outDir, 'program.mjs');
}
