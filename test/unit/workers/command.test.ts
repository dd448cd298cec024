import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemon } from '../../../src/testing/index.ts';
import { createCommandWorker } from '../../../workers/command/command.ts';
import { alive } from '../../helpers/processes.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

interface Rig {
  readonly daemon: TestDaemon;
  /** Where the listed programs are, and whatever they write. */
  readonly folder: string;
}

/** Writes down that it ran, and with which words and variables. */
const recorder = `#!/bin/sh
printf '%s\\n' "$@" > "$0.words"
env > "$0.env"
`;

async function start(programs: Readonly<Record<string, string>> = { show: recorder }): Promise<Rig> {
  const scope = testScope();
  const folder = tempDir(scope);
  const commands: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(programs)) {
    const program = path.join(folder, name);
    writeFileSync(program, text, { mode: 0o755 });
    commands[name] = { program };
  }
  const show = { program: path.join(folder, 'show'), options: ['-x'], arguments: ['[a-z]+'] };
  const daemon = await createTestDaemon();
  scope.defer(() => daemon.stop());
  const table = { commands: { ...commands, ...('show' in programs ? { show } : {}) } };
  await daemon.run(createCommandWorker('command', { file: 'command.toml', table }, silentLogger));
  return { daemon, folder };
}

const hostile: ReadonlyArray<readonly [what: string, content: unknown]> = [
  ['nothing', null],
  ['no JSON', Buffer.from('{"command":"show"')],
  ['a bare name', 'show'],
  ['a list', ['show', 'abc']],
  ['no command', {}],
  ['a command that is not listed', { command: 'rm', arguments: ['-rf', 'FOLDER'] }],
  ['a shell', { command: '/bin/sh', arguments: ['-c', 'touch FOLDER/marker'] }],
  ['a path to a listed command', { command: './show', arguments: ['abc'] }],
  ['a command line', { command: 'show abc; touch FOLDER/marker', arguments: ['abc'] }],
  ['the name of a prototype', { command: '__proto__', arguments: ['abc'] }],
  ['the name of a method', { command: 'constructor', arguments: ['abc'] }],
  ['a list that reads like a name', { command: ['show'], arguments: ['abc'] }],
  ['a second command', { command: 'show', arguments: ['abc; touch FOLDER/marker'] }],
  ['a substitution', { command: 'show', arguments: ['$(touch FOLDER/marker)'] }],
  ['back-ticks', { command: 'show', arguments: ['`touch FOLDER/marker`'] }],
  ['an option', { command: 'show', arguments: ['--output=FOLDER/marker'] }],
  ['a line break behind what matches', { command: 'show', arguments: ['abc\n'] }],
  ['a second line', { command: 'show', arguments: ['abc\n--output=FOLDER/marker'] }],
  ['a NUL', { command: 'show', arguments: ['abc\0def'] }],
  ['a very long argument', { command: 'show', arguments: ['a'.repeat(100_000)] }],
  ['no arguments', { command: 'show' }],
  ['too many arguments', { command: 'show', arguments: ['abc', 'FOLDER/marker'] }],
  ['arguments that are no list', { command: 'show', arguments: 'a' }],
  ['an argument that is a list', { command: 'show', arguments: [['abc']] }],
  ['an argument that is null', { command: 'show', arguments: [null] }],
];

test.each(hostile)('%s runs nothing', async (_, content) => {
  const { daemon, folder } = await start();
  const text = content instanceof Buffer ? content : JSON.stringify(content).replaceAll('FOLDER', folder);
  const result = await daemon.send({ directive: 'command', content: Buffer.from(text) });
  expect(result).toMatchObject({ outcome: 'failed', retry: false, answers: [] });
  expect(['REFUSED', 'SyntaxError']).toContain(result.code);
  expect(readdirSync(folder)).toEqual(['show']);
});

test('a listed command gets its options, two hyphens, the arguments, and nothing else of the message', async () => {
  const { daemon, folder } = await start();
  const content = {
    command: 'show',
    arguments: ['abc'],
    program: '/bin/sh',
    options: ['-c'],
    env: { LD_PRELOAD: '/tmp/x.so' },
    cwd: folder,
  };
  const metadata = { command: 'rm', PATH: '/tmp' };
  const { outcome, answers } = await daemon.send({ directive: 'command', content, metadata });
  expect(outcome).toBe('done');
  expect(answers[0]?.json()).toEqual({ status: 0, signal: null, stdout: '', stderr: '' });
  expect(readFileSync(path.join(folder, 'show.words'), 'utf8')).toBe('-x\n--\nabc\n');
  const names = readFileSync(path.join(folder, 'show.env'), 'utf8').match(/^[A-Z_]+(?==)/gm);
  expect(names?.filter((name) => !['LANG', 'PATH', 'PWD', 'YGG_SOCKET_ADDR', '_'].includes(name))).toEqual(
    [],
  );
});

test('its status and its output are the answer, and its output the progress', async () => {
  const { daemon } = await start({ fails: '#!/bin/sh\necho one\nsleep 0.3\necho two >&2\nexit 3\n' });
  const delivery = daemon.deliver({ directive: 'command', content: { command: 'fails' } });
  const { outcome, answers } = await delivery.result;
  expect(outcome).toBe('done');
  expect(answers[0]?.json()).toEqual({ status: 3, signal: null, stdout: 'one\n', stderr: 'two\n' });
  expect(delivery.accepted).toBe(true);
  expect(delivery.progress.join('')).toBe('one\ntwo\n');
});

test('of endless output the end is kept', async () => {
  const { daemon } = await start({
    pours: '#!/bin/sh\nhead -c 3000000 /dev/zero | tr "\\0" x\necho end\n',
  });
  const { answers } = await daemon.send({ directive: 'command', content: { command: 'pours' } });
  expect(answers[0]?.json()).toMatchObject({ stdout: expect.stringMatching(/^x{65532}end\n$/) });
});

test('a cancel ends the program and what it started, also when they do not want to', async () => {
  const { daemon, folder } = await start({
    deaf: '#!/bin/sh\ntrap "" TERM\nsleep 600 &\necho $! > "$0.child"\necho $$ > "$0.self"\nwhile :; do sleep 1; done\n',
  });
  const delivery = daemon.deliver({ directive: 'command', content: { command: 'deaf' } });
  const self = path.join(folder, 'deaf.self');
  const pids = await waitFor(
    () =>
      existsSync(self) && [self, path.join(folder, 'deaf.child')].map((file) => Number(readFileSync(file))),
    { what: 'the program' },
  );
  delivery.cancel();
  expect((await delivery.result).outcome).toBe('cancelled');
  await waitFor(() => !pids.some(alive), { what: `end of ${pids}` });
});

test('a program that others can change is not run', async () => {
  const { daemon, folder } = await start();
  chmodSync(path.join(folder, 'show'), 0o777);
  const result = await daemon.send({
    directive: 'command',
    content: { command: 'show', arguments: ['abc'] },
  });
  expect(result).toMatchObject({
    outcome: 'failed',
    code: 'REFUSED',
    text: expect.stringContaining('can be changed by others'),
  });
  expect(readdirSync(folder)).toEqual(['show']);
});

test.each([
  ['nothing', {}, 'command.toml has no table [settings.commands]'],
  ['no full path', { commands: { a: { program: 'df' } } }, 'by its full path'],
  ['no texts', { commands: { a: { program: '/bin/df', arguments: [1] } } }, 'are texts'],
  ['no pattern', { commands: { a: { program: '/bin/df', arguments: ['('] } } }, 'Invalid regular expression'],
])('a list with %s is said at the start', (_, table, sentence) => {
  expect(() => createCommandWorker('command', { file: 'command.toml', table })).toThrow(sentence);
});
