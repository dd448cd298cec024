/** The log of a real process: on pipes nobody reads, without a reader, on a full disk, and in a crash. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome } from '../helpers/yggd.ts';

const dist = path.resolve(import.meta.dirname, '../../dist');

/** A program with a logger of the given format and, as a daemon has, what becomes of crashes. */
function program(format: string, body: string): string {
  return `
    import { createLogger } from '${dist}/src/base/logger.js';
    import { reportCrashes } from '${dist}/cmd/ending.js';
    const log = await createLogger({ format: '${format}', level: 'info', stream: process.stderr });
    reportCrashes(log);
    ${body}
  `;
}

/** Logs 20 MiB and says on standard output how much memory waits for the reader. */
const flood = `
  const text = 'x'.repeat(1000);
  for (let i = 0; i < 20_000; i += 1) log.info({ text }, 'line');
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.stdout.write(process.stderr.writableLength < 2 * 1024 * 1024 ? 'alive' : 'grown');
  process.exit(0);
`;

async function said(stderr: 'pipe' | number, meddle: (stderr: Readable) => void = () => {}): Promise<string> {
  const words = ['--input-type=module', '-e', program('text', flood)];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', stderr] });
  if (child.stderr) meddle(child.stderr);
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += String(chunk);
  });
  await once(child, 'close');
  return out;
}

test('a reader that does not read', async () => {
  expect(await said('pipe', (stderr) => stderr.pause())).toBe('alive');
});

test('a reader that is gone', async () => {
  expect(await said('pipe', (stderr) => stderr.destroy())).toBe('alive');
});

test('a full disk', async () => {
  const full = openSync('/dev/full', 'w');
  expect(await said(full)).toBe('alive');
  closeSync(full);
});

test('lines are for the journal when standard error is what systemd says it is', async () => {
  const file = openSync(path.join(tempDir(testScope()), 'log'), 'w');
  const { dev, ino } = fstatSync(file);
  const ask = `import { suitableLogFormat } from '${dist}/cmd/environment.js'; console.log(suitableLogFormat());`;
  const formats = [`${dev}:${ino}`, `${dev}:${ino + 1}`, ''].map((stream) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', ask], {
      env: { JOURNAL_STREAM: stream },
      stdio: ['ignore', 'pipe', file],
      encoding: 'utf8',
    }).trim(),
  );
  closeSync(file);
  expect(formats).toEqual(['journal', 'text', 'text']);
});

/** Runs yggd with a log that is the journal, as far as it can tell. */
function underJournal(scope: Scope, words: readonly string[]): { daemon: Child; lines: () => string[] } {
  const file = path.join(tempDir(scope), 'journal');
  const handle = openSync(file, 'w');
  const { dev, ino } = fstatSync(handle);
  closeSync(handle);
  const command = [
    'sh',
    '-c',
    'exec "$@" 2>>"$LOG"',
    'sh',
    process.execPath,
    `${dist}/cmd/yggd.js`,
    ...words,
  ];
  const env = { ...process.env, LOG: file, JOURNAL_STREAM: `${dev}:${ino}` };
  const daemon = new Child(scope, 'env', command, { env });
  return { daemon, lines: () => readFileSync(file, 'utf8').split('\n').filter(Boolean) };
}

test('the journal gets priorities and no times, and one search tells the story of a message', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [echoWorker()]);
  const { daemon, lines } = underJournal(scope, [
    ...['--broker', broker.url, '--client-id', 'test-client-0001', '--log-level', 'debug'],
    ...['--worker-dir', home.workerDir, '--config-dir', home.configDir],
    ...['--runtime-dir', home.runtimeDir, '--state-dir', home.stateDir],
  ]);
  await server.online(['echo']);
  const id = await server.send({ directive: 'echo' });
  await server.answer(id);
  daemon.kill('SIGTERM');
  await daemon.ended(25_000);
  expect(lines().filter((line) => !/^<[3467]>\S/.test(line))).toEqual([]);
  expect(lines().filter((line) => /\d{4}-\d\d-\d\dT/.test(line))).toEqual([]);
  expect(lines()[0]).toMatch(/^<6>yggd starts version=/);
  const story = lines().filter((line) => line.includes(id));
  for (const step of ['accepted by its worker', 'response stored', 'published']) {
    expect(story.filter((line) => line.includes(step))).toHaveLength(1);
  }
});

test('a refusal to start is an error to the journal too', async () => {
  const { daemon, lines } = underJournal(testScope(), ['--broker', 'gopher://host']);
  expect((await daemon.ended()).code).toBe(2);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatch(/^<3>yggd: .*gopher/);
});

test.each([
  ['an exception', "setTimeout(() => { throw new Error('a fault') }, 1); setInterval(() => {}, 1000);"],
  ['a rejection', "Promise.reject(new Error('a fault')); setInterval(() => {}, 1000);"],
])('%s that nobody catches is one line, and the end with 70', async (_what, body) => {
  const child = new Child(testScope(), process.execPath, [
    '--input-type=module',
    '-e',
    program('json', body),
  ]);
  expect(await child.ended()).toEqual({ code: 70, signal: null });
  expect(child.stderr).toHaveLength(1);
  expect(JSON.parse(child.stderr[0] ?? '')).toMatchObject({
    level: 'error',
    error: 'a fault',
    msg: expect.stringContaining('crashes'),
    stack: expect.stringContaining('Error: a fault'),
  });
});
