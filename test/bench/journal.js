// Loads the TypeScript beside it without a build of its own.
import path from 'node:path';
import { runnerImport } from 'vite';

const { module } = await runnerImport(path.join(import.meta.dirname, 'journal.ts'), { logLevel: 'error' });
await module.main(process.argv.slice(2));
