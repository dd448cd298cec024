import { CommanderError } from 'commander';
import { describe, expect, test, vi } from 'vitest';
import { type CommandLine, readCommandLine } from '../../../src/config/flags.ts';
import { keysWithoutEffect, optionFields, optionName, optionTable } from '../../../src/config/table.ts';

const read = (...words: string[]): CommandLine => readCommandLine(words, '1.2.3');

/** What is printed and the status it would end with. */
function ends(...words: string[]): { status: number; out: string; err: string } {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    read(...words);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { status: error.exitCode, out, err };
  }
  throw new Error('it did not end');
}

test('no words: run with what the files say', () => {
  expect(read()).toEqual({ action: 'run', file: undefined, flags: {} });
});

test('values stay texts, repeated flags stay apart, aliases and old names are taken', () => {
  expect(
    read(
      '--broker',
      'tcp://a',
      '--server=tcp://b',
      '--broker',
      'tcp://c',
      '--mqtt-keep-alive',
      '30',
      '--config',
      'f',
    ),
  ).toEqual({
    action: 'run',
    file: 'f',
    flags: { broker: ['tcp://a', 'tcp://c'], server: ['tcp://b'], 'mqtt-keep-alive': ['30'] },
  });
  expect(read('--message-journal', 'j.db').flags).toEqual({ 'message-journal': ['j.db'] });
});

test('switches need no value', () => {
  expect(read('--clean-session', '--log-level', 'debug').flags).toEqual({
    'clean-session': ['true'],
    'log-level': ['debug'],
  });
  expect(read('--mqtt-prime-topic=false').flags).toEqual({ 'mqtt-prime-topic': ['false'] });
});

test.each([
  ['--check-config', 'check'],
  ['--generate-config', 'example'],
  ['--generate-markdown', 'markdown'],
  ['--generate-config-page', 'config-page'],
])('%s', (flag, action) => {
  expect(read(flag).action).toBe(action);
});

describe('what ends it', () => {
  test('--version', () => {
    expect(ends('--version')).toMatchObject({ status: 0, out: '1.2.3\n' });
  });

  test('--help lists every option and nothing that is only accepted', () => {
    const { status, out } = ends('--help');
    expect(status).toBe(0);
    for (const field of optionFields) expect(out).toContain(`--${optionName(field)} `);
    for (const name of keysWithoutEffect.keys()) expect(out).not.toContain(`--${name} `);
    expect(out).not.toContain('--server');
  });

  test('words it does not know', () => {
    expect(ends('--borker', 'x')).toMatchObject({ status: 1, err: expect.stringContaining('--broker') });
    expect(ends('start')).toMatchObject({ status: 1 });
    expect(ends('--broker')).toMatchObject({ status: 1 });
  });
});

test('every option can be said by flag', () => {
  for (const field of optionFields) {
    const name = optionName(field);
    expect(Object.keys(read(`--${name}`, 'x').flags), name).toEqual([name]);
    for (const alias of optionTable[field].aliases ?? []) {
      expect(Object.keys(read(`--${alias}`, 'x').flags)).toEqual([alias]);
    }
  }
});
