import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { interpreterLine } from '../../../src/process/interpreter.ts';
import { explainMissingInterpreter } from '../../../src/process/missing-interpreter.ts';
import { checkWorkerFile } from '../../../src/process/worker-file.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

let folder: string;

beforeEach(() => {
  folder = tempDir(testScope());
});

const trusting = { checkPath: () => {} };

function written(text: string, mode = 0o755): string {
  const file = path.join(folder, 'some-worker');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function directory(name: string): string {
  const made = path.join(folder, name);
  mkdirSync(made);
  return made;
}

test('a script, a program, and a link to one may be started', () => {
  const script = written('#!/bin/sh\n');
  checkWorkerFile(script, trusting);
  const program = path.join(folder, 'program-worker');
  copyFileSync('/bin/true', program);
  checkWorkerFile(program, trusting);
  symlinkSync(program, path.join(folder, 'link-worker'));
  checkWorkerFile(path.join(folder, 'link-worker'), trusting);
});

describe('the programs that run a script', () => {
  const checked = (script: string): string[] => {
    const paths: string[] = [];
    checkWorkerFile(script, { checkPath: (file) => paths.push(file) });
    return paths;
  };

  test('are checked like the script itself', () => {
    const script = written('#! /bin/sh -e\n');
    expect(checked(script)).toEqual([script, '/bin/sh']);
  });

  test('include what env finds, whatever comes before its name', () => {
    const script = written('#!/usr/bin/env -i NAME=value sh\n');
    expect(checked(script)).toEqual([script, '/usr/bin/env', expect.stringMatching(/\/bin\/sh$/)]);
  });

  test('include the interpreter of an interpreter, and end where the system ends', () => {
    const interpreter = path.join(folder, 'interpreter');
    writeFileSync(interpreter, '#!/bin/sh\n', { mode: 0o755 });
    const script = written(`#!${interpreter}\n`);
    expect(checked(script)).toEqual([script, interpreter, '/bin/sh']);
    writeFileSync(interpreter, `#!${interpreter}\n`);
    expect(checked(script)).toEqual([script, ...Array.from({ length: 5 }, () => interpreter)]);
  });

  test('are not checked when they are what this daemon itself runs in, or not there', () => {
    const script = written(`#!${process.execPath}\n`);
    expect(checked(script)).toEqual([script]);
    expect(checked(written('#!/nowhere/sh\n'))).toEqual([script]);
  });
});

test.each([
  ['cannot be looked at', () => path.join(folder, 'absent-worker')],
  ['not a regular file', () => directory('dir-worker')],
  ['chmod +x', () => written('#!/bin/sh\n', 0o644)],
  ['neither a program nor a script', () => written('echo without a first line\n')],
  ['neither a program nor a script', () => written('')],
])('refused: %s', (words, make) => {
  const file = make();
  expect(() => checkWorkerFile(file, trusting)).toThrow(
    expect.objectContaining({ code: 'YGG_WORKER_FILE', message: expect.stringContaining(words) }),
  );
  expect(() => checkWorkerFile(file, trusting)).toThrow(file);
});

test('a path that is not safe is refused with its own error', () => {
  const unsafe = new Error('unsafe');
  const checkPath = (): void => {
    throw unsafe;
  };
  expect(() => checkWorkerFile(written('#!/bin/sh\n'), { checkPath })).toThrow(unsafe);
});

test('the interpreter line is what Linux reads', () => {
  expect(interpreterLine(written('#! /usr/bin/env -S node --flag\nrest'))).toBe(
    '/usr/bin/env -S node --flag',
  );
  expect(interpreterLine(written('no script'))).toBeUndefined();
  expect(interpreterLine(path.join(folder, 'absent'))).toBeUndefined();
});

test.each([
  ['#!/bin/sh\n', undefined],
  ['#!/usr/bin/env sh\n', undefined],
  ['#!/usr/bin/env -S LANG=C sh -e\n', undefined],
  ['#!/usr/bin/env no-such-program\n', 'needs no-such-program, which is in none of /usr/local/sbin,'],
  ['#!/opt/no-such/python3\n', 'names /opt/no-such/python3, which is not there'],
  ['#!\n', 'names no interpreter'],
  ['#!/bin/sh\r\necho\r\n', 'carriage return'],
])('the interpreter of %j is explained as %j', (text, words) => {
  const explained = explainMissingInterpreter(written(text));
  if (words === undefined) expect(explained).toBeUndefined();
  else expect(explained).toContain(words);
});
