/** The built yggctl against real brokers; the host is played here. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { encodeData, encodeEvent, parseMessage } from '../../src/messages.ts';
import { type Certificates, createCertificates } from '../helpers/certificates.ts';
import { Child } from '../helpers/child.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';

const program = path.resolve(import.meta.dirname, '../../dist/cmd/yggctl.js');
const hostId = 'host-1';
const base = `yggdrasil/${hostId}`;

function yggctl(scope: Scope, ...words: string[]): Child {
  return new Child(scope, process.execPath, [program, ...words]);
}

async function end(child: Child): Promise<{ code: number | null; out: string; err: string }> {
  const { code } = await child.ended(20_000);
  return { code, out: child.stdout.join('\n'), err: child.stderr.join('\n') };
}

/** Answers pings and echoes data, as a daemon with an echo worker does. */
async function playHost(scope: Scope, url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const host = await connectAsync(url, { clientId: hostId, ...options });
  scope.defer(() => host.endAsync(true));
  host.on('message', (_topic, payload) => {
    const message = parseMessage(payload);
    const envelope = { messageId: randomUUID(), responseTo: message.messageId, sent: Date.now() };
    if (message.type === 'command' && message.command === 'ping') {
      host.publish(`${base}/control/out`, encodeEvent(envelope, 'pong'), { qos: 1 });
    }
    if (message.type === 'data') {
      const { directive, metadata, content } = message;
      host.publish(`${base}/data/out`, encodeData({ ...envelope, directive, metadata, content }), { qos: 1 });
    }
  });
  await host.subscribeAsync([`${base}/control/in`, `${base}/data/in`], { qos: 1 });
  return host;
}

/** A configuration of a daemon that uses the host's own certificate. */
function configuration(scope: Scope, url: string, certificates: Certificates): string {
  const folder = tempDir(scope);
  const { cert, key } = certificates.client(hostId);
  const file = path.join(folder, 'config.toml');
  const lines = { broker: [url], 'cert-file': cert, 'key-file': key, 'ca-root': [certificates.ca] };
  writeFileSync(
    file,
    Object.entries(lines)
      .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
      .join(''),
  );
  return file;
}

describe('through a broker with certificates', () => {
  test('everything comes from the daemon of this machine, with a word about its certificate', async () => {
    const scope = testScope();
    const certificates = createCertificates(scope);
    const broker = await startMosquitto(scope, { tls: certificates });
    const { cert, key } = certificates.client(hostId);
    const pem = (file: string): Buffer => readFileSync(file);
    await playHost(scope, broker.url, { ca: pem(certificates.ca), cert: pem(cert), key: pem(key) });

    const config = configuration(scope, broker.url, certificates);
    const { code, out, err } = await end(yggctl(scope, 'send', 'echo', 'hello', '--config', config));
    expect({ code, out }).toEqual({ code: 0, out: '"hello"' });
    expect(err).toMatch(/^warning: \S+ is the certificate of host-1 itself/);

    const own = certificates.client('operator');
    const words = ['--config', config, '--cert-file', own.cert, '--key-file', own.key];
    expect(await end(yggctl(scope, 'ping', ...words))).toEqual({
      code: 0,
      out: expect.stringMatching(/^pong from host-1 in [\d.]+ ms$/),
      err: '',
    });
  });

  test('a broker that is not trusted is not spoken to', async () => {
    const scope = testScope();
    const broker = await startMosquitto(scope, { tls: createCertificates(scope) });
    const { code, err } = await end(yggctl(scope, 'ping', '--to', hostId, '--broker', broker.url));
    expect(code).toBe(75);
    expect(err).toContain('could not be reached');
  });
});

describe('without an answer', () => {
  test('the words say what to check', async () => {
    const scope = testScope();
    const { url } = await startMosquitto(scope);
    const words = ['ping', '--to', hostId, '--broker', url, '--timeout', '500ms'];
    const { code, out, err } = await end(yggctl(scope, ...words));
    expect({ code, out }).toEqual({ code: 75, out: '' });
    expect(err).toContain('did not answer within 0.5 s');
    expect(err).toContain(`access list lets this client publish to ${base}/control/in`);
    expect(err).toContain('"yggdrasil" (--topic-prefix)');
  });

  test('and so they do when the broker closes the connection for it', async () => {
    const scope = testScope();
    const acl = path.join(tempDir(scope), 'acl');
    writeFileSync(acl, 'topic read yggdrasil/#\n');
    const { url } = await startMosquitto(scope, { lines: [`acl_file ${acl}`] });
    const { code, err } = await end(yggctl(scope, 'ping', '--to', hostId, '--broker', url));
    expect(code).toBe(75);
    expect(err).toContain(`check the access list for ${base}/control/in`);
  });
});

test('what a host says cannot command the terminal', async () => {
  const scope = testScope();
  const { url } = await startMosquitto(scope);
  const host = await connectAsync(url, { clientId: hostId });
  scope.defer(() => host.endAsync(true));
  host.on('message', (_topic, payload) => {
    const { messageId } = parseMessage(payload);
    const report = encodeData({
      messageId: randomUUID(),
      responseTo: messageId,
      sent: Date.now(),
      directive: 'echo',
      metadata: { status: 'failed', reason: 'no-worker' },
      content: Buffer.from('{"error":{"message":"\\u001b[2Jgone"}}'),
    });
    host.publish(`${base}/data/out`, report, { qos: 1 });
  });
  await host.subscribeAsync(`${base}/data/in`, { qos: 1 });
  const { code, err } = await end(yggctl(scope, 'send', 'echo', 'x', '--to', hostId, '--broker', url));
  expect({ code, err }).toEqual({
    code: 1,
    err: 'yggctl: host-1 gave the message up: no-worker: \\u001b[2Jgone.',
  });
});

describe('listen', () => {
  test('shows what passes, and ends well when it is interrupted', async () => {
    const scope = testScope();
    const broker = await startMosquitto(scope);
    await playHost(scope, broker.url);
    const where = ['--to', hostId, '--broker', broker.url];
    const listening = yggctl(scope, 'remote', 'listen', '--format', 'json', ...where);
    await waitFor(
      async () => {
        await end(yggctl(scope, 'send', 'echo', '1', ...where));
        return listening.stdout.length >= 2;
      },
      { what: 'message and answer', detail: () => listening.output },
    );
    listening.kill('SIGINT');
    expect(await end(listening)).toMatchObject({ code: 0, err: '' });
    const [question, answer] = listening.stdout.map((line) => JSON.parse(line));
    expect(question).toMatchObject({ topic: `${base}/data/in`, message: { directive: 'echo', content: 1 } });
    expect(answer).toMatchObject({
      topic: `${base}/data/out`,
      message: { response_to: question.message.message_id },
    });
  });

  test('ends when nobody reads it any longer', async () => {
    const scope = testScope();
    const broker = await startMosquitto(scope);
    const host = await playHost(scope, broker.url);
    const words = [process.execPath, program, 'remote', 'listen', '--to', hostId, '--broker', broker.url];
    const pipe = new Child(scope, 'sh', ['-c', `"$@" | head -n 1; echo over`, 'sh', ...words]);
    await waitFor(
      async () => {
        await host.publishAsync(`${base}/control/out`, '', { qos: 1 });
        return pipe.stdout.includes('over');
      },
      { what: 'its end', detail: () => pipe.output },
    );
    expect(pipe.stdout[0]).toContain(`${base}/control/out`);
    expect(pipe.stderr).toEqual([]);
  });

  test('says so when the broker goes', async () => {
    const scope = testScope();
    const broker = await startMosquitto(scope);
    const host = await playHost(scope, broker.url);
    const listening = yggctl(scope, 'remote', 'listen', '--to', hostId, '--broker', broker.url);
    await waitFor(
      async () => {
        await host.publishAsync(`${base}/control/out`, '', { qos: 1 });
        return listening.stdout.length > 0;
      },
      { what: 'first message', detail: () => listening.output },
    );
    await broker.kill();
    expect(await end(listening)).toMatchObject({ code: 75, err: expect.stringContaining('ended') });
  });
});

test.each([
  [['--version'], 0],
  [['--help'], 0],
  [[], 2],
  [['status-of-nothing'], 2],
  [['send', 'echo', 'x', '--raw', '--to', hostId, '--broker', 'mqtt://127.0.0.1:1'], 2],
  [['ping', '--to', hostId, '--broker', 'mqtt://127.0.0.1:1'], 75],
  [['ping', '--config', '/nonexistent.toml'], 78],
])('%j ends with status %i', async (words, status) => {
  const { code, out, err } = await end(yggctl(testScope(), ...words));
  expect(code).toBe(status);
  // Data and words do not mix.
  expect(status === 0 ? err : out).toBe('');
});
