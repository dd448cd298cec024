import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { loadWorkerConfig } from '../../../src/config/worker-config.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'worker-config-'));
  mkdirSync(path.join(dir, 'workers'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, content: string): void {
  writeFileSync(path.join(dir, 'workers', name), content);
}

/** The mistakes told about `a.worker`, one a line, without the directory. */
function mistakes(content: string): string[] {
  write('a.worker.toml', content);
  try {
    loadWorkerConfig(dir, 'a.worker');
  } catch (error) {
    if (!(error instanceof YggError)) throw error;
    expect(error.code).toBe('YGG_WORKER_FILE');
    return error.message.replaceAll(`${dir}/workers/`, '').split('\n');
  }
  return [];
}

test('nothing said is the defaults', () => {
  expect(loadWorkerConfig(dir, 'a-worker')).toEqual({
    env: [],
    handlers: [],
    user: undefined,
    group: undefined,
    redelivery: undefined,
    concurrency: undefined,
    timeout: 3_600_000,
  });
});

test('what is in the table for the worker itself is its own business', () => {
  write('a-worker.toml', 'concurrency = 4\n[settings.commands.df]\nprogram = "/usr/bin/df"\n');
  expect(loadWorkerConfig(dir, 'a-worker')).toMatchObject({ concurrency: 4 });
  expect(mistakes('settings = "here"')).toEqual([
    'a.worker.toml:1:12: settings takes a table, for the worker itself.',
  ]);
});

test('everything said', () => {
  write(
    'a-worker.toml',
    [
      'env = ["PYTHONPATH=/x", "FOREMAN_YGG_WORKER_WORKDIR=/y", "EMPTY="]',
      'handlers = "echo"',
      'redelivery = "until-done"',
      'concurrency = 4',
      'timeout = "5m"',
    ].join('\n'),
  );
  expect(loadWorkerConfig(dir, 'a-worker')).toEqual({
    env: ['PYTHONPATH=/x', 'FOREMAN_YGG_WORKER_WORKDIR=/y', 'EMPTY='],
    handlers: ['echo'],
    redelivery: 'until-done',
    concurrency: 4,
    timeout: 300_000,
  });
});

test('the file is named after the worker file, then after it without .worker', () => {
  write('a.toml', 'concurrency = 1');
  expect(loadWorkerConfig(dir, 'a.worker').concurrency).toBe(1);
  write('a.worker.toml', 'concurrency = 2');
  expect(loadWorkerConfig(dir, 'a.worker').concurrency).toBe(2);
});

describe('the environment', () => {
  test.each(['PATH', 'YGG_SOCKET_ADDR', 'YGG_', 'LD_PRELOAD', 'NODE_OPTIONS', 'BASH_ENV', 'ENV', 'IFS'])(
    '%s is refused, without its value',
    (name) => {
      const [line = '', ...more] = mistakes(`env = ["FINE=1", "${name}=hush"]`);
      expect(line).toContain(`a.worker.toml:1:7: env must not set ${name}:`);
      expect(line).not.toContain('hush');
      expect(more).toEqual([]);
    },
  );

  test.each(['MY_PATH=1', 'MYLD_X=1', 'ENVIRONMENT=x', 'path=/x'])('%s is fine', (entry) => {
    expect(mistakes(`env = [${JSON.stringify(entry)}]`)).toEqual([]);
  });

  test.each([
    ['"A=1\\n2"', 'sets A to a value with a line break or NUL'],
    ['"A=1\\u0000"', 'sets A to a value with a line break or NUL'],
    ['"=hush"', 'takes texts of the form "NAME=value"; one has no name'],
    ['"hush"', 'takes texts of the form "NAME=value"; one has no name'],
    ['"A B=hush"', 'takes texts of the form "NAME=value"; one has no name'],
  ])('%s is none', (entry, why) => {
    const [line = ''] = mistakes(`env = [${entry}]`);
    expect(line).toContain(why);
    expect(line).not.toContain('hush');
  });

  test('something else than texts is not repeated either', () => {
    expect(mistakes('env = ["A=hush", 7]')[0]).toMatch(/env takes .*, not this\.$/);
    expect(mistakes('env = { A = "hush" }')[0]).toMatch(/env takes .*, not this\.$/);
  });
});

test('mistakes are told all at once, with their places', () => {
  expect(
    mistakes(
      'handler = "echo"\nhandlers = ["no spaces"]\nredelivery = "always"\nuser = "-x"\ngroup = 7\ntimeout = 5\n',
    ),
  ).toEqual([
    'a.worker.toml:1:1: handler is not known here; did you mean handlers?',
    'a.worker.toml:2:12: handlers takes names of letters, digits, dot, underscore and hyphen, at most 128 characters, not "no spaces".',
    'a.worker.toml:3:14: redelivery takes until-accepted or until-done, not "always".',
    'a.worker.toml:4:8: user takes a name of letters, digits, dot, underscore, hyphen and at sign, not "-x".',
    'a.worker.toml:5:9: group takes the name of a group, not 7.',
    'a.worker.toml:6:11: timeout is 5 nanoseconds, for a bare number means nanoseconds; write "5s" if that is meant.',
  ]);
  expect(mistakes('env = [')[0]).toMatch(/^a\.worker\.toml:1:\d+: /);
});

test('keys of the Go daemon are passed over with a warning', () => {
  write('a.worker.toml', 'exec = "/usr/libexec/a"\nprotocol = "grpc"\nenv = ["A=1"]\n');
  const warnings: string[] = [];
  expect(loadWorkerConfig(dir, 'a.worker', (warning) => warnings.push(warning)).env).toEqual(['A=1']);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('a.worker.toml:1:1: exec has no effect');
});
