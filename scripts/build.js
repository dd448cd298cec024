// Builds dist/ from the sources; with --if-stale only when a source is newer than the last build.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const stamp = path.join(root, 'dist', '.built');
const inputs = ['src', 'cmd', 'workers', 'protocol', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Not built, and Python leaves what it compiled there. */
const examples = path.join(root, 'workers', 'examples');

/** Newest change time in milliseconds below a file or folder. */
function newest(file) {
  if (file === examples) return 0;
  const stat = statSync(file);
  if (!stat.isDirectory()) return stat.mtimeMs;
  let latest = stat.mtimeMs;
  for (const entry of readdirSync(file)) latest = Math.max(latest, newest(path.join(file, entry)));
  return latest;
}

function stale() {
  if (!existsSync(stamp)) return true;
  const built = statSync(stamp).mtimeMs;
  return inputs.some((input) => newest(path.join(root, input)) > built);
}

if (!process.argv.includes('--if-stale') || stale()) {
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  const require = createRequire(import.meta.url);
  const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  // Worker programs are executed as they are, so they need the execute bit that the compiler does not set.
  for (const entry of readdirSync(path.join(root, 'dist', 'workers'))) {
    const program = path.join(root, 'dist', 'workers', entry, 'worker.js');
    if (existsSync(program)) chmodSync(program, 0o755);
  }
  writeFileSync(stamp, '');
}
