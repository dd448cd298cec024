/**
 * Loaded before every test file: a process warning or an unhandled rejection is a failed test.
 *
 * Allowed are warnings of dependencies, by code, each with its reason.
 */
import { afterEach, beforeEach } from 'vitest';

/** Warning codes (or names, where there is no code) that tests may meet. */
const allowed: ReadonlySet<string> = new Set<string>();

const seen: string[] = [];

process.on('warning', (warning: Error & { code?: string }) => {
  if (!allowed.has(warning.code ?? warning.name))
    seen.push(`${warning.code ?? warning.name}: ${warning.message}`);
});

beforeEach(() => {
  seen.length = 0;
});

afterEach(async () => {
  // Warnings are emitted on the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  if (seen.length > 0) throw new Error(`process warnings: ${seen.splice(0).join('; ')}`);
});
