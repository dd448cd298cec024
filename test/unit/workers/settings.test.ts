import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readSettings } from '../../../workers/settings.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

test('the settings of a worker are the table of that name in its TOML', () => {
  const folder = tempDir(testScope());
  mkdirSync(path.join(folder, 'workers'));
  const file = path.join(folder, 'workers', 'webhook.toml');
  writeFileSync(file, 'redelivery = "until-done"\n[settings.urls]\na = "https://example.test/"\n');
  expect(readSettings('webhook', folder)).toEqual({
    file,
    table: { urls: { a: 'https://example.test/' } },
  });
});

test('without a file, or without the table, nothing is set', () => {
  const folder = tempDir(testScope());
  expect(readSettings('webhook', folder).table).toEqual({});
  mkdirSync(path.join(folder, 'workers', 'webhook.toml'), { recursive: true });
  expect(() => readSettings('webhook', folder)).toThrow('EISDIR');
});
