/** Temporary directories that vanish with their scope. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Scope } from './scope.ts';

/** A new directory, 0700 and ours, with a short name: socket paths below it have 107 bytes. */
export function tempDir(scope: Scope, prefix = 'ygg-'): string {
  const folder = mkdtempSync(path.join(tmpdir(), prefix));
  scope.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
