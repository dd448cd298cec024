/**
 * The commands as they are typed, through a real broker, to a host that is played here.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { YggError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import {
  encodeConnectionStatus,
  encodeData,
  encodeEvent,
  type Message,
  parseMessage,
} from '../../../src/messages.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../../src/mqtt/embedded.ts';
import { connectRemoteClient, type RemoteClient } from '../../../src/mqtt/remote-client.ts';
import { createTopics } from '../../../src/mqtt/topics.ts';
import { addRemoteCommands } from '../../../src/remote/commands.ts';

const topics = createTopics('yggdrasil', 'host-1');

let runtimeDir: string;
let broker: EmbeddedBroker;
let host: RemoteClient;
/** What the host does with a message; nothing by default. */
let behave: (message: Message) => Promise<void> | void;
let received: Message[];

beforeAll(async () => {
  runtimeDir = mkdtempSync(path.join(tmpdir(), 'remote-'));
  broker = await startEmbeddedBroker({
    runtimeDir,
    clientId: 'host-1',
    topicPrefix: 'yggdrasil',
    log: silentLogger,
  });
  host = await connectRemoteClient({ ...broker, clientId: 'host-1', deadline: 5000 });
  await host.listen([topics.controlIn, topics.dataIn], (_topic, payload) => {
    const message = parseMessage(payload);
    received.push(message);
    void behave(message);
  });
});

beforeEach(() => {
  received = [];
  behave = () => {};
});

afterAll(async () => {
  await host.close();
  await broker.close();
  rmSync(runtimeDir, { recursive: true });
});

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly error: unknown;
}

interface World {
  readonly stdin?: string;
  /** Called with each piece of output. */
  readonly onOut?: (text: string) => void;
  readonly interrupted?: Promise<void>;
}

async function yggctl(words: readonly string[], world: World = {}): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const program = new Command('yggctl').exitOverride().configureOutput({
    writeOut: (text) => void out.push(text),
    writeErr: (text) => void err.push(text),
  });
  const screen = (add: (text: string) => void) => ({
    terminal: true,
    colour: false,
    write: async (text: string) => add(text),
  });
  addRemoteCommands(program, {
    connect: connectRemoteClient,
    createTopics,
    findDaemon: () => ({
      clientId: 'host-1',
      topicPrefix: 'yggdrasil',
      brokers: [broker.url],
      login: broker,
      caRoots: [],
    }),
    newClientId: () => `yggctl-${randomUUID()}`,
    newId: randomUUID,
    parseDuration: (text) => (text === 'bad' ? undefined : Number.parseFloat(text) * 1000),
    loadTls: () => ({ cert: undefined, key: undefined, ca: undefined, commonName: '' }),
    readFile: () => Buffer.alloc(0),
    readStdin: async () => Buffer.from(world.stdin ?? ''),
    interrupted: () => world.interrupted ?? new Promise(() => {}),
    clock: systemClock,
    out: screen((text) => {
      out.push(text);
      world.onOut?.(text);
    }),
    err: screen((text) => void err.push(text)),
  });
  const error = await program.parseAsync(words, { from: 'user' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { out: out.join(''), err: err.join(''), error };
}

const envelope = (responseTo = '') => ({ messageId: randomUUID(), responseTo, sent: Date.now() });

function answer(metadata: Record<string, string> | null = null): typeof behave {
  return async (message) => {
    if (message.type !== 'data') return;
    const { directive, content, messageId } = message;
    // First an answer to somebody else.
    await host.publish(
      topics.dataOut,
      encodeData({ ...envelope(randomUUID()), directive, metadata: null, content: Buffer.from('"other"') }),
    );
    await host.publish(topics.dataOut, encodeData({ ...envelope(messageId), directive, metadata, content }));
  };
}

const facts = {
  insights_id: '',
  machine_id: '',
  bios_uuid: '',
  subscription_manager_id: '',
  ip_addresses: [],
  mac_addresses: [],
  fqdn: '',
};

const say = (state: 'online' | 'offline'): Promise<void> =>
  host.publish(topics.controlOut, encodeConnectionStatus(envelope(), { facts, dispatchers: {}, state }));

describe('send', () => {
  test.each([
    [['send', 'echo', 'hello'], '"hello"\n'],
    [['remote', 'send', 'echo', 'hello'], '"hello"\n'],
    [['send', 'echo', '{"n":12345678901234567890}'], '{\n  "n": 12345678901234567890\n}\n'],
    [['send', 'echo', '--raw', '[1]'], '[\n  1\n]\n'],
    [['send', 'echo'], 'null\n'],
  ])('%j prints the answer %j', async (words, out) => {
    behave = answer();
    const ended = await yggctl(words);
    expect(ended).toMatchObject({ out, error: undefined });
    expect(ended.err).toMatch(/^echo on host-1 answered in [\d.]+ ms\n$/);
  });

  test('sends what servers send', async () => {
    behave = answer();
    await yggctl(['send', 'echo', '--metadata', 'a=1', '--metadata', 'b=2', '-'], { stdin: '{"big":1e400}' });
    expect(received).toEqual([
      {
        type: 'data',
        messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        responseTo: '',
        sent: expect.any(Number),
        directive: 'echo',
        metadata: { a: '1', b: '2' },
        content: Buffer.from('{"big":1e400}'),
      },
    ]);
  });

  test('--raw refuses before anything is sent', async () => {
    const { error } = await yggctl(['send', 'echo', '--raw', 'hello']);
    expect(error).toMatchObject({ code: 'YGG_USAGE' });
    expect(received).toEqual([]);
  });

  test('a failure report is printed, and is a failure', async () => {
    behave = async (message) => {
      await answer({ status: 'failed', reason: 'no-worker' })(
        message.type === 'data'
          ? {
              ...message,
              content: Buffer.from('{"error":{"code":"no-worker","message":"No worker took it."}}'),
            }
          : message,
      );
    };
    const { out, error } = await yggctl(['send', 'nobody', 'x']);
    expect(out).toContain('"No worker took it."');
    expect(error).toMatchObject({
      code: 'YGG_GIVEN_UP',
      message: 'host-1 gave the message up: no-worker: No worker took it.',
    });
  });

  test('no answer says what to check', async () => {
    const { error, out } = await yggctl(['send', 'echo', 'x', '--timeout', '0.1s']);
    expect(out).toBe('');
    expect(error).toMatchObject({ code: 'YGG_NO_ANSWER' });
    const words = String(error);
    for (const check of [
      'online',
      'access list',
      topics.dataIn,
      topics.dataOut,
      '--topic-prefix',
      'worker for "echo"',
    ]) {
      expect(words).toContain(check);
    }
  });
});

describe('ping', () => {
  test.each([[['ping']], [['remote', 'ping']]])('%j prints the round trip', async (words) => {
    behave = ({ messageId }) => host.publish(topics.controlOut, encodeEvent(envelope(messageId), 'pong'));
    const { out, error } = await yggctl(words);
    expect(error).toBeUndefined();
    expect(out).toMatch(/^pong from host-1 in [\d.]+ ms\n$/);
    expect(received).toMatchObject([{ type: 'command', command: 'ping' }]);
  });

  test('for programs in JSON', async () => {
    behave = ({ messageId }) => host.publish(topics.controlOut, encodeEvent(envelope(messageId), 'pong'));
    const { out } = await yggctl(['ping', '--format', 'json']);
    expect(JSON.parse(out)).toEqual({ host: 'host-1', round_trip_ms: expect.any(Number) });
  });

  test('a pong to somebody else is not ours', async () => {
    behave = () => host.publish(topics.controlOut, encodeEvent(envelope(randomUUID()), 'pong'));
    const { error } = await yggctl(['ping', '--timeout', '0.1s']);
    expect(error).toMatchObject({ code: 'YGG_NO_ANSWER' });
  });
});

test('listen prints all four topics until it is interrupted', async () => {
  const all = Object.values(topics);
  let interrupt: () => void = () => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const seen = new Set<string>();
  const running = yggctl(['remote', 'listen', '--format', 'json'], {
    interrupted,
    onOut: (text) => {
      seen.add(JSON.parse(text).topic);
      if (seen.size === all.length) interrupt();
    },
  });
  // Until the subscription is made nothing is heard, so it is said until it is.
  while (seen.size < all.length) {
    for (const topic of all) await host.publish(topic, encodeEvent(envelope(), 'pong'));
  }
  expect(await running).toMatchObject({ error: undefined });
  expect([...seen].sort()).toEqual([...all].sort());
});

describe('leaving the broker', () => {
  test('disconnect ends when the host has said goodbye', async () => {
    behave = () => say('offline');
    const { out, error } = await yggctl(['remote', 'disconnect']);
    expect(error).toBeUndefined();
    expect(out).toMatch(/^host-1 has left the broker/);
    expect(received).toMatchObject([{ command: 'disconnect' }]);
  });

  test('reconnect ends when it is back', async () => {
    behave = async () => {
      // A status from before is not a return.
      await say('online');
      await host.publish(topics.controlOut, encodeEvent(envelope(), 'disconnect'));
      await say('online');
    };
    const { out, err, error } = await yggctl(['remote', 'reconnect', '--delay', '2s']);
    expect(error).toBeUndefined();
    expect(err).toBe('host-1 has left the broker\n');
    expect(out).toMatch(/^host-1 is back after [\d.]+ ms\n$/);
    expect(received).toMatchObject([{ command: 'reconnect', arguments: { delay: '2' } }]);
  });

  test.each(['bad', '1.5s', '3601s'])('a delay of %s is refused', async (delay) => {
    const { error, err } = await yggctl(['remote', 'reconnect', '--delay', delay]);
    expect(error).toMatchObject({ code: 'commander.invalidArgument' });
    expect(err).toContain(`"${delay}"`);
    expect(received).toEqual([]);
  });
});

describe('what is typed wrong', () => {
  test.each([
    [['send'], 'commander.missingArgument'],
    [['sned', 'echo'], 'commander.unknownCommand'],
    [['ping', '--format', 'xml'], 'commander.invalidArgument'],
    [['ping', '--timeout', 'bad'], 'commander.invalidArgument'],
    [['ping', '--to', 'a/b', '--broker', 'mqtt://127.0.0.1:1'], 'YGG_CONFIG'],
    [['ping', '--to', 'a', '--broker', 'broker.example'], 'YGG_CONFIG'],
  ])('%j is %s', async (words, code) => {
    expect((await yggctl(words)).error).toMatchObject({ code });
  });
});

test('a broker that is not there is named', async () => {
  const { error } = await yggctl(['ping', '--to', 'a', '--broker', 'mqtt://127.0.0.1:1']);
  expect(error).toBeInstanceOf(YggError);
  expect(error).toMatchObject({
    code: 'YGG_BROKER_UNREACHABLE',
    message: expect.stringContaining('127.0.0.1:1'),
  });
});
