import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { type Loaded, loadOptions, optionsWith } from '../../../src/config/load.ts';
import type { Environment } from '../../../src/config/options.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const environment: Environment = {
  uid: 0,
  currentDirectory: '/somewhere',
  homeDirectory: '/home/me',
  temporaryDirectory: '/tmp',
  variables: {},
};

interface Given {
  readonly flags?: Readonly<Record<string, readonly string[]>>;
  readonly host?: string;
  readonly vendor?: string;
  readonly environment?: Environment;
}

function load({ flags = {}, host, vendor, environment: from = environment }: Given): Loaded {
  const hostFile = path.join(dir, 'config.toml');
  const vendorFile = path.join(dir, 'vendor.toml');
  if (host !== undefined) writeFileSync(hostFile, host);
  if (vendor !== undefined) writeFileSync(vendorFile, vendor);
  return loadOptions({ flags, environment: from, hostFile, vendorFile });
}

/** The mistakes that are told, one a line, without the directory. */
function mistakes(given: Given): { code: string; lines: string[] } {
  try {
    load(given);
  } catch (error) {
    if (!(error instanceof YggError)) throw error;
    return { code: error.code, lines: error.message.replaceAll(`${dir}/`, '').split('\n') };
  }
  return { code: '', lines: [] };
}

describe('which of several holds', () => {
  test('flags, then the file of the host, then that of the distribution, then defaults', () => {
    const { options, files } = load({
      flags: { 'log-level': ['debug'] },
      host: 'log-level = "error"\ntopic-prefix = "host"\n',
      vendor: 'log-level = "trace"\ntopic-prefix = "vendor"\nworker-dir = "/usr/libexec/yggdrasil"\n',
    });
    expect(options).toMatchObject({
      logLevel: 'debug',
      topicPrefix: 'host',
      workerDir: ['/usr/libexec/yggdrasil'],
      mqttKeepAlive: 30_000,
    });
    expect(files.map((file) => path.basename(file))).toEqual(['config.toml', 'vendor.toml']);
  });

  test('no file at all is fine', () => {
    expect(load({}).options).toMatchObject({ protocol: 'none', broker: [], logLevel: 'info' });
  });

  test('a file that was named must be there', () => {
    expect(() => loadOptions({ flags: {}, environment, file: path.join(dir, 'gone.toml') })).toThrow(
      /gone\.toml is not there/,
    );
  });

  test('the result cannot be changed', () => {
    const { options } = load({ host: 'broker = ["tcp://a"]' });
    expect(Object.isFrozen(options) && Object.isFrozen(options.broker)).toBe(true);
  });
});

describe('directories', () => {
  test('of root', () => {
    expect(load({}).options).toMatchObject({
      runtimeDir: '/run/yggdrasil',
      stateDir: '/var/lib/yggdrasil',
      socketAddr: '/run/yggdrasil/dispatcher.sock',
      tagsFile: '/etc/yggdrasil/tags.toml',
    });
  });

  test('of other users', () => {
    expect(load({ environment: { ...environment, uid: 1000 } }).options).toMatchObject({
      runtimeDir: '/tmp/yggdrasil-1000',
      stateDir: '/home/me/.local/state/yggdrasil',
    });
    const variables = { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: '/home/me/state' };
    expect(load({ environment: { ...environment, uid: 1000, variables } }).options).toMatchObject({
      runtimeDir: '/run/user/1000/yggdrasil',
      stateDir: '/home/me/state/yggdrasil',
    });
  });

  test('of systemd come first, the first of several', () => {
    const variables = { RUNTIME_DIRECTORY: '/run/a:/run/b', STATE_DIRECTORY: '/var/lib/a' };
    expect(load({ environment: { ...environment, variables } }).options).toMatchObject({
      runtimeDir: '/run/a',
      stateDir: '/var/lib/a',
    });
  });

  test('paths count from the current directory, and what depends on them follows', () => {
    const { options } = load({
      flags: { 'runtime-dir': ['r'], 'config-dir': ['c'], 'worker-dir': ['w', '/x'] },
    });
    expect(options).toMatchObject({
      runtimeDir: '/somewhere/r',
      socketAddr: '/somewhere/r/dispatcher.sock',
      tagsFile: '/somewhere/c/tags.toml',
      workerDir: ['/somewhere/w', '/x'],
    });
  });
});

describe('values', () => {
  test('scalar or list', () => {
    expect(load({ host: 'server = "tcp://a:1883"\nca-root = "/ca.pem"' }).options).toMatchObject({
      broker: ['tcp://a:1883'],
      caRoot: ['/ca.pem'],
      protocol: 'mqtt',
    });
    expect(load({ host: 'broker = ["tcp://a", "ssl://b:1"]\nlog-level = ["DEBUG"]' }).options).toMatchObject({
      broker: ['tcp://a', 'ssl://b:1'],
      logLevel: 'debug',
    });
  });

  test('an empty text is not set', () => {
    expect(
      load({ host: 'cert-file = ""\nkey-file = ""\nclient-id = ""\ndata-host = ""' }).options,
    ).toMatchObject({
      certFile: undefined,
      clientId: undefined,
      dataHost: undefined,
    });
  });

  test('durations, sizes, limits, choices and switches, from files and from flags', () => {
    const expected = {
      mqttKeepAlive: 60_000,
      disconnectHold: 5_400_000,
      maxContentSize: 65_536,
      inboxLimit: { messages: 10, bytes: 3_221_225_472 },
      doneLimit: { messages: 5, age: 86_400_000 },
      mqttVersion: 5,
      cleanSession: true,
    };
    expect(
      load({
        host: [
          'mqtt-keep-alive = 60000000000',
          'disconnect-hold = "1h30m"',
          'max-content-size = 65536',
          'inbox-limit = "10 / 3GiB"',
          'done-limit = "5/1d"',
          'mqtt-version = 5',
          'clean-session = true',
        ].join('\n'),
      }).options,
    ).toMatchObject(expected);
    expect(
      load({
        flags: {
          'mqtt-keep-alive': ['1m'],
          'disconnect-hold': ['90m'],
          'max-content-size': ['64KiB'],
          'inbox-limit': ['10 / 3GiB'],
          'done-limit': ['5/1d'],
          'mqtt-version': ['5'],
          'clean-session': ['true'],
        },
      }).options,
    ).toMatchObject(expected);
    expect(load({ host: 'disconnect-hold = "never"' }).options.disconnectHold).toBe(Number.POSITIVE_INFINITY);
  });

  test('the zeros of the Go daemon stand for defaults', () => {
    expect(
      load({ host: 'mqtt-reconnect-delay = 0\nhttp-timeout = 0\nhttp-retries = 0' }).options,
    ).toMatchObject({
      mqttReconnectDelay: 500,
      httpTimeout: 600_000,
      httpRetries: 0,
    });
  });

  test('an abstract socket is not used', () => {
    const { options, warnings } = load({ host: 'socket-addr = "@yggd"\nprotocol = "none"' });
    expect(options.socketAddr).toBe('/run/yggdrasil/dispatcher.sock');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('config.toml:1:1: socket-addr is not used');
    expect(load({ host: 'socket-addr = "unix:/run/y.sock"' }).options.socketAddr).toBe('/run/y.sock');
  });
});

describe('the configuration of the Go daemons', () => {
  test('0.1', () => {
    const { options, warnings } = load({
      host: [
        'broker = ["mqtts://connect.example.com:443"]',
        'cert-file = "/etc/pki/consumer/cert.pem"',
        'key-file = "/etc/pki/consumer/key.pem"',
        'ca-root = ["/etc/rhsm/ca.pem"]',
        'log-level = "error"',
        'topic-prefix = "redhat/insights"',
        'data-host = "cert.example.com"',
        'protocol = "mqtt"',
        'client-id = "a"',
        'exclude-worker = ["one", "two"]',
      ].join('\n'),
    });
    expect(warnings).toEqual([]);
    expect(options).toMatchObject({ topicPrefix: 'redhat/insights', excludeWorker: ['one', 'two'] });
  });

  test('0.2 to 0.4', () => {
    const { options, warnings } = load({
      host: [
        'server = ["tcp://localhost:1883"]',
        'protocol = "mqtt"',
        'path-prefix = "yggdrasil"',
        'facts-file = "/var/lib/yggdrasil/canonical-facts.json"',
        'http-retries = 3',
        'http-timeout = "30s"',
        'mqtt-connect-retry = true',
        'mqtt-connect-retry-interval = "30s"',
        'mqtt-auto-reconnect = false',
        'mqtt-reconnect-delay = "0s"',
        'mqtt-connect-timeout = "30s"',
        'mqtt-publish-timeout = 30000000000',
        'message-journal = "/var/lib/yggdrasil/journal.db"',
      ].join('\n'),
    });
    expect(options).toMatchObject({ broker: ['tcp://localhost:1883'], mqttPublishTimeout: 30_000 });
    expect(warnings.map((warning) => warning.replace(`${dir}/`, ''))).toEqual([
      'config.toml:9:1: mqtt-auto-reconnect has no effect: a lost connection is always made again.',
      'config.toml:13:1: message-journal has no effect: unfinished messages are always kept on disk, below state-dir.',
    ]);
  });

  test('names of both generations', () => {
    expect(load({ host: 'canonical-facts = "/f.json"' }).options.factsFile).toBe('/f.json');
    expect(load({ flags: { server: ['tcp://a', 'tcp://b'] } }).options.broker).toEqual([
      'tcp://a',
      'tcp://b',
    ]);
  });

  test('brokers may be reached by websockets', () => {
    expect(load({ host: 'broker = ["ws://a", "wss://me:secret@a/mqtt"]' }).options.broker).toEqual([
      'ws://a',
      'wss://me:secret@a/mqtt',
    ]);
  });

  test('MQTT 5 is taken, with a warning where the embedded broker does not speak it', () => {
    const { options, warnings } = load({ host: 'broker = "tcp://a"\nmqtt-version = 5' });
    expect(options.mqttVersion).toBe(5);
    expect(warnings).toEqual([]);
    expect(load({ host: 'broker = "embedded"\nmqtt-version = 5' }).warnings).toEqual([
      expect.stringContaining('mqtt-version has no effect'),
    ]);
  });

  test('http is refused with a sentence', () => {
    expect(mistakes({ host: 'protocol = "http"' }).lines[0]).toMatch(
      /^config\.toml:1:12: protocol "http".*not supported/,
    );
  });
});

describe('mistakes', () => {
  test('a name nobody knows: place, value, nearest name', () => {
    expect(mistakes({ host: '# mine\nbroker = "tcp://a"\nlog-levl = "debug"\n' })).toEqual({
      code: 'YGG_CONFIG',
      lines: ['config.toml:3:1: log-levl ("debug") is not an option; did you mean log-level?'],
    });
    expect(mistakes({ host: '[workers]\na = 1\n' }).lines).toEqual([
      'config.toml:1:2: workers (a table) is not an option; yggd --help lists them.',
    ]);
  });

  test('a value of the wrong kind: place of the value, what it takes', () => {
    expect(
      mistakes({
        host: [
          'mqtt-keep-alive = "soon"',
          '  max-message-size   =   true',
          'mqtt-version = 3',
          'broker = [1]',
          'log-level = "loud"',
          'http-retries = -1',
          'clean-session = "perhaps"',
          'inbox-limit = "many"',
          'client-id = ["a", "b"]',
        ].join('\n'),
      }).lines,
    ).toEqual([
      'config.toml:1:19: mqtt-keep-alive takes a duration such as "30s" or "5m", from 5s to 65535s, not "soon".',
      'config.toml:2:26: max-message-size takes a size such as "2MiB", from 1KiB to 256MiB, not true.',
      'config.toml:3:16: mqtt-version takes 4 or 5, not 3.',
      'config.toml:4:10: broker takes a URL, or a list of them, not [1].',
      'config.toml:5:13: log-level takes error, warn, info, debug or trace, not "loud".',
      'config.toml:6:16: http-retries takes a whole number from 0 to 1000, not -1.',
      'config.toml:7:17: clean-session takes true or false, not "perhaps".',
      'config.toml:8:15: inbox-limit takes a number of messages and their bytes such as "250000 / 2GiB", not "many".',
      'config.toml:9:13: client-id takes a text, not ["a", "b"].',
    ]);
  });

  test('a bare number below a millisecond is refused with the likely spelling', () => {
    expect(mistakes({ host: 'mqtt-keep-alive = 30\nhttp-timeout = 5000' }).lines).toEqual([
      'config.toml:1:19: mqtt-keep-alive is 30 nanoseconds, for a bare number means nanoseconds; write "30s" if that is meant.',
      'config.toml:2:16: http-timeout is 5000 nanoseconds, for a bare number means nanoseconds; write "5000ms" if that is meant.',
    ]);
  });

  test('flags are named as flags, and are a matter of usage', () => {
    expect(mistakes({ flags: { 'mqtt-version': ['3'] } })).toEqual({
      code: 'YGG_USAGE',
      lines: ['--mqtt-version takes 4 or 5, not "3".'],
    });
  });

  test('text that is not TOML', () => {
    expect(mistakes({ host: 'broker = "tcp://a\n' }).lines[0]).toMatch(/^config\.toml:\d+:\d+: /);
    expect(mistakes({ host: 'log-level = "info"\nlog-level = "warn"\n' }).lines[0]).toMatch(
      /^config\.toml:2:1: /,
    );
    writeFileSync(path.join(dir, 'config.toml'), Buffer.from([0x61, 0xff, 0xfe]));
    expect(mistakes({}).lines).toEqual(['config.toml is not UTF-8 text.']);
  });

  test('passwords are not repeated', () => {
    const { lines } = mistakes({ host: 'broker = "http://me:secret@a"' });
    expect(lines[0]).toContain('http://…@a');
    expect(lines[0]).not.toContain('secret');
  });

  test('a broker that is refused is not missing as well', () => {
    expect(mistakes({ host: 'protocol = "mqtt"\nbroker = "xx://a"' }).lines).toEqual([
      expect.stringContaining('takes "embedded" or a URL'),
    ]);
  });

  test('no password of a broker, whatever is in it', () => {
    for (const password of ['a@secret', 'a/secret', 'secret%']) {
      const { lines } = mistakes({ host: `broker = "tcp://me:${password}@a:99999"` });
      expect(lines[0]).toContain('tcp://…@a');
      expect(lines[0]).not.toContain('secret');
    }
    expect(mistakes({ host: 'broker = "tcp://me:50%@a"' }).lines[0]).toContain('write %25');
  });

  test('parts of topics', () => {
    expect(mistakes({ host: 'client-id = "a/b"\ntopic-prefix = "a/#"' }).lines).toEqual([
      'config.toml:1:13: client-id is part of a topic and must not contain "/".',
      'config.toml:2:16: topic-prefix is part of a topic and must not contain "#".',
    ]);
  });

  test('options that contradict each other', () => {
    expect(
      mistakes({
        host: [
          'cert-file = "/c.pem"',
          'broker = ["embedded", "tcp://a"]',
          'mqtt-reconnect-delay = "2m"',
          'server = "tcp://b"',
        ].join('\n'),
      }).lines,
    ).toEqual([
      'config.toml:4:1: server is another name of broker; keep one of the two.',
      'config.toml:1:1: cert-file needs key-file, the private key of the certificate.',
      'config.toml:2:1: broker takes "embedded" alone, or the URLs of brokers elsewhere.',
      'config.toml:3:1: mqtt-reconnect-delay is the shortest wait and must not be longer than mqtt-connect-retry-interval.',
    ]);
    expect(mistakes({ host: 'protocol = "mqtt"' }).lines[0]).toContain('there is no broker');
  });

  test('the place is that of the statement, not of a look-alike in a text', () => {
    expect(
      mistakes({ host: 'topic-prefix = """\nlog-levl = 1\n"""\nworker-dir = [\n  "/a",\n]\nlog-levl = 2\n' })
        .lines[0],
    ).toMatch(/^config\.toml:7:1: /);
  });
});

test('no broker at all is said', () => {
  expect(load({}).warnings).toEqual([expect.stringContaining('No broker is configured')]);
  expect(load({ host: 'protocol = "none"' }).warnings).toEqual([]);
  expect(load({ host: 'protocol = "none"\nbroker = "tcp://a"' }).warnings[0]).toContain(
    'broker has no effect',
  );
});

test('a program gives what it wants and gets the rest', () => {
  const options = optionsWith({ broker: ['embedded'], runtimeDir: 'r', logLevel: 'warn' }, environment);
  expect(options).toMatchObject({
    protocol: 'mqtt',
    runtimeDir: '/somewhere/r',
    socketAddr: '/somewhere/r/dispatcher.sock',
    workerWindow: 64,
  });
  expect(() => optionsWith({ certFile: '/c.pem' }, environment)).toThrow(/cert-file needs key-file/);
});
