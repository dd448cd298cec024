/**
 * A burst through the broker: mosquitto_pub sends, mosquitto_sub takes the answers.
 *
 * Both are programs of their own in C, so that what is measured is the host and not the load.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { dataMessage } from '../helpers/mqtt-server.ts';
import { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { Answers } from './answers.ts';

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
  /** In turn. */
  readonly directives: readonly string[];
  readonly messages: number;
  /** Bytes of each message, envelope included (some 250). */
  readonly size?: number;
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
  const { port, clientId, messages, patience = 10_000, sample = () => {} } = options;
  const address = ['-h', '127.0.0.1', '-p', String(port), '-q', '1'];
  const topic = (name: string): string => `yggdrasil/${clientId}/${name}`;
  const answers = new Answers(scope, [...address, '-t', topic('data/out')]);
  const { ids, files } = writeMessages(tempDir(scope, 'bench-'), options);

  // What the subscriber prints proves that its subscription stands.
  const probe = randomUUID();
  await waitFor(
    async () => {
      await mosquittoPub([...address, '-t', topic('data/out'), '-m', `"response_to":"${probe}"`], 'ignore');
      return answers.timesOf(probe) > 0;
    },
    { what: 'answer of mosquitto_sub' },
  );
  const before = answers.total;

  const begun = performance.now();
  const sampler = setInterval(sample, 20);
  const publishing = Promise.all(files.map((file) => publishFile(address, topic('data/in'), file)));
  let seen = 0;
  let last = begun;
  while (seen < messages && performance.now() - last < patience) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const now = answers.total - before;
    if (now > seen) {
      seen = now;
      last = performance.now();
    }
  }
  clearInterval(sampler);
  await publishing;
  // What comes late is a double.
  await new Promise((resolve) => setTimeout(resolve, 500));

  const seconds = (last - begun) / 1_000;
  const answered = ids.filter((id) => answers.timesOf(id) > 0).length;
  const doubled = ids.reduce((total, id) => total + Math.max(0, answers.timesOf(id) - 1), 0);
  return { rate: answered / seconds, seconds, lost: messages - answered, doubled };
}

function writeMessages(
  folder: string,
  { directives, messages, size = 0 }: BurstOptions,
): { readonly ids: string[]; readonly files: string[] } {
  const ids: string[] = [];
  const files: string[] = [];
  for (let first = 0; first < messages; first += perProcess) {
    const file = path.join(folder, `messages-${first}`);
    const output = openSync(file, 'w');
    for (let n = first; n < Math.min(first + perProcess, messages); n += 1) {
      const directive = directives[n % directives.length] ?? '';
      const fields = { directive, metadata: { bench: 'yes' } };
      const spare = Math.max(0, size - dataMessage({ ...fields, content: { n, pad: '' } }).text.length);
      const content = spare === 0 ? { n } : { n, pad: 'x'.repeat(spare) };
      const { id, text } = dataMessage({ ...fields, content });
      ids.push(id);
      writeSync(output, `${text}\n`);
    }
    closeSync(output);
    files.push(file);
  }
  return { ids, files };
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
