/**
 * A worker that says whatever it likes on its own socket to a dispatcher: calls with messages near to right ones and
 * with any bytes, Attach streams of such frames, and bytes that are no HTTP/2 at all.
 *
 * What must hold: nothing throws where nobody catches it, every call and stream is answered or ended, and the worker
 * beside it registers and is answered as if nothing were.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import fc, { type Arbitrary } from 'fast-check';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { parseProcessStat } from '../../../src/base/process-stat.ts';
import { defaultWorkerConfig } from '../../../src/config/worker-config.ts';
import { createCounters } from '../../../src/counters.ts';
import { createDatastore } from '../../../src/datastore.ts';
import { createDispatcher } from '../../../src/dispatcher/dispatcher.ts';
import { loadProtocol } from '../../../src/rpc/protocol.ts';
import { createSignals } from '../../../src/signals.ts';
import { near } from '../../helpers/near-inputs.ts';
import { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { MemoryJournal } from '../../unit/dispatcher/memory-journal.ts';
import { type Faults, watchFaults } from './faults.ts';

export interface Hostility {
  /** Generated messages, frames and connections. */
  readonly inputs: number;
  readonly calls: number;
  readonly frames: number;
  /** Calls that were answered, frames on streams that were still open: somebody made sense of them. */
  readonly understood: number;
  readonly failures: readonly string[];
}

/** One thing the worker does. */
type Deed =
  | { readonly kind: 'call'; readonly method: 'Register' | 'Send'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly frames: readonly Uint8Array[]; readonly cut: boolean }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

const { dispatcher: service } = loadProtocol();
const ownStart = parseProcessStat(readFileSync('/proc/self/stat', 'utf8'))?.startTime ?? '';
/** Deeds to one dispatcher, which is then stopped and has to come to its end. */
const deedsPerRound = 150;
const deedsAtOnce = 3;
const requestsPerRound = 32;
const hang = 20_000;

const words = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('echo', 'other') },
  { weight: 1, arbitrary: fc.oneof(fc.constantFrom('', '../../etc', 'a\0b', '__proto__'), fc.string()) },
);
const texts = fc.dictionary(words, fc.string(), { maxKeys: 3 });
const numbers = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.maxSafeNat() },
);
const ids = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((number) => `id-${number}`),
  fc.string(),
);
const lists = { maxLength: 3 };

/** Messages as the worker's side writes them; of some a few bytes are changed. */
function written(
  method: { readonly requestSerialize: (message: never) => Buffer },
  messages: Arbitrary<object>,
): Arbitrary<Uint8Array> {
  // What is generated here is of the right shape; the types of the daemon's side are stricter.
  const serialize = method.requestSerialize as unknown as (message: object) => Buffer;
  const right = messages.map((message) => serialize(message));
  return fc.oneof({ weight: 3, arbitrary: right }, { weight: 1, arbitrary: near(right) });
}

const registrations = written(
  service.Register,
  fc.record(
    {
      handler: words,
      pid: fc.oneof(fc.constant(process.pid), fc.integer()),
      detachedContent: fc.boolean(),
      features: texts,
    },
    { requiredKeys: [] },
  ),
);

const responses = written(
  service.Send,
  fc.record(
    { messageId: ids, metadata: texts, content: fc.uint8Array(), responseTo: ids, directive: words },
    { requiredKeys: [] },
  ),
);

const hello = fc.record({
  version: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(9) }),
  features: fc.subarray(['chunks', 'cancel', 'files', 'progress', 'results', 'health', 'x']),
  library: fc.string(),
  pid: fc.oneof(
    { weight: 8, arbitrary: fc.constant(process.pid) },
    { weight: 1, arbitrary: fc.constantFrom(1, 0, 2 ** 22) },
  ),
  startTime: fc.oneof(
    { weight: 8, arbitrary: fc.constant(ownStart) },
    { weight: 1, arbitrary: fc.constantFrom('1', '', 'x') },
  ),
  handlers: fc.array(
    fc.record({
      name: words,
      detached: fc.boolean(),
      features: texts,
      redelivery: fc.nat(4),
      concurrency: fc.nat(100),
      accepts: fc.boolean(),
    }),
    lists,
  ),
  inWork: fc.array(numbers, lists),
  unreceipted: fc.array(ids, lists),
});

const frames = written(
  service.Attach,
  fc.record(
    {
      accepted: fc.array(numbers, lists),
      progress: fc.array(fc.record({ delivery: numbers, data: fc.uint8Array() }), lists),
      answers: fc.array(
        fc.record({
          messageId: ids,
          responseTo: ids,
          directive: words,
          metadata: texts,
          content: fc.uint8Array(),
          delivery: numbers,
          totalSize: numbers,
          wantsResult: fc.boolean(),
        }),
        lists,
      ),
      chunks: fc.array(fc.record({ messageId: ids, content: fc.uint8Array() }), lists),
      outcomes: fc.array(
        fc.record({
          delivery: numbers,
          result: fc.nat(5),
          code: fc.string(),
          text: fc.string(),
          retry: fc.boolean(),
          delayMs: numbers,
        }),
        lists,
      ),
      pulls: fc.array(fc.record({ delivery: numbers, until: numbers }), lists),
      credit: numbers,
      health: fc.record({
        results: fc.array(fc.record({ name: words, healthy: fc.boolean(), status: fc.string() }), lists),
      }),
      goodbye: fc.record({ reason: fc.string() }),
    },
    { requiredKeys: [] },
  ),
);

const hellos = written(service.Attach, fc.record({ hello, credit: numbers }));

/** GetConfig is left out: who has asked waits in Send for what HTTP says, and nobody posts here. */
const deeds: Arbitrary<Deed> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      method: fc.constant('Register' as const),
      bytes: registrations,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      method: fc.constant('Send' as const),
      bytes: responses,
    }),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        hellos,
        fc.array(fc.oneof({ weight: 12, arbitrary: frames }, { weight: 1, arbitrary: hellos }), {
          minLength: 8,
          maxLength: 24,
        }),
        fc.boolean(),
      )
      .map(([first, rest, cut]) => ({ kind: 'stream' as const, frames: [first, ...rest], cut })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('bytes' as const),
      bytes: near(
        fc.uint8Array().map((rest) => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), rest])),
      ),
    }),
  },
);

/** Does `inputs` things, round after round, each with a new dispatcher. */
export async function hostileWorker(
  scope: Scope,
  { seed, inputs }: { readonly seed: number; readonly inputs: number },
): Promise<Hostility> {
  const faults = watchFaults(scope);
  const tally = { inputs: 0, calls: 0, frames: 0, understood: 0 };
  for (let round = 0; tally.inputs < inputs; round += 1) {
    const list = fc.sample(deeds, { seed: seed + round, numRuns: deedsPerRound });
    const done = await inRound(faults, async (socket) => {
      const queue = list.values();
      let understood = 0;
      const busy = async (): Promise<void> => {
        const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
          'grpc.use_local_subchannel_pool': 1,
        });
        for (const deed of queue) understood += await doDeed(client, socket, deed, faults);
        client.close();
      };
      await Promise.all(Array.from({ length: deedsAtOnce }, busy));
      return understood;
    });
    tally.understood += done;
    for (const deed of list) {
      if (deed.kind === 'stream') tally.frames += deed.frames.length;
      else tally.calls += 1;
      tally.inputs += deed.kind === 'stream' ? deed.frames.length : 1;
    }
  }
  return { ...tally, failures: faults.list };
}

/** A dispatcher with messages for two handlers, a socket for the hostile worker, and one for an honest one. */
async function inRound(faults: Faults, use: (socket: string) => Promise<number>): Promise<number> {
  const scope = new Scope();
  try {
    const folder = tempDir(scope);
    const journal = new MemoryJournal();
    journal.contentDirectory = folder;
    const datastore = createDatastore();
    const signals = createSignals({
      onFault: (fault) => faults.add(`a handler threw: ${String(fault.error)}`),
    });
    const dispatcher = createDispatcher({
      ...{ signals, datastore, counters: createCounters(), journal: journal.journal, log: silentLogger },
      ...{ clock: systemClock, runtimeDirectory: folder, userSocketsDirectory: path.join(folder, 'users') },
      ...{ holdersFile: undefined, configDirectory: folder, window: 8, responseLimit: 1024 * 1024 },
      settings: { logLevel: '', clientId: '', server: '', certFile: '', keyFile: '', caRoot: '' },
      random: Math.random,
    });
    const never = new AbortController().signal;
    await dispatcher.init(never);
    await dispatcher.run?.();
    scope.defer(async () => {
      await dispatcher.stop(never);
      signals.close();
    });
    const open = (file: string): Promise<string> => {
      datastore.processes.add({
        ...{ file, pid: 0, state: 'starting', startedAt: 0, restarts: 0, reason: '' },
        config: defaultWorkerConfig,
      });
      return new Promise((resolve, reject) => {
        const stop = signals.observe('socket-listen', (answer) => {
          if (answer.file !== file) return;
          stop();
          if ('path' in answer) resolve(answer.path);
          else reject(new Error(answer.error));
        });
        void signals.emit('process-prepare', { file });
      });
    };
    const [hostile, honest] = [await open('/hostile-worker'), await open('/honest-worker')];
    for (let index = 0; index < requestsPerRound; index += 1) {
      const directive = index % 2 === 0 ? 'echo' : 'other';
      const sequence = journal.add({ directive });
      const row = journal.row(sequence);
      if (!row) throw new Error('not added');
      const { messageId, size, state } = row;
      datastore.messages.add({ sequence, messageId, directive, cancel: false, size, state, slot: true });
      void signals.emit('data-process', { sequence, directive, cancel: false });
    }
    const understood = await use(hostile);
    await goesOn(honest, faults);
    return understood;
  } finally {
    await scope.end();
  }
}

/** The worker beside it is registered and its response taken. */
async function goesOn(socket: string, faults: Faults): Promise<void> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const { Register, Send } = service;
  const registered = await unary(
    client,
    Register.path,
    Register.requestSerialize({
      ...{ handler: 'honest', pid: process.pid, detachedContent: false, features: {} },
    }),
  );
  const sent = await unary(
    client,
    Send.path,
    Send.requestSerialize({
      ...{
        messageId: 'honest',
        metadata: {},
        content: Buffer.from('1'),
        responseTo: '',
        directive: 'honest',
      },
    }),
  );
  if (!registered || !sent) faults.add('the worker beside it was not served');
  client.close();
}

/** How many inputs of it were understood. */
async function doDeed(client: Client, socket: string, deed: Deed, faults: Faults): Promise<number> {
  switch (deed.kind) {
    case 'call': {
      const answered = await unary(client, service[deed.method].path, Buffer.from(deed.bytes), (error) => {
        faults.add(`${deed.method} was not answered: ${error.message}: ${hex(deed.bytes)}`);
      });
      return answered ? 1 : 0;
    }
    case 'stream':
      return await stream(client, deed.frames, deed.cut, faults);
    case 'bytes':
      await raw(socket, deed.bytes);
      return 0;
  }
}

/** Says whether it was answered with a message; a call that is not answered at all is a hang. */
function unary(
  client: Client,
  method: string,
  bytes: Buffer,
  onHang?: (error: ServiceError) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(method, asIs, asIs, bytes, { deadline: Date.now() + hang }, (error) => {
      // DEADLINE_EXCEEDED is our own.
      if (error?.code === 4) onHang?.(error);
      resolve(error === null);
    });
  });
}

async function stream(
  client: Client,
  list: readonly Uint8Array[],
  cut: boolean,
  faults: Faults,
): Promise<number> {
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
    service.Attach.path,
    asIs,
    asIs,
  );
  let ended = false;
  let heard = 0;
  call.on('data', () => {
    heard += 1;
  });
  call.on('error', () => {});
  call.once('status', () => {
    ended = true;
  });
  let said = 0;
  for (const frame of list) {
    if (ended) break;
    call.write(Buffer.from(frame));
    said += 1;
    if (said % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (cut) call.cancel();
  else {
    call.end();
    // A worker that has said its last word is let go, or cut off.
    const gone = await waitFor(() => ended, { what: 'the end of the stream', deadline: 100 }).catch(
      () => false,
    );
    if (!gone) call.cancel();
  }
  await waitFor(() => ended, { what: 'the end of the stream', deadline: hang }).catch(() =>
    faults.add(`a stream did not end: ${list.map(hex).join(' ')}`),
  );
  return heard > 0 ? said : 0;
}

function raw(socket: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const stranger = connect(socket, () => stranger.end(bytes));
    stranger.on('error', () => {});
    stranger.resume();
    // Whoever makes no sense may be kept waiting.
    const timer = setTimeout(() => stranger.destroy(), 50);
    stranger.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').slice(0, 1_000);
}
