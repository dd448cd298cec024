import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { installEchoWorker } from '../../../src/quick-start/echo-worker.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

const settings = path.resolve(import.meta.dirname, '../../../workers/echo/echo.toml');

function install(program = '/somewhere/worker.js', directory = tempDir(testScope())) {
  installEchoWorker({
    workerDir: directory,
    configDir: directory,
    program,
    node: process.execPath,
    settings,
  });
  return {
    directory,
    worker: path.join(directory, 'echo.worker'),
    copied: path.join(directory, 'workers', 'echo.toml'),
  };
}

test('runs the program with this Node, whatever PATH says and whatever the path holds', () => {
  const program = path.join(tempDir(testScope()), "a 'quoted' $HOME.mjs");
  writeFileSync(program, 'console.log(process.execPath)');
  const { worker } = install(program);
  expect(execFileSync(worker, { env: {}, encoding: 'utf8' }).trim()).toBe(process.execPath);
  expect(statSync(worker).mode & 0o777).toBe(0o700);
});

test('a worker that is as it should be is not replaced, another is', () => {
  const { directory, worker } = install();
  const before = statSync(worker).ino;
  install('/somewhere/worker.js', directory);
  expect(statSync(worker).ino).toBe(before);
  install('/elsewhere/worker.js', directory);
  expect(readFileSync(worker, 'utf8')).toContain("'/elsewhere/worker.js'");
});

test('settings that are there are kept', () => {
  const { directory, copied } = install();
  expect(readFileSync(copied, 'utf8')).toContain('redelivery = "until-done"\n');
  writeFileSync(copied, 'redelivery = "until-accepted"\n');
  install('/elsewhere/worker.js', directory);
  expect(readFileSync(copied, 'utf8')).toBe('redelivery = "until-accepted"\n');
});
