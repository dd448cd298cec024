import path from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const shared = { restoreMocks: true, setupFiles: ['test/helpers/fail-on-warnings.ts'] };

/** Tests that run programs get a second try: a machine that stands still for seconds makes them late, not wrong. */
const programs = { ...shared, retry: 1 };

/** The doors of this package, as its own workers name them: unit tests need no build. */
const doors = (['worker', 'testing'] as const).map((door) => ({
  find: `yggd/${door}`,
  replacement: path.join(import.meta.dirname, 'src', door, 'index.ts'),
}));

const config: ViteUserConfig = defineConfig({
  test: {
    // Most of a test is waiting for a program, so a core is not kept free.
    maxWorkers: '100%',
    projects: [
      {
        resolve: { alias: doors },
        test: { ...shared, name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000 },
      },
      {
        test: {
          ...programs,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { ...shared, name: 'docs', include: ['test/docs/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          ...programs,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});

export default config;
