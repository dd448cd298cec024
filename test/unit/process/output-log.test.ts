import { PassThrough } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import type { LogFields, Logger } from '../../../src/base/log.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { OutputLog } from '../../../src/process/output-log.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

interface Line {
  readonly level: 'info' | 'warn';
  readonly fields: LogFields;
  readonly sentence: string;
}

let lines: Line[];
let dropped: number;
let clock: HandClock;
let output: OutputLog;
let stdout: PassThrough;
let stderr: PassThrough;

beforeEach(() => {
  lines = [];
  dropped = 0;
  clock = new HandClock();
  const at = (level: Line['level']) => (fields: LogFields, sentence: string) => {
    lines.push({ level, fields, sentence });
  };
  const log: Logger = { ...silentLogger, info: at('info'), warn: at('warn') };
  output = new OutputLog({ log, clock, onDropped: (count) => (dropped += count) });
  stdout = new PassThrough();
  stderr = new PassThrough();
  output.attach(stdout, 'stdout');
  output.attach(stderr, 'stderr');
});

async function end(): Promise<void> {
  stdout.end();
  stderr.end();
  await output.finish(1_000);
}

function sentences(): string[] {
  return lines.map(({ sentence }) => sentence);
}

test('each line is a log line, wherever the chunks are cut', async () => {
  for (const chunk of ['one\ntw', 'o\n', '\nlast without an end']) stdout.write(chunk);
  stderr.write('trouble\r\n');
  await end();
  expect(sentences().sort()).toEqual(['', 'last without an end', 'one', 'trouble', 'two']);
  expect(lines.find(({ sentence }) => sentence === 'trouble')?.fields).toEqual({ stream: 'stderr' });
  expect(output.lastError).toBe('trouble');
});

test('a character that is cut between chunks stays whole', async () => {
  const bytes = Buffer.from('grün\n');
  stdout.write(bytes.subarray(0, 3));
  stdout.write(bytes.subarray(3));
  await end();
  expect(sentences()).toEqual(['grün']);
});

test('control characters are escaped, so that no line can forge another', async () => {
  stdout.write('a\x1b[2J\rb\u2028c\x07\n');
  await end();
  expect(sentences()).toEqual(['a\\u001b[2J\\rb\\u2028c\\u0007']);
});

test('a line of any length takes 8 KiB and says that it was cut', async () => {
  for (let chunk = 0; chunk < 100; chunk += 1) stdout.write('x'.repeat(100_000));
  stdout.write('\nnext\n');
  await end();
  expect(sentences()).toEqual(['x'.repeat(8192), 'next']);
  expect(lines[0]?.fields).toEqual({ stream: 'stdout', cut: true });
  expect(lines[1]?.fields).toEqual({ stream: 'stdout' });
});

test('over a hundred lines a second are dropped, counted, and said once a burst', async () => {
  const flood = (): boolean => stdout.write('line\n'.repeat(250));
  const floodAndRead = async (): Promise<void> => {
    flood();
    await new Promise((resolve) => setImmediate(resolve));
    // The stream rests after each chunk of a flood.
    clock.wind(20);
  };
  await floodAndRead();
  expect(sentences().filter((sentence) => sentence === 'line')).toHaveLength(100);
  expect(dropped).toBe(150);
  clock.wind(1_000);
  await floodAndRead();
  expect(sentences().filter((sentence) => sentence === 'line')).toHaveLength(200);
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  // A quiet while ends the burst.
  clock.wind(3_000);
  await floodAndRead();
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
  expect(dropped).toBe(450);
  await end();
});

test('both streams share the limit', async () => {
  stdout.write('out\n'.repeat(80));
  stderr.write('err\n'.repeat(80));
  await end();
  expect(dropped).toBe(60);
});

test('finishing does not wait for a stream that is held open', async () => {
  stdout.write('said\nand half a line');
  await output.finish(20);
  expect(stdout.destroyed && stderr.destroyed).toBe(true);
  expect(sentences()).toEqual(['said', 'and half a line']);
});
