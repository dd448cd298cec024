/**
 * A burst through the broker: mosquitto_pub sends, mosquitto_sub takes the answers.
 *
 * Both are programs of their own in C, so that what is measured is the host and not the load.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Child } from '../helpers/child.ts';
import { dataMessage } from '../helpers/mqtt-server.ts';
import { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { waitFor } from '../helpers/wait-for.ts';

/** mosquitto_pub loses messages when it is fed more at a time. */
const perProcess = 20_000;

export interface Burst {
  /** Messages a second, from the first publish to the last answer. */
  readonly rate: number;
  readonly seconds: number;
  /** Sent and not answered within the deadline. */
  readonly lost: number;
  /** Answers beyond the first to the same message. */
  readonly doubled: number;
}

export interface BurstOptions {
  readonly port: number;
  readonly clientId: string;
  readonly directive: string;
  readonly messages: number;
  /** Milliseconds without another answer after which the rest counts as lost. */
  readonly patience?: number;
  /** Called while it runs, every 20 ms. */
  readonly sample?: () => void;
}

export async function burst(options: BurstOptions): Promise<Burst> {
  const scope = new Scope();
  try {
    return await run(scope, options);
  } finally {
    await scope.end();
  }
}

async function run(scope: Scope, options: BurstOptions): Promise<Burst> {
  const { port, clientId, directive, messages, patience = 10_000, sample = () => {} } = options;
  const address = ['-h', '127.0.0.1', '-p', String(port), '-q', '1'];
  const topic = (name: string): string => `yggdrasil/${clientId}/${name}`;
  const answers = new Child(scope, 'mosquitto_sub', [...address, '-t', topic('data/out'), '-F', '%p']);

  const folder = tempDir(scope, 'bench-');
  const ids = new Set<string>();
  const files: string[] = [];
  for (let first = 0; first < messages; first += perProcess) {
    const lines: string[] = [];
    for (let n = first; n < Math.min(first + perProcess, messages); n += 1) {
      const { id, text } = dataMessage({ directive, content: { n }, metadata: { bench: 'yes' } });
      ids.add(id);
      lines.push(text);
    }
    const file = path.join(folder, `messages-${first}`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    files.push(file);
  }

  // What the subscriber prints proves that its subscription stands.
  const probe = randomUUID();
  await waitFor(
    async () => {
      await publishLine(address, topic('data/out'), probe);
      return answers.lines.includes(probe);
    },
    { what: 'answer of mosquitto_sub' },
  );
  const before = answers.lines.length;

  const begun = performance.now();
  const sampler = setInterval(sample, 20);
  const publishing = Promise.all(files.map((file) => publishFile(address, topic('data/in'), file)));
  let seen = 0;
  let last = begun;
  while (seen < messages && performance.now() - last < patience) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const now = answers.lines.length - before;
    if (now > seen) {
      seen = now;
      last = performance.now();
    }
  }
  clearInterval(sampler);
  await publishing;
  // What comes late is a double.
  await new Promise((resolve) => setTimeout(resolve, 500));

  const answered = new Map<string, number>();
  for (const line of answers.lines.slice(before)) {
    const id = /"response_to":"([^"]*)"/.exec(line)?.[1] ?? '';
    if (ids.has(id)) answered.set(id, (answered.get(id) ?? 0) + 1);
  }
  const seconds = (last - begun) / 1_000;
  const doubled = [...answered.values()].reduce((sum, times) => sum + times - 1, 0);
  return { rate: answered.size / seconds, seconds, lost: messages - answered.size, doubled };
}

function publishLine(address: readonly string[], topic: string, line: string): Promise<void> {
  return mosquittoPub([...address, '-t', topic, '-m', line], 'ignore');
}

async function publishFile(address: readonly string[], topic: string, file: string): Promise<void> {
  const input = openSync(file, 'r');
  try {
    await mosquittoPub([...address, '-t', topic, '-l'], input);
  } finally {
    closeSync(input);
  }
}

function mosquittoPub(words: readonly string[], input: 'ignore' | number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('mosquitto_pub', words, { stdio: [input, 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`mosquitto_pub: status ${code}`)),
    );
  });
}
