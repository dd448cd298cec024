/** The control socket from both ends: every call, its errors, its limits, its end. */
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, onTestFinished, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import type {
  Control,
  DaemonEvent,
  DaemonStatus,
  DispatchProgress,
  MessageQuery,
  WorkerStatus,
} from '../../../src/control-api.ts';
import type { MessageRecord } from '../../../src/journal/message-record.ts';
import { type ControlClient, connectControl } from '../../../src/rpc/control-client.ts';
import { codeTrailer, loadControlProtocol } from '../../../src/rpc/control-protocol.ts';
import { openControlSocket } from '../../../src/rpc/control-socket.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const worker: WorkerStatus = {
  handler: 'echo',
  file: '/workers/echo-worker',
  pid: 71,
  state: 'registered',
  since: 1_795_174_386_518,
  restarts: 1,
  reason: 'none',
  features: { version: '1' },
  detached: true,
  redelivery: 'until-done',
  slots: 64,
  waiting: 1,
  offered: 2,
  inHand: 3,
  oldestAt: 4,
  health: [{ name: 'disk', healthy: false, status: '{}' }],
};

const status: DaemonStatus = {
  version: '1.2.3',
  clientId: 'host-1',
  pid: 17,
  startedAt: 5,
  logLevel: 'info',
  broker: { state: 'waiting', since: 6, url: 'u', reason: 'r', nextAttempt: 7 },
  disk: { trouble: 'full', since: 8 },
  inbox: { messages: 1, bytes: 2, messageLimit: 3, byteLimit: 2 ** 40 },
  outbox: { messages: 5, bytes: 6, messageLimit: 7, byteLimit: 8 },
  waiting: 1,
  offered: 2,
  inHand: 3,
  dead: 4,
  workers: [worker],
  unattended: [{ directive: 'lost', waiting: 9 }],
  alarms: [{ at: 10, sentence: 'Ünwell.' }],
  counters: { messages_received: 11 },
  restartAt: 12,
};

const record: Omit<MessageRecord, 'contentFile'> = {
  sequence: 2 ** 40,
  kind: 'request',
  messageId: 'm',
  responseTo: 'r',
  directive: 'echo',
  state: 'dead',
  reason: 'no-worker',
  explanation: 'None came.',
  report: 'reported',
  size: 1,
  queuedAt: 2,
  startedAt: 3,
  updatedAt: 4,
  attempts: 5,
  cancel: true,
  origin: 'local',
  redelivery: 'until-done',
};

const progress: DispatchProgress = {
  state: 'answered',
  sequence: 1,
  messageId: 'm',
  attended: true,
  pid: 2,
  attempts: 3,
  metadata: { a: 'b' },
  content: Buffer.from([0, 255]),
  reason: 'r',
  explanation: 'e',
};

const event: DaemonEvent = {
  at: 1,
  name: 'data-recv',
  sequence: 2,
  messageId: 'm',
  responseTo: 'r',
  directive: 'd',
  pid: 3,
  file: 'f',
  attempts: 4,
  outcome: 'o',
  explanation: 'e',
  dropped: 5,
};

const query: MessageQuery = { directive: 'echo', states: ['done', 'in-hand'], since: 1, until: 2, limit: 3 };
const key = { sequence: 4, messageId: 'm' };

/** Answers every call with what it was asked kept in `asked`. */
function fakeControl(asked: unknown[], changed: Partial<Control> = {}): Control {
  const whole: MessageRecord = { ...record, contentFile: 'not to be seen' };
  const one = async (given: unknown): Promise<MessageRecord> => {
    asked.push(given);
    return whole;
  };
  async function* two<T>(given: unknown, answer: T): AsyncIterable<T> {
    asked.push(given);
    yield answer;
    yield answer;
  }
  return {
    status: async () => status,
    workers: async () => [worker],
    listMessages: (given) => two(given, whole),
    showMessage: one,
    content: (given) => two(given, { metadata: { a: 'b' }, content: Buffer.from('x') }),
    listDeadLetters: (given) => two(given, whole),
    showDeadLetter: one,
    retryDeadLetter: one,
    dropDeadLetter: one,
    dispatch: (given) => two(given, progress),
    events: () => two('events', event),
    reload: async () => ({ applied: ['log-level'], needRestart: ['broker'] }),
    restart: async (given) => {
      asked.push(given);
      return { latestAt: 5, inHand: 6 };
    },
    setLogLevel: async (level) => void asked.push(level),
    ...changed,
  };
}

interface Rig {
  readonly path: string;
  readonly asked: unknown[];
  readonly client: ControlClient;
  close(): void;
}

async function serve(changed: Partial<Control> = {}, deadline = 5_000): Promise<Rig> {
  const folder = mkdtempSync(path.join(tmpdir(), 'control-'));
  const socketPath = path.join(folder, 'control.sock');
  const asked: unknown[] = [];
  const control = fakeControl(asked, changed);
  const socket = await openControlSocket({ path: socketPath, control, maxMessageSize: 1_000 });
  const client = connectControl({ path: socketPath, deadline });
  onTestFinished(() => {
    client.close();
    socket.close();
    rmSync(folder, { recursive: true });
  });
  return { path: socketPath, asked, client, close: () => socket.close() };
}

async function collect<T>(given: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of given) all.push(each);
  return all;
}

const never = new AbortController().signal;

describe('every call', () => {
  test('arrives as it was asked, and its answer as it was given', async () => {
    const { client, asked } = await serve();
    expect(await client.status()).toEqual(status);
    expect(await client.workers()).toEqual([worker]);
    expect(await collect(client.listMessages(query, never))).toEqual([record, record]);
    expect(await collect(client.listDeadLetters(query, never))).toEqual([record, record]);
    expect(await client.showMessage(key)).toEqual(record);
    expect(await client.showDeadLetter(key)).toEqual(record);
    expect(await client.retryDeadLetter(key)).toEqual(record);
    expect(await client.dropDeadLetter(key)).toEqual(record);
    const [part] = await collect(client.content(key, never));
    expect(part).toMatchObject({ metadata: { a: 'b' }, content: Buffer.from('x') });
    const request = { directive: 'echo', metadata: { a: 'b' }, content: Buffer.from('1') };
    expect(await collect(client.dispatch(request, never))).toEqual([progress, progress]);
    expect(await collect(client.events(never))).toEqual([event, event]);
    expect(await client.reload()).toEqual({ applied: ['log-level'], needRestart: ['broker'] });
    const wish = { whenIdle: true, idleFor: 1, within: 2 };
    expect(await client.restart(wish)).toEqual({ latestAt: 5, inHand: 6 });
    await client.setLogLevel('debug');
    expect(asked).toEqual([query, query, key, key, key, key, key, request, 'events', wish, 'debug']);
  });

  test('of the file is served', () => {
    const file = new URL('../../../protocol/control.proto', import.meta.url).pathname;
    const service = loadSync(file)['yggdrasil.Control'];
    expect(Object.keys(service ?? {}).sort()).toEqual(Object.keys(loadControlProtocol()).sort());
  });

  test('is in a file that goes together with the protocol of workers', () => {
    const files = ['control.proto', 'yggdrasil.proto'];
    const folder = new URL('../../../protocol/', import.meta.url).pathname;
    expect(() => loadSync(files, { includeDirs: [folder] })).not.toThrow();
  });
});

describe('a failure', () => {
  test('keeps its code and its sentence', async () => {
    const { client } = await serve({
      showMessage: async () => {
        throw new YggError('YGG_NOT_FOUND', 'There is no message "ü\n", or it was forgotten.');
      },
      dispatch: () => {
        throw new YggError('YGG_CLOSED', 'The daemon is stopping.');
      },
      // biome-ignore lint/correctness/useYield: it fails before it gives anything
      async *listMessages() {
        throw new YggError('YGG_JOURNAL_IO', 'The disk.');
      },
    });
    await expect(client.showMessage(key)).rejects.toMatchObject({
      code: 'YGG_NOT_FOUND',
      message: 'There is no message "ü\n", or it was forgotten.',
    });
    const request = { directive: 'echo', metadata: {}, content: Buffer.from('1') };
    await expect(collect(client.dispatch(request, never))).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await expect(collect(client.listMessages(query, never))).rejects.toMatchObject({
      code: 'YGG_JOURNAL_IO',
    });
  });

  test('of the program itself is one too', async () => {
    const { client } = await serve({ status: () => Promise.reject(new TypeError('oops')) });
    await expect(client.status()).rejects.toMatchObject({ code: 'YGG_INTERNAL', message: 'oops' });
  });

  test('is a gRPC status with the code as a trailer, for other programs', async () => {
    const { path: socketPath } = await serve();
    const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
    const { SetLogLevel } = loadControlProtocol();
    const error = await new Promise<{ code?: number; metadata?: { get(name: string): unknown[] } } | null>(
      (resolve) =>
        client.makeUnaryRequest(
          SetLogLevel.path,
          SetLogLevel.requestSerialize,
          SetLogLevel.responseDeserialize,
          { level: 'loud' },
          (failure) => resolve(failure),
        ),
    );
    client.close();
    expect(error?.code).toBe(3);
    expect(error?.metadata?.get(codeTrailer)).toEqual(['YGG_USAGE']);
  });

  test('a word that is none is refused', async () => {
    const { client, asked } = await serve();
    const states = ['lost'] as unknown as MessageQuery['states'];
    await expect(collect(client.listMessages({ ...query, states }, never))).rejects.toMatchObject({
      code: 'YGG_USAGE',
      message: expect.stringContaining('"lost" is no state'),
    });
    expect(asked).toEqual([]);
  });

  test('a content that is larger than any message may be is not even read', async () => {
    const { client, asked } = await serve();
    const request = { directive: 'echo', metadata: {}, content: Buffer.alloc(100_000) };
    await expect(collect(client.dispatch(request, never))).rejects.toMatchObject({
      code: 'YGG_MESSAGE_TOO_LARGE',
    });
    expect(asked).toEqual([]);
  });

  test('no answer in time is one', async () => {
    const { client } = await serve({ status: () => new Promise(() => {}) }, 50);
    await expect(client.status()).rejects.toMatchObject({ code: 'YGG_DEADLINE' });
  });

  test('nobody there is one', async () => {
    const { client, close } = await serve();
    close();
    await expect(client.status()).rejects.toMatchObject({ code: 'YGG_NOT_RUNNING' });
  });
});

/** Streams that go on until they are ended, and how many are under way. */
function endless() {
  const open = new Set<AbortSignal>();
  return {
    open,
    async *events(abort: AbortSignal): AsyncIterable<DaemonEvent> {
      open.add(abort);
      try {
        yield event;
        await new Promise((resolve) => abort.addEventListener('abort', resolve, { once: true }));
      } finally {
        open.delete(abort);
      }
    },
  };
}

describe('a stream', () => {
  test('ends on both sides when the caller leaves', async () => {
    const { open, events } = endless();
    const { client } = await serve({ events });
    const abort = new AbortController();
    const seen: DaemonEvent[] = [];
    for await (const each of client.events(abort.signal)) {
      seen.push(each);
      abort.abort();
    }
    expect(seen).toEqual([event]);
    await waitFor(() => open.size === 0, { what: 'its end in the daemon' });
  });

  test('ends with the socket, and the caller knows', async () => {
    const { open, events } = endless();
    const { client, close } = await serve({ events });
    const over = collect(client.events(never));
    await waitFor(() => open.size === 1, { what: 'its beginning' });
    close();
    await expect(over).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await waitFor(() => open.size === 0, { what: 'its end in the daemon' });
  });

  test('beyond 64 of them is refused, and there is room again when one ends', async () => {
    const { open, events } = endless();
    const { path: socketPath } = await serve({ events });
    // A connection carries fewer than all.
    const clients = [1, 2].map(() => connectControl({ path: socketPath, deadline: 5_000 }));
    onTestFinished(() => {
      for (const client of clients) client.close();
    });
    const aborts: AbortController[] = [];
    for (let count = 0; count < 64; count++) {
      const abort = new AbortController();
      aborts.push(abort);
      collect(clients[count % 2]?.events(abort.signal) ?? events(abort.signal)).catch(() => {});
    }
    await waitFor(() => open.size === 64, { what: '64 of them' });
    const further = () => collect(clients[0]?.events(never) ?? events(never));
    await expect(further()).rejects.toMatchObject({ code: 'YGG_BUSY' });
    aborts[0]?.abort();
    await waitFor(() => open.size === 63, { what: 'the end of one' });
    void further().catch(() => {});
    await waitFor(() => open.size === 64, { what: 'another one' });
    for (const abort of aborts) abort.abort();
  });

  test('is written no faster than it is read', async () => {
    let written = 0;
    async function* listMessages(): AsyncIterable<MessageRecord> {
      for (;;) {
        written += 1;
        yield { ...record, explanation: 'x'.repeat(10_000), contentFile: '' };
        if (written > 5_000) return;
      }
    }
    const { client } = await serve({ listMessages });
    const abort = new AbortController();
    const list = client.listMessages(query, abort.signal)[Symbol.asyncIterator]();
    await list.next();
    let before = -1;
    await waitFor(
      async () => {
        const same = before === written;
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return same;
      },
      { what: 'that it stands still' },
    );
    expect(written).toBeLessThan(1_000);
    abort.abort();
    await list.next();
  });
});

describe('the socket', () => {
  test('is for its owner alone, and is gone when it is closed', async () => {
    const { path: socketPath, close } = await serve();
    expect(lstatSync(socketPath).mode & 0o777).toBe(0o600);
    close();
    expect(lstatSync(socketPath, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('takes the place of nobody who listens', async () => {
    const { path: socketPath, client } = await serve();
    const control = fakeControl([]);
    const again = openControlSocket({ path: socketPath, control, maxMessageSize: 1_000 });
    await expect(again).rejects.toMatchObject({ code: 'YGG_ALREADY_RUNNING' });
    expect(await client.workers()).toHaveLength(1);
  });

  test('bears what is no gRPC', async () => {
    const { path: socketPath, client } = await serve();
    const raw = connect(socketPath);
    raw.on('error', () => {}).resume();
    raw.write('GET / HTTP/1.1\r\n\r\n\u0000\u0001nonsense');
    await new Promise((resolve) => raw.once('close', resolve));
    expect(await client.workers()).toHaveLength(1);
  });
});
