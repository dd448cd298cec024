/** The SDK packed alone, and what is built on it by somebody who has nothing else of this project. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { codeBlocks } from '../docs/code-blocks.ts';
import { startHost } from '../helpers/host.ts';
import { rawContent } from '../helpers/mqtt-server.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { yggctlProgram } from '../helpers/yggctl.ts';

const root = path.resolve(import.meta.dirname, '../..');
const files = fileScope();
let archive = '';

async function run(program: string, words: readonly string[], cwd = root): Promise<string> {
  return (await promisify(execFile)(program, words, { cwd, timeout: 60_000 })).stdout;
}

beforeAll(async () => {
  const words = ['scripts/package-worker.js', '--out', tempDir(files), '--format', 'json'];
  archive = JSON.parse(await run(process.execPath, words)).file;
});

/** Installs the archive and, beside it, only these packages. */
async function install(project: string, packages: readonly string[] = []): Promise<void> {
  const modules = path.join(project, 'node_modules');
  mkdirSync(path.join(modules, 'yggd'), { recursive: true });
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', path.join(modules, 'yggd')]);
  for (const name of ['@grpc/grpc-js', '@grpc/proto-loader', ...packages]) {
    mkdirSync(path.join(modules, path.dirname(name)), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  }
}

test('the worker of ten lines runs on the SDK alone', async () => {
  const scope = testScope();
  const project = tempDir(scope);
  await install(project);
  const program = path.join(project, 'worker.mjs');
  writeFileSync(program, codeBlocks('docs/writing-workers.md', 'js')[0] ?? '');
  const { server, yggd } = await startHost(scope, {
    workers: [
      { name: 'echo-worker', text: `#!/bin/sh\nexec '${process.execPath}' '${program}'\n`, config: [] },
    ],
    handlers: ['echo'],
  });
  const id = await server.send({ directive: 'echo', raw: '{ "n": 1 }' });
  expect(rawContent(await server.answer(id))).toBe('{ "n": 1 }');
  await yggd.stopCleanly();
});

test('a new worker type-checks and passes its test, on the SDK alone', async () => {
  const project = path.join(tempDir(testScope()), 'disk');
  await run(process.execPath, [yggctlProgram, 'worker', 'new', 'disk', project]);
  await install(project, ['typescript', '@types/node']);
  const tsc = path.join(project, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, '-p', project, '--skipLibCheck', 'false'], project);
  expect(await run(process.execPath, ['--test', 'dist/worker.test.js'], project)).toMatch(/pass 1\b/);
  const described = await run(process.execPath, ['dist/main.js', '--describe'], project);
  expect(JSON.parse(described)).toMatchObject({ handlers: { disk: { concurrency: 1 } } });
});

test('importing the SDK costs little beyond an empty program', async () => {
  const project = tempDir(testScope());
  await install(project);
  writeFileSync(path.join(project, 'empty.mjs'), '');
  writeFileSync(path.join(project, 'import.mjs'), "await import('yggd/worker');\n");
  const time = async (program: string): Promise<number> => {
    const begun = performance.now();
    await run(process.execPath, [program], project);
    return performance.now() - begun;
  };
  const pairs: Array<{ readonly empty: number; readonly cost: number }> = [];
  for (let pair = 0; pair < 9; pair += 1) {
    const empty = await time('empty.mjs');
    pairs.push({ empty, cost: (await time('import.mjs')) - empty });
  }
  const cost = median(pairs.map((pair) => pair.cost));
  const empty = median(pairs.map((pair) => pair.empty));
  console.log(`importing the SDK costs ${cost.toFixed(1)} ms beyond ${empty.toFixed(1)} ms`);
  // On a quiet machine an empty program takes 40 ms; on one that is not, everything takes longer.
  expect(cost).toBeLessThan(Math.max(80, 2 * empty));
});

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
