/**
 * The quick start as a stranger meets it: `npm start` in a clone, at a terminal, in a bare environment.
 *
 * The terminal is script(1)'s, so that Ctrl-C is what it is: two SIGINTs to the group, npm among it.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Child, type Exit } from '../helpers/child.ts';
import { processesWith } from '../helpers/processes.ts';
import type { Scope } from '../helpers/scope.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { fileScope, testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';

const project = path.resolve(import.meta.dirname, '../..');

/** What `npm start` and `npx yggctl` need; timestamps stay, so that it counts as built. */
const needed = [
  'README.md',
  'dist',
  'src',
  'cmd',
  'workers',
  'protocol',
  'scripts/build.js',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  '.npmrc',
];

interface Clone {
  /** Everything of it is below; it stands in the environment of every process. */
  readonly root: string;
  readonly folder: string;
  readonly temporary: string;
  readonly env: NodeJS.ProcessEnv;
}

function makeClone(scope: Scope, depth = ''): Clone {
  const root = tempDir(scope);
  const folder = path.join(root, depth, 'clone');
  const temporary = path.join(root, 'tmp');
  const home = path.join(root, 'home');
  for (const directory of [folder, temporary, home]) mkdirSync(directory, { recursive: true });
  for (const file of needed) {
    cpSync(path.join(project, file), path.join(folder, file), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'));
  const env = {
    HOME: home,
    TMPDIR: temporary,
    PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
    TERM: 'xterm',
    npm_config_update_notifier: 'false',
  };
  return { root, folder, temporary, env };
}

/** `npm start` at a terminal of its own. */
class Terminal {
  output = '';
  readonly ended: Promise<number | null>;
  readonly #write: (text: string) => void;

  constructor(scope: Scope, { folder, env }: Clone) {
    const child = spawn('script', ['-qec', 'umask 002; exec npm start', '/dev/null'], {
      cwd: folder,
      env,
      stdio: 'pipe',
    });
    this.#write = (text) => void child.stdin.write(text);
    child.stdout.on('data', (text) => {
      this.output += text;
    });
    this.ended = new Promise((resolve) => child.once('exit', resolve));
    scope.defer(async () => {
      child.kill('SIGKILL');
      await this.ended;
    });
  }

  async shows(text: string | RegExp): Promise<void> {
    const shown = (): boolean =>
      typeof text === 'string' ? this.output.includes(text) : text.test(this.output);
    await waitFor(shown, { what: `"${text}"`, deadline: 30_000, detail: () => this.output });
  }

  pressCtrlC(): void {
    this.#write('\u0003');
  }
}

async function yggctl(
  { folder, env }: Clone,
  ...words: string[]
): Promise<Exit & { out: string; err: string }> {
  const scope = testScope();
  const child = new Child(scope, 'npx', ['yggctl', ...words], { cwd: folder, env });
  const exit = await child.ended(20_000);
  return { ...exit, out: child.stdout.join('\n'), err: child.stderr.join('\n') };
}

/** Files the quick start may leave: what it keeps, and nothing that belongs to a running one. */
function expectNothingLeft({ root, folder, temporary }: Clone): void {
  expect(processesWith(root)).toEqual([]);
  expect(readdirSync(path.join(folder, '.quick-start')).sort()).toEqual(['config', 'state', 'workers']);
  expect(readdirSync(temporary)).toEqual([]);
}

const system = ['/run/yggdrasil', '/var/lib/yggdrasil', '/etc/yggdrasil'];

describe('in a clone', () => {
  const scope = fileScope();
  let clone: Clone;
  let before: readonly boolean[];

  beforeAll(() => {
    clone = makeClone(scope);
    before = system.map((file) => existsSync(file));
  });

  test('a message is answered, and Ctrl-C ends it all', async () => {
    const terminal = new Terminal(testScope(), clone);
    await terminal.shows('Ctrl-C ends it.');
    expect(terminal.output).toMatch(/client id {3}\S+/);
    expect(terminal.output).toMatch(/workers {5}echo\r?\n/);

    expect(await yggctl(clone, 'send', 'echo', 'hello')).toMatchObject({ code: 0, out: '"hello"' });
    expect(await yggctl(clone, 'ping')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^pong from \S+ in [\d.]+ ms$/),
    });

    terminal.pressCtrlC();
    expect(await terminal.ended).toBe(0);
    expect(terminal.output).not.toMatch(/npm (error|ERR)/);
    expectNothingLeft(clone);
    expect(system.map((file) => existsSync(file))).toEqual(before);
  });

  test("the readme's worker greets", async () => {
    const readme = readFileSync(path.join(clone.folder, 'README.md'), 'utf8');
    const [, source = ''] = /^```js\n(.*?)^```/ms.exec(readme) ?? [];
    const [, commands = ''] = /^```sh\n(printf.*?)^```/ms.exec(readme) ?? [];
    writeFileSync(path.join(clone.folder, 'hello.mjs'), source);

    const terminal = new Terminal(testScope(), clone);
    await terminal.shows('Ctrl-C ends it.');
    const shell = new Child(testScope(), 'sh', ['-ec', commands], { cwd: clone.folder, env: clone.env });
    expect(await shell.ended(20_000)).toMatchObject({ code: 0 });
    expect(shell.stdout).toEqual(['"Hello, world!"']);
    terminal.pressCtrlC();
    expect(await terminal.ended).toBe(0);
    // A worker of the person's own is theirs to keep.
    expect(readdirSync(path.join(clone.folder, '.quick-start/workers'))).toEqual([
      'echo.worker',
      'hello-worker',
    ]);
    rmSync(path.join(clone.folder, '.quick-start/workers/hello-worker'));
    expectNothingLeft(clone);
  });

  test('the host keeps its id', async () => {
    const ids: Array<string | undefined> = [];
    for (let start = 0; start < 2; start += 1) {
      const terminal = new Terminal(testScope(), clone);
      await terminal.shows('Ctrl-C ends it.');
      ids.push(/client id {3}(\S+)/.exec(terminal.output)?.[1]);
      terminal.pressCtrlC();
      expect(await terminal.ended).toBe(0);
    }
    expect(ids[0]).toBe(ids[1]);
  });

  test('SIGTERM to npm ends it all', async () => {
    const npm = new Child(testScope(), 'npm', ['start'], { cwd: clone.folder, env: clone.env });
    await waitFor(() => npm.output.includes('Ctrl-C ends it.'), {
      what: 'banner',
      deadline: 30_000,
      detail: () => npm.output,
    });
    npm.kill('SIGTERM');
    await npm.ended(25_000);
    await waitFor(() => processesWith(clone.root).length === 0, { what: 'end of every process' });
    expectNothingLeft(clone);
  });

  test('nothing of it is found when it has ended', async () => {
    const { code, err } = await yggctl(
      clone,
      'ping',
      '--runtime-dir',
      path.join(clone.folder, '.quick-start', 'run'),
    );
    expect(code).toBe(75);
    expect(err).toContain('No daemon of this machine was found');
  });
});

test('a clone too deep for sockets works all the same', async () => {
  const clone = makeClone(testScope(), 'd'.repeat(120));
  const terminal = new Terminal(testScope(), clone);
  await terminal.shows('Ctrl-C ends it.');
  expect(await yggctl(clone, 'send', 'echo', '{"n":12345678901234567890}')).toMatchObject({
    code: 0,
    out: '{"n":12345678901234567890}',
  });
  terminal.pressCtrlC();
  expect(await terminal.ended).toBe(0);
  expectNothingLeft(clone);
});
