/**
 * The version of this package, from the nearest package.json above this file, compiled or not.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

function packageFile(directory: string): string {
  const file = path.join(directory, 'package.json');
  return existsSync(file) || directory === path.dirname(directory)
    ? file
    : packageFile(path.dirname(directory));
}

const facts: unknown = JSON.parse(readFileSync(packageFile(import.meta.dirname), 'utf8'));

export const packageVersion: string =
  typeof facts === 'object' && facts !== null && 'version' in facts ? String(facts.version) : 'unknown';
