// `npm run bench`: the figures of docs/performance.md, measured on this machine.
//
//   npm run bench [-- --only NAME ...] [--json] [--messages 20000] [--runs 3] [--help]
//
// Loads the TypeScript beside it without a build of its own; the daemon it measures is the built one.
import path from 'node:path';
import { runnerImport } from 'vite';

const { module } = await runnerImport(path.join(import.meta.dirname, 'main.ts'), { logLevel: 'error' });
process.exitCode = await module.main(process.argv.slice(2));
