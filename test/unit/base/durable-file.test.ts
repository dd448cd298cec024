import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDurably, writeWhole } from '../../../src/base/durable-file.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'durable-'));
  file = path.join(directory, 'client-id');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test.each([writeDurably, writeWhole])('$name writes and replaces, and leaves nothing beside', (write) => {
  write(file, 'one', 0o600);
  write(file, Buffer.from('two'), 0o600);
  expect(readFileSync(file, 'utf8')).toBe('two');
  expect(readdirSync(directory)).toEqual(['client-id']);
});

test.each([0o600, 0o644, 0o666])('the mode is exact whatever the umask: %o', (mode) => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o640);
  writeDurably(file, 'new', mode);
  expect(statSync(file).mode & 0o777).toBe(mode);
});

test('does not write through a link that lies where it writes beside', () => {
  const victim = path.join(directory, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, `${file}.new`);
  writeDurably(file, 'mine', 0o600);
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test('an old file stays when the new one cannot be written', () => {
  expect(() => writeDurably(path.join(directory, 'missing', 'client-id'), 'x', 0o600)).toThrow(/ENOENT/);
});
