/**
 * The embedded broker: `broker = ["embedded"]` starts it inside the daemon, for trying things out and for tests.
 *
 * Owns a listener on a random loopback port, an aedes broker behind it, and the access file in the runtime
 * directory. It carries the four topics of one host and nothing else, lets nobody in without the password of that
 * file, and keeps sessions in memory: they live as long as the daemon.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { within } from '../base/deadline.ts';
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { removeEmbeddedAccess, writeEmbeddedAccess } from './embedded-access.ts';
import { watchBacklog } from './embedded-backlog.ts';

export interface EmbeddedBrokerDeps {
  /** 0700 and ours; gets `embedded.json`. */
  readonly runtimeDir: string;
  /** The host whose topics it carries, and the only client whose session outlives a connection. */
  readonly clientId: string;
  readonly topicPrefix: string;
  readonly log: Logger;
  /** Messages kept for the host while it is away or does not acknowledge; beyond it publishers are refused. */
  readonly backlogLimit?: number;
}

export interface EmbeddedBroker {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Disconnects everybody, stops listening and removes the access file. */
  close(): Promise<void>;
}

const username = 'yggd';
const connectionLimit = 64;
/** Bytes a connection may send before it has shown the password. */
const strangerLimit = 64 * 1024;
/** Milliseconds a connection may take to show the password. */
const strangerDeadline = 5_000;
/** Milliseconds a client may leave its socket full; while it does, everybody's messages wait for it. */
const slowReaderDeadline = 2_000;
const closeDeadline = 3_000;
/** MQTT 3.1.1, 3.2.2.3. */
const badUserNameOrPassword = 4;

export async function startEmbeddedBroker(deps: EmbeddedBrokerDeps): Promise<EmbeddedBroker> {
  const { runtimeDir, clientId, topicPrefix, log, backlogLimit = 10_000 } = deps;
  const password = randomBytes(24).toString('base64url');
  const base = `${topicPrefix}/${clientId}`;
  const toHost: ReadonlySet<string> = new Set([`${base}/control/in`, `${base}/data/in`]);
  const topics: ReadonlySet<string> = new Set([...toHost, `${base}/control/out`, `${base}/data/out`]);

  const broker = await Aedes.createBroker({
    connectTimeout: strangerDeadline,
    drainTimeout: slowReaderDeadline,
  });
  const backlog = watchBacklog({ broker, clientId, topics: toHost });
  broker.preConnect = (_client, packet, callback) => {
    // Only the host comes back for what it missed; anybody else's session would grow for nobody.
    if (packet.clientId !== clientId) packet.clean = true;
    callback(null, true);
  };
  broker.authenticate = (_client, name, given, done) => {
    if (name === username && given && sameSecret(given, password)) done(null, true);
    else done(refusal(), null);
  };
  broker.authorizePublish = (_client, { topic, qos }, callback) => {
    if (!topics.has(topic)) callback(new Error(`${topic} is not a topic of this host`));
    else if (qos > 0 && toHost.has(topic) && backlog.size >= backlogLimit)
      callback(new Error(`${backlogLimit} messages wait for the host`));
    else callback(null);
  };
  broker.authorizeSubscribe = (_client, subscription, callback) =>
    callback(null, topics.has(subscription.topic) ? subscription : null);

  const refused = (client: Client, error: Error): void =>
    log.debug({ client_id: client.id, error: error.message }, 'embedded broker: a client was disconnected');
  broker.on('clientError', refused);
  broker.on('connectionError', refused);
  const emitter: EventEmitter = broker;
  emitter.on('error', (error: Error) => log.error({ error: error.message }, 'embedded broker'));

  const strangers = new Set<Duplex>();
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    strangers.add(socket);
    socket.once('close', () => strangers.delete(socket));
    // Before the broker's own listener: an unknown connection must not fill the parser's buffer.
    socket.on('readable', () => {
      if (strangers.has(socket) && socket.bytesRead > strangerLimit) socket.destroy();
    });
    broker.handle(socket);
  });
  broker.on('client', (client) => strangers.delete(client.conn));
  server.maxConnections = connectionLimit;

  async function close(): Promise<void> {
    removeEmbeddedAccess(runtimeDir);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of strangers) socket.destroy();
    await within({ step: 'embedded broker: close', ms: closeDeadline }, async () => {
      await new Promise<void>((resolve) => broker.close(resolve));
      await closed;
    });
  }

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') {
      throw new YggError('YGG_INTERNAL', 'The embedded broker has no port.');
    }
    const url = `mqtt://127.0.0.1:${address.port}`;
    writeEmbeddedAccess(runtimeDir, { url, username, password, clientId, topicPrefix });
    return { url, username, password, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function sameSecret(given: Buffer, secret: string): boolean {
  const expected = Buffer.from(secret);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function refusal(): AuthenticateError {
  return Object.assign(new Error('wrong user name or password'), { returnCode: badUserNameOrPassword });
}
