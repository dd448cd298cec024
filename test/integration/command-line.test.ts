/** The built program by its words, without a daemon. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCertificates } from '../helpers/certificates.ts';
import { Child } from '../helpers/child.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';

const root = path.resolve(import.meta.dirname, '../..');
const program = path.join(root, 'dist/cmd/yggd.js');

async function yggd(
  scope: Scope,
  ...words: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const child = new Child(scope, process.execPath, [program, ...words]);
  const { code } = await child.ended();
  return { code, out: child.stdout.join('\n'), err: child.stderr.join('\n') };
}

/** `--check-config` with a configuration directory of its own. */
async function check(config: string, files: Readonly<Record<string, string>> = {}): ReturnType<typeof yggd> {
  const scope = testScope();
  const dir = tempDir(scope);
  const file = path.join(dir, 'config.toml');
  writeFileSync(file, config);
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(dir, name), content);
  const { code, out, err } = await yggd(scope, '--check-config', '--config', file, '--config-dir', dir);
  return { code, out: out.replaceAll(`${dir}/`, ''), err: err.replaceAll(`${dir}/`, '') };
}

test('--version and --help go to standard output, and nothing else does', async () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(await yggd(testScope(), '--version')).toEqual({ code: 0, out: version, err: '' });
  const help = await yggd(testScope(), '--help');
  expect(help).toMatchObject({ code: 0, err: '' });
  expect(help.out).toContain('--check-config');
});

test('words it does not know end with 2', async () => {
  expect(await yggd(testScope(), '--borker', 'x')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--broker'),
  });
  expect(await yggd(testScope(), '--log-level', 'loud')).toMatchObject({
    code: 2,
    err: 'yggd: --log-level takes error, warn, info, debug or trace, not "loud".',
  });
});

test('the committed launcher runs the build', async () => {
  const child = new Child(testScope(), path.join(root, 'cmd/yggd'), ['--version']);
  expect(await child.ended()).toEqual({ code: 0, signal: null });
});

test('--generate-config writes config.toml.example', async () => {
  const { code, out } = await yggd(testScope(), '--generate-config');
  expect({ code, out }).toEqual({
    code: 0,
    out: readFileSync(path.join(root, 'config.toml.example'), 'utf8').trimEnd(),
  });
});

describe('--check-config', () => {
  test('says ok and what it read', async () => {
    expect(await check('broker = ["tcp://127.0.0.1:1883"]\n', { 'tags.toml': 'site = "lab"\n' })).toEqual({
      code: 0,
      out: 'ok: config.toml',
      err: '',
    });
  });

  test('says every mistake with its place, and ends with 78', async () => {
    expect(await check('broker = "tcp://127.0.0.1"\nlog-levl = "debug"\nmqtt-keep-alive = 30\n')).toEqual({
      code: 78,
      out: '',
      err: [
        'yggd: config.toml:2:1: log-levl ("debug") is not an option; did you mean log-level?',
        'yggd: config.toml:3:19: mqtt-keep-alive is 30 nanoseconds, for a bare number means nanoseconds; write "30s" if that is meant.',
      ].join('\n'),
    });
  });

  test('looks at the certificates too', async () => {
    const certificates = createCertificates(testScope());
    const [one, two] = [certificates.client('one'), certificates.client('two')];
    const config = (key: string): string =>
      `broker = "mqtts://a"\ncert-file = "${one.cert}"\nkey-file = "${key}"\nca-root = "${certificates.ca}"\n`;
    expect((await check(config(one.key))).code).toBe(0);
    expect(await check(config(two.key))).toMatchObject({
      code: 78,
      err: expect.stringContaining('is not the key of'),
    });
  });

  test('takes the files of both generations of the Go daemon', async () => {
    const first = await check(
      'broker = ["mqtts://a:443"]\nlog-level = "error"\ntopic-prefix = "redhat/insights"\nexclude-worker = ["a"]\nprotocol = "mqtt"\n',
    );
    expect(first).toEqual({ code: 0, out: 'ok: config.toml', err: '' });
    const second = await check(
      'server = ["tcp://a:1883"]\npath-prefix = "x"\nprotocol = "mqtt"\nhttp-timeout = "30s"\nmessage-journal = "/j.db"\n',
    );
    expect(second.code).toBe(0);
    expect(second.out).toMatch(
      /^warning: config\.toml:5:1: message-journal has no effect.*\nok: config\.toml$/,
    );
  });
});

test('a configuration that is wrong starts nothing', async () => {
  const scope = testScope();
  const file = path.join(tempDir(scope), 'config.toml');
  writeFileSync(file, 'protocol = "http"\n');
  expect(await yggd(scope, '--config', file)).toMatchObject({
    code: 78,
    err: expect.stringContaining('not supported'),
  });
});
