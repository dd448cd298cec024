// `npm run faults`: what becomes of messages under every fault, counted outside the daemon.
//
//   npm run faults [-- --long] [--seed N] [--only NAME]
//
// Loads the TypeScript beside it without a build of its own; the daemon under fire is the built one.
import path from 'node:path';
import { createServer, createServerModuleRunner } from 'vite';

// Open to the end, because some of it is loaded only when it is needed.
const server = await createServer({
  configFile: false,
  logLevel: 'error',
  root: path.resolve(import.meta.dirname, '../..'),
  server: { middlewareMode: true, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
const runner = createServerModuleRunner(server.environments.ssr, { hmr: false });
try {
  const { main } = await runner.import(path.join(import.meta.dirname, 'main.ts'));
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await server.close();
}
