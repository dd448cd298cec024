/**
 * The package the programs are part of.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Its folder, seen from `dist/cmd/`. */
export const packageRoot: string = path.resolve(import.meta.dirname, '../..');

export function packageVersion(): string {
  const facts: unknown = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8'));
  if (typeof facts === 'object' && facts !== null && 'version' in facts) return String(facts.version);
  return 'unknown';
}
