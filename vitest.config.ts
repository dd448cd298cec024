import path from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const inCi = process.env['CI'] === 'true';

/** In CI each test gets a second try: machines that stand still for seconds make them late, not wrong. */
const shared = {
  restoreMocks: true,
  setupFiles: ['test/helpers/fail-on-warnings.ts'],
  retry: inCi ? 1 : 0,
};

/** Tests that run programs get it everywhere. */
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
      {
        test: {
          ...programs,
          name: 'security',
          include: ['test/security/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { ...programs, name: 'docs', include: ['test/docs/**/*.test.ts'], testTimeout: 60_000 } },
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
