/** How much memory of its own the daemon needs when there is very much of something. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startContentServer } from '../../helpers/http-content.ts';
import { ledger } from '../../helpers/ledger.ts';
import { type Mosquitto, startMosquitto } from '../../helpers/mosquitto.ts';
import { connectMqttServer, dataMessage, type MqttServer } from '../../helpers/mqtt-server.ts';
import { memoryOf } from '../../helpers/processes.ts';
import type { Scope } from '../../helpers/scope.ts';
import { startScriptedBroker } from '../../helpers/scripted-broker.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { nodeWorker, type WorkerFile } from '../../helpers/worker-files.ts';
import { createHome, defaultClientId, startYggd, type Yggd } from '../../helpers/yggd.ts';

export interface Peak {
  /** MiB of anonymous memory, at most, while it went on. */
  readonly peak: number;
  /** What happened, for people. */
  readonly detail: string;
}

const mebibyte = 1024 * 1024;
/** mosquitto_pub loses messages when it is fed more at a time. */
const perProcess = 20_000;

/** A broker announces a packet of so many MiB and sends it. */
export async function announcedPacket(
  scope: Scope,
  { mebibytes, program }: { readonly mebibytes: number; readonly program?: string },
): Promise<Peak> {
  // What the daemon says stays unanswered, or the answer would stand in the middle of the packet.
  const broker = await startScriptedBroker({ publish: () => 'silent' });
  scope.defer(() => broker.close());
  const yggd = startYggd(scope, {
    home: createHome(scope),
    brokers: [broker.url],
    logLevel: 'error',
    ...(program !== undefined && { program }),
  });
  const subscribed = (): boolean => broker.connections[0]?.received[1] !== undefined;
  await broker.until('connection', subscribed, 30_000);
  const connection = await broker.connection(0);
  const peak = await peakOf(yggd, async () => {
    const topic = Buffer.from(`yggdrasil/${defaultClientId}/data/in`);
    const length = 2 + topic.length + 2 + mebibytes * mebibyte;
    const topicLength = Buffer.alloc(2);
    topicLength.writeUInt16BE(topic.length);
    connection.raw(Buffer.concat([Buffer.from([0x32, ...lengthBytes(length)]), topicLength, topic]));
    connection.raw(Buffer.from([0, 9]));
    for (let sent = 0; sent < mebibytes && !connection.closed; sent += 1) {
      connection.raw(Buffer.alloc(mebibyte, 'x'));
      await broker.until('room', () => connection.unsent < 4 * mebibyte || connection.closed, 20_000);
    }
    await broker
      .until('PUBACK', () => connection.pubacks.includes(9) || connection.closed, 20_000)
      .catch(() => {});
  });
  const answered = connection.pubacks.includes(9) ? 'acknowledged' : 'not acknowledged';
  await yggd.stop();
  return { peak, detail: `${mebibytes} MiB in one packet, ${answered}` };
}

export interface BacklogOptions {
  readonly messages: number;
  /** Bytes of content of each. */
  readonly size: number;
  /** As `--inbox-limit` takes it. */
  readonly limit?: string;
}

/** So many messages that nobody takes; then the daemon is started again with all of them. */
export async function backlog(scope: Scope, { messages, size, limit }: BacklogOptions): Promise<Peak> {
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope);
  const start = (): Yggd =>
    startYggd(scope, {
      home,
      brokers: [broker.url],
      logLevel: 'error',
      flags: ['--worker-grace', '7d', ...(limit === undefined ? [] : ['--inbox-limit', limit])],
    });
  const first = start();
  await server.online([]);
  const content = 'x'.repeat(size);
  const filling = await peakOf(first, async () => {
    await pour(
      broker,
      messages,
      (index) =>
        // Each directive may fill half of the inbox.
        dataMessage({ directive: `nobody-${index % 4}`, content, metadata: {} }).text,
    );
    await pong(server);
  });
  await first.stopCleanly();
  const second = start();
  const full = await peakOf(second, () => pong(server));
  await second.stopCleanly();
  const detail = `${messages} messages of ${size} bytes; ${Math.round(full)} MiB at the next start`;
  return { peak: Math.max(filling, full), detail };
}

/** Content of so many MiB for a worker with detached content. */
export async function largeContent(scope: Scope, mebibytes: number): Promise<Peak> {
  const source = await startContentServer(scope);
  const chunk = Buffer.alloc(mebibyte, 'x');
  source.on('/large', (_, response) => {
    response.writeHead(200, { 'content-length': mebibytes * mebibyte });
    let sent = 0;
    const pourOut = (): void => {
      while (sent < mebibytes) {
        sent += 1;
        if (!response.write(chunk)) break;
      }
      if (sent === mebibytes) response.end();
    };
    response.on('drain', pourOut);
    pourOut();
  });
  const flags = [
    '--content-hosts',
    source.host,
    '--max-content-size',
    `${2 * mebibytes}MiB`,
    '--inbox-limit',
    '1000/4GiB',
  ];
  const worker = nodeWorker({ handler: 'detached', detached: true });
  const { server, yggd } = await hostWith(scope, worker, 'detached', flags);
  let answer = '';
  const peak = await peakOf(yggd, async () => {
    const id = await server.send({ directive: 'detached', content: `${source.origin}/large` });
    answer = (await server.answer(id, 120_000)).text.slice(0, 400);
  });
  await yggd.stopCleanly();
  const reason = /"reason":"([^"]*)"/.exec(answer)?.[1] ?? 'answered';
  return { peak, detail: `${mebibytes} MiB of content fetched, ${reason}` };
}

export interface FloodPeak extends Peak {
  /** Lines that the worker got rid of in a second. */
  readonly rate: number;
}

/** A worker that prints as fast as it can, for so many seconds. */
export async function flood(scope: Scope, seconds: number): Promise<FloodPeak> {
  const book = ledger(scope);
  const worker = nodeWorker({ handler: 'flood', behaviours: ['flood'], ledger: book.file });
  const { server, yggd } = await hostWith(scope, worker, 'flood', []);
  const peak = await peakOf(yggd, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000 * seconds));
    await server.answer(await server.send({ directive: 'flood' }));
  });
  await yggd.stopCleanly();
  const [start] = book.events('start');
  const [end] = book.events('printed');
  const rate = (1_000 * Number(end?.['lines'])) / ((end?.at ?? 0) - (start?.at ?? 0));
  return { peak, rate, detail: `a worker that prints without end, for ${seconds} s` };
}

async function hostWith(
  scope: Scope,
  worker: WorkerFile,
  handler: string,
  flags: readonly string[],
): Promise<{ readonly server: MqttServer; readonly yggd: Yggd }> {
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const yggd = startYggd(scope, {
    home: createHome(scope, [worker]),
    brokers: [broker.url],
    logLevel: 'error',
    flags,
  });
  await server.online([handler]);
  return { server, yggd };
}

/** MiB of anonymous memory, at most, while `action` goes on. */
async function peakOf({ pid }: Yggd, action: () => Promise<void>): Promise<number> {
  let peak = 0;
  const look = (): void => {
    peak = Math.max(peak, memoryOf(pid).anonymous);
  };
  const sampler = setInterval(look, 20);
  try {
    await action();
    look();
  } finally {
    clearInterval(sampler);
  }
  return peak / mebibyte;
}

/** Everything that was published before was taken: a broker hands over one session's messages in order. */
async function pong(server: MqttServer): Promise<void> {
  const id = await server.command('ping');
  await waitFor(() => server.answersTo(id)[0], { what: 'pong', deadline: 600_000 });
}

async function pour({ port }: Mosquitto, messages: number, textOf: (index: number) => string): Promise<void> {
  const topic = `yggdrasil/${defaultClientId}/data/in`;
  for (let first = 0; first < messages; first += perProcess) {
    const words = ['-h', '127.0.0.1', '-p', String(port), '-q', '1', '-t', topic, '-l'];
    const child = spawn('mosquitto_pub', words, { stdio: ['pipe', 'ignore', 'inherit'] });
    const exited = once(child, 'exit');
    for (let index = first; index < Math.min(first + perProcess, messages); index += 1) {
      if (!child.stdin.write(`${textOf(index)}\n`)) await once(child.stdin, 'drain');
    }
    child.stdin.end();
    const [code] = await exited;
    if (code !== 0) throw new Error(`mosquitto_pub: status ${code}`);
  }
}

function lengthBytes(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
