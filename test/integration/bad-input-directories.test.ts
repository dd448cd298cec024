/**
 * Directories that cannot be trusted or used, that belong to another daemon, or that hold what nobody can read
 * (docs/bad-input.md): refused with a code and a sentence, or set aside.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { freePort } from '../helpers/loopback.ts';
import type { Scope } from '../helpers/scope.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, type Home, type LogLine, startYggd } from '../helpers/yggd.ts';

/** Starts a daemon that has to end by itself; its last line. */
async function refusal(
  scope: Scope,
  home: Home,
  flags: readonly string[] = [],
): Promise<{ readonly status: number | null; readonly line: LogLine | undefined }> {
  // Nobody answers there: what is refused is refused before a broker is looked for.
  const yggd = startYggd(scope, { home, brokers: [`tcp://127.0.0.1:${await freePort()}`], flags });
  const { code } = await yggd.ended();
  expect(yggd.logged({ msg: 'yggd ends' })).toHaveLength(1);
  return { status: code, line: yggd.log.at(-1) };
}

test('runtime and state directory are made 0700', async () => {
  const { home } = await startHost(testScope(), { handlers: [] });
  for (const folder of [home.runtimeDir, home.stateDir]) expect(statSync(folder).mode & 0o777).toBe(0o700);
});

describe('a directory', () => {
  type Spoil = (home: Home) => readonly string[] | undefined;

  test.each<[what: string, spoil: Spoil, code: string, said: RegExp]>([
    [
      'that others may write',
      ({ runtimeDir }) => {
        mkdirSync(runtimeDir);
        chmodSync(runtimeDir, 0o777);
        return undefined;
      },
      'YGG_UNSAFE_PATH',
      /run is open to other users \(mode 0777\); run: chmod 700 .*run$/,
    ],
    [
      'that others may read, with something in it',
      ({ stateDir }) => {
        mkdirSync(stateDir, { mode: 0o755 });
        writeFileSync(path.join(stateDir, 'kept'), '');
        return undefined;
      },
      'YGG_UNSAFE_PATH',
      /state is open to other users \(mode 0755\); run: chmod 700 .*state$/,
    ],
    [
      'below one that others may write',
      ({ configDir }) => {
        mkdirSync(path.join(configDir, 'open'));
        chmodSync(path.join(configDir, 'open'), 0o777);
        return ['--state-dir', path.join(configDir, 'open/state')];
      },
      'YGG_UNSAFE_PATH',
      /open can be changed by everybody \(mode 0777\); run: chmod o-w .*open$/,
    ],
    [
      'that is a link',
      ({ configDir, stateDir }) => {
        symlinkSync(configDir, stateDir);
        return undefined;
      },
      'YGG_UNSAFE_PATH',
      /state is a symbolic link/,
    ],
    [
      'that is a file',
      ({ stateDir }) => {
        writeFileSync(stateDir, '');
        return undefined;
      },
      'YGG_UNSAFE_PATH',
      /state is not a directory/,
    ],
    [
      'that cannot be made',
      () => ['--state-dir', '/proc/yggd/state'],
      'YGG_CONFIG_FILE',
      /\/proc\/yggd\/state cannot be made or used: .*name another directory/,
    ],
    [
      'too long for a socket',
      ({ runtimeDir }) => ['--runtime-dir', path.join(runtimeDir, 'x'.repeat(100))],
      'YGG_PATH_TOO_LONG',
      /107: choose a shorter runtime-dir/,
    ],
    [
      'with something else in the place of the socket',
      ({ runtimeDir }) => {
        mkdirSync(runtimeDir, { mode: 0o700 });
        writeFileSync(path.join(runtimeDir, 'dispatcher.sock'), '');
        return undefined;
      },
      'YGG_ALREADY_RUNNING',
      /dispatcher\.sock is in the way and is no socket: remove it/,
    ],
    [
      'with a client id that cannot be one',
      ({ stateDir }) => {
        mkdirSync(stateDir, { mode: 0o700 });
        writeFileSync(path.join(stateDir, 'client-id'), 'a/b\n');
        return ['--client-id', ''];
      },
      'YGG_CONFIG_FILE',
      /client-id cannot be the client id, which is part of a topic: it contains "\/"/,
    ],
  ])('%s is refused with what to do', async (_, spoil, code, said) => {
    const scope = testScope();
    const home = createHome(scope, [echoWorker()]);
    const { status, line } = await refusal(scope, home, spoil(home));
    expect(home.processes()).toEqual([]);
    expect(line).toMatchObject({ level: 'error', code, error: expect.stringMatching(said) });
    expect(status).toBe(code === 'YGG_ALREADY_RUNNING' ? 75 : 78);
  });
});

describe('a second daemon', () => {
  test.each(['state', 'runtime'] as const)(
    'on the same %s directory is refused and names the first',
    async (shared) => {
      const scope = testScope();
      const { home, yggd, server } = await startHost(scope, { workers: [echoWorker()], handlers: ['echo'] });
      const other = createHome(scope);
      const flags =
        shared === 'state' ? ['--runtime-dir', other.runtimeDir] : ['--state-dir', other.stateDir];
      const second = startYggd(scope, { home, brokers: [], flags: [...flags, '--protocol', 'none'] });
      expect((await second.ended()).code).toBe(75);
      expect(second.log.at(-1)).toMatchObject({
        code: 'YGG_ALREADY_RUNNING',
        error: expect.stringContaining(`another daemon, process ${yggd.pid}:`),
      });
      await server.answer(await server.send({ directive: 'echo' }));
      await yggd.stopCleanly();
    },
  );

  test('is refused also while the first is stopped by SIGSTOP, and not after it was killed', async () => {
    const scope = testScope();
    const { home, yggd, server, restart } = await startHost(scope, {
      workers: [echoWorker()],
      handlers: ['echo'],
    });
    yggd.kill('SIGSTOP');
    expect(await refusal(testScope(), home)).toMatchObject({
      status: 75,
      line: { code: 'YGG_ALREADY_RUNNING', error: expect.stringContaining(`process ${yggd.pid}:`) },
    });
    yggd.kill('SIGCONT');
    await server.answer(await server.send({ directive: 'echo' }));
    await yggd.crash();
    const next = await restart();
    await server.answer(await server.send({ directive: 'echo' }));
    await next.stopCleanly();
  });
});

describe('a state directory', () => {
  test.each<[what: string, spoil: (journal: string) => void, said: RegExp]>([
    [
      'whose journal is damaged',
      (journal) => writeFileSync(path.join(journal, 'data.mdb'), Buffer.alloc(64 * 1024, 0x5a)),
      /^The journal is damaged: it was set aside, and a new one begun$/,
    ],
    [
      'of a newer release',
      (journal) => writeFileSync(path.join(journal, 'version'), '999\n'),
      /^The journal was written by a newer release: it was set aside, and a new one begun$/,
    ],
  ])('%s: it is set aside, and the daemon runs', async (_, spoil, said) => {
    const { home, yggd, server, restart } = await startHost(testScope(), {
      workers: [echoWorker()],
      handlers: ['echo'],
    });
    await server.answer(await server.send({ directive: 'echo' }));
    await yggd.crash();
    spoil(path.join(home.stateDir, 'journal'));
    writeFileSync(path.join(home.stateDir, 'handlers.json'), '{"echo":');
    const next = await restart();
    expect(await next.says(said)).toMatchObject({
      level: 'error',
      directory: expect.stringContaining(home.stateDir),
    });
    await next.says({ msg: 'who held which handler could not be read', level: 'warn' });
    expect(readdirSync(home.stateDir).filter((name) => name.startsWith('journal.'))).toHaveLength(1);
    await server.answer(await server.send({ directive: 'echo' }));
    await next.stopCleanly();
  });
});

test('one damaged record: its message is given up and reported, the others are handed over', async () => {
  const { home, yggd, server, restart } = await startHost(testScope(), { handlers: [] });
  const good = await server.send({ directive: 'echo', content: 'good' });
  const bad = await server.send({ directive: 'echo', content: 'a mark that is nowhere else' });
  // Commands wait in the same line: both messages are on disk when the pong is here.
  await server.answer(await server.command('ping'));
  await yggd.stopCleanly();
  const file = path.join(home.stateDir, 'journal', 'data.mdb');
  const bytes = readFileSync(file);
  const mark = Buffer.from('nowhere else');
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at)) bytes.write('N', at);
  writeFileSync(file, bytes);

  const next = await restart();
  home.install(echoWorker());
  expect((await server.answer(bad)).json).toMatchObject({
    directive: 'echo',
    metadata: { status: 'failed', reason: 'internal' },
  });
  await server.answer(good);
  await next.says({ msg: 'a journal record was damaged and is set aside', level: 'error' });
  await next.stopCleanly();
  expect(await next.says({ msg: 'counted since the start' })).toMatchObject({ journal_records_damaged: 1 });
});

test('a worker directory that others may write: nothing in it is started', async () => {
  const scope = testScope();
  const { home, yggd, server } = await startHost(scope, { handlers: [] });
  chmodSync(home.workerDir, 0o777);
  home.install(echoWorker());
  expect(await yggd.says({ code: 'YGG_UNSAFE_PATH', worker: 'echoworker' })).toMatchObject({
    error: expect.stringMatching(/workers can be changed by everybody .*chmod o-w .*workers$/),
  });
  chmodSync(home.workerDir, 0o755);
  home.install({ ...echoWorker(), text: `${echoWorker().text}# again\n` });
  await server.online(['echo']);
});
