// `npm run faults`: what becomes of messages under every fault, counted outside the daemon.
//
//   npm run faults [-- --long] [--seed N] [--only NAME]
//
// Loads the TypeScript beside it without a build of its own; the daemon under fire is the built one.
import path from 'node:path';
import { runnerImport } from 'vite';

const { module } = await runnerImport(path.join(import.meta.dirname, 'main.ts'), { logLevel: 'error' });
process.exitCode = await module.main(process.argv.slice(2));
