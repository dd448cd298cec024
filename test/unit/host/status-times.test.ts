import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { openStatusTimes } from '../../../src/host/status-times.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'status-times-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('the last time that was kept is known after a restart', async () => {
  const times = openStatusTimes(directory, silentLogger);
  expect(times.last).toBe(0);
  times.keep(1_000);
  times.keep(2_000);
  times.keep(1_800_000_000_123);
  await times.close();
  expect(openStatusTimes(directory, silentLogger).last).toBe(1_800_000_000_123);
  expect(readdirSync(directory)).toEqual(['status-sent']);
});

test('a file that makes no sense is as none', () => {
  writeFileSync(path.join(directory, 'status-sent'), 'yesterday');
  expect(openStatusTimes(directory, silentLogger).last).toBe(0);
});

test('a directory that cannot be written is no error', async () => {
  const times = openStatusTimes(path.join(directory, 'missing'), silentLogger);
  times.keep(1);
  await expect(times.close()).resolves.toBeUndefined();
});
