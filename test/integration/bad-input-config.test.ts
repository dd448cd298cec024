/**
 * Configurations with every kind of mistake (docs/bad-input.md): all of them are told at once, each with its place, and
 * nothing is started. What is left out with a warning does not keep the daemon from running.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCertificates } from '../helpers/certificates.ts';
import { Child } from '../helpers/child.ts';
import { startHost } from '../helpers/host.ts';
import { contentOf } from '../helpers/mqtt-server.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';

const program = path.resolve(import.meta.dirname, '../../dist/cmd/yggd.js');

interface Refusal {
  readonly code: number | null;
  /** What was said, without the name of the program and the folder. */
  readonly lines: readonly string[];
}

/** Starts the daemon with this text, or these bytes, as its configuration; it has to end by itself. */
async function refusal(config: string | Buffer, ...words: readonly string[]): Promise<Refusal> {
  const scope = testScope();
  const folder = tempDir(scope);
  const file = path.join(folder, 'c.toml');
  writeFileSync(file, config);
  const child = new Child(scope, process.execPath, [program, '--config', file, ...words]);
  const { code } = await child.ended();
  expect(child.stdout).toEqual([]);
  const lines = child.stderr.map((line) => line.replace(/^yggd: /, '').replaceAll(`${folder}/`, ''));
  return { code, lines };
}

/** One mistake to a line of the file, and how what is said about it begins. */
const mistakes: ReadonlyArray<readonly [line: string, said: string]> = [
  ['broker = ["http://example.com"]', 'c.toml:1:10: broker takes "embedded" or a URL'],
  ['log-levl = "info"', 'c.toml:2:1: log-levl ("info") is not an option; did you mean log-level?'],
  ['log-level = "loud"', 'c.toml:3:13: log-level takes error, warn, info, debug or trace, not "loud".'],
  ['mqtt-keep-alive = 30', 'c.toml:4:19: mqtt-keep-alive is 30 nanoseconds'],
  ['mqtt-connect-timeout = "soon"', 'c.toml:5:24: mqtt-connect-timeout takes a duration'],
  ['http-timeout = "-5s"', 'c.toml:6:16: http-timeout takes a duration'],
  ['worker-grace = "10000d"', 'c.toml:7:16: worker-grace takes a duration'],
  ['worker-window = 0', 'c.toml:8:17: worker-window takes a whole number from 1 to 1024, not 0.'],
  ['max-message-size = "2 apples"', 'c.toml:9:20: max-message-size takes a size'],
  ['max-content-size = 1', 'c.toml:10:20: max-content-size takes a size'],
  ['inbox-limit = "many"', 'c.toml:11:15: inbox-limit takes a number of messages and their bytes'],
  ['dead-limit = 5', 'c.toml:12:14: dead-limit takes a number of messages and their age'],
  ['clean-session = "yes"', 'c.toml:13:17: clean-session takes true or false, not "yes".'],
  ['client-id = "a/b"', 'c.toml:14:13: client-id is part of a topic and must not contain "/".'],
  ['topic-prefix = "a/+"', 'c.toml:15:16: topic-prefix is part of a topic and must not contain "+".'],
  ['path-prefix = "b"', 'c.toml:16:1: path-prefix is another name of topic-prefix; keep one of the two.'],
  ['data-host = "https://example.com"', 'c.toml:17:13: data-host takes a host'],
  ['protocol = "http"', 'c.toml:18:12: protocol "http" (polling) is not supported'],
  ['cert-file = 7', 'c.toml:19:13: cert-file takes a path, not 7.'],
  ['state-dir = ["a", "b"]', 'c.toml:20:13: state-dir takes a path'],
  ['exclude-worker = [1]', 'c.toml:21:18: exclude-worker takes a file name, or a list of them'],
  ['[log-format]', 'c.toml:22:2: log-format takes text, journal or json, not a table.'],
];

describe('a configuration', () => {
  test('with every kind of mistake: each is told with its place, all at once, and nothing is started', async () => {
    const { code, lines } = await refusal(mistakes.map(([line]) => line).join('\n'));
    expect(code).toBe(78);
    const said = mistakes.map(
      ([, begin]) => lines.find((line) => line.startsWith(begin)) ?? `nothing like ${begin}`,
    );
    expect([...lines].sort()).toEqual([...said].sort());
  });

  test.each<[what: string, config: string | Buffer, said: RegExp]>([
    ['that is no TOML', 'broker = [\n', /^c\.toml:\d:\d+: /],
    ['that is no text', Buffer.from([0x62, 0xff, 0xfe]), /^c\.toml is not UTF-8 text\.$/],
    ['that is deeper than a file has to be', `a = ${'['.repeat(100)}${']'.repeat(100)}`, /^c\.toml:1:\d+: /],
    ['with a key that is there twice', 'broker = []\nbroker = []\n', /^c\.toml:2:\d+: /],
    ['with a password in a mistake', 'broker = "ftp://me:secret@example.com"', /…@example\.com/],
    [
      'with a certificate and no key',
      'cert-file = "/c.pem"\nprotocol = "none"',
      /^c\.toml:1:1: cert-file needs key-file/,
    ],
    [
      'with MQTT and no broker',
      'protocol = "mqtt"',
      /^c\.toml:1:1: protocol is "mqtt" but there is no broker/,
    ],
    ['with the embedded broker and another', 'broker = ["embedded", "tcp://a"]', /takes "embedded" alone/],
    [
      'whose shortest wait is longer than its longest',
      'broker = "tcp://a"\nmqtt-reconnect-delay = "2m"',
      /^c\.toml:2:1: mqtt-reconnect-delay is the shortest wait/,
    ],
  ])('%s is refused with one sentence', async (_, config, said) => {
    const { code, lines } = await refusal(config);
    expect(lines).toEqual([expect.stringMatching(said)]);
    expect(lines.join()).not.toContain('secret');
    expect(code).toBe(78);
  });

  test('that is not there is refused', async () => {
    const child = new Child(testScope(), process.execPath, [program, '--config', '/nowhere/config.toml']);
    expect((await child.ended()).code).toBe(78);
    expect(child.stderr).toEqual(['yggd: /nowhere/config.toml is not there; it was named with --config.']);
  });

  test('that others may write is refused, with the command that mends it', async () => {
    const file = path.join(tempDir(testScope()), 'config.toml');
    writeFileSync(file, 'protocol = "none"\n');
    chmodSync(file, 0o646);
    const child = new Child(testScope(), process.execPath, [program, '--check-config', '--config', file]);
    expect((await child.ended()).code).toBe(78);
    expect(child.stderr).toEqual([
      `yggd: ${file} can be changed by everybody (mode 0646); run: chmod o-w ${file}`,
    ]);
  });

  test('whose certificate and key are not a pair, or are none, is refused', async () => {
    const certificates = createCertificates(testScope());
    const [one, two] = [certificates.client('one'), certificates.client('two')];
    const folder = tempDir(testScope());
    const directories = ['--state-dir', path.join(folder, 's'), '--runtime-dir', path.join(folder, 'r')];
    const pair = (cert: string, key: string): string =>
      `protocol = "none"\ncert-file = "${cert}"\nkey-file = "${key}"\n`;
    for (const [cert, key, said] of [
      [one.cert, two.key, /is not the key of cert-file/],
      [one.key, one.key, /does not hold a certificate in PEM/],
      [one.cert, one.cert, /does not hold a private key in PEM/],
      [one.cert, '/nowhere/key.pem', /key-file \/nowhere\/key\.pem cannot be read/],
    ] as const) {
      const { code, lines } = await refusal(pair(cert, key), ...directories, '--log-format', 'json');
      expect(code).toBe(78);
      expect(lines.at(-1)).toMatch(/YGG_CONFIG_FILE/);
      expect(lines.at(-1)).toMatch(said);
    }
  });
});

test('flags it does not know, or cannot read, are a matter of usage', async () => {
  const { code, lines } = await refusal('', '--worker-window', 'many', '--broker', 'xx://example.com');
  expect(code).toBe(2);
  expect(lines).toEqual([
    '--broker takes "embedded" or a URL such as "mqtts://broker.example.com:8883" (schemes: tcp, mqtt, ssl, tls, mqtts, tcps, mqtt+ssl, ws, wss), not "xx://example.com".',
    '--worker-window takes a whole number from 1 to 1024, not "many".',
  ]);
  expect((await refusal('', '--borker', 'x')).code).toBe(2);
});

test('tags and facts that make no sense are left out with a warning, and the host is online', async () => {
  const folder = tempDir(testScope());
  const [tags, facts] = [path.join(folder, 'tags.toml'), path.join(folder, 'facts.json')];
  writeFileSync(tags, 'site = "lab"\n[rack]\nrow = 1\n');
  writeFileSync(facts, '{"fqdn":"named.example","insights_id":{"deep":true}}');
  const host = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--tags-file', tags, '--facts-file', facts],
  });
  await host.yggd.says({ msg: 'a tag is not a single value, it is left out', level: 'warn' });
  await host.yggd.says({
    msg: 'a fact is neither a text nor a list of texts, it is left out',
    level: 'warn',
  });
  const status = host.server.statuses.at(-1);
  expect(status && contentOf(status)).toMatchObject({
    tags: { site: 'lab' },
    canonical_facts: { fqdn: 'named.example', insights_id: expect.any(String) },
  });
  await host.server.answer(await host.server.send({ directive: 'echo' }));
});
