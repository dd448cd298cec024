/** Completions, asked of the shells themselves as far as they are here. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bashCompletion } from '../../../src/manual/bash-completion.ts';
import { fishCompletion } from '../../../src/manual/fish-completion.ts';
import { zshCompletion } from '../../../src/manual/zsh-completion.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { exampleProgram } from './program.ts';

const program = exampleProgram();

/** A folder with two files and a folder in it. */
function folder(): string {
  const made = tempDir(testScope());
  mkdirSync(path.join(made, 'drawer'));
  writeFileSync(path.join(made, 'box one'), '');
  writeFileSync(path.join(made, 'bottle'), '');
  return made;
}

interface Answer {
  readonly status: number | null;
  readonly words: readonly string[];
  readonly err: string;
}

function run(shell: string, words: readonly string[], cwd: string): Answer {
  const { status, stdout, stderr, error } = spawnSync(shell, words, {
    cwd,
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (error) throw error;
  return { status, words: stdout.split('\n').filter((line) => line !== ''), err: stderr };
}

function has(shell: string): boolean {
  return spawnSync(shell, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** What bash offers for the last of the words, which are those of its own splitting. */
function bash(...words: string[]): readonly string[] {
  const script = `${bashCompletion(program)}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
complete -p demo >/dev/null && _demo
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, words: offered, err } = run('bash', ['-c', script, 'bash', 'demo', ...words], folder());
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return offered;
}

describe('bash', () => {
  test.each<[line: string[], offered: string[]]>([
    [[''], ['state', 'st', 'boxes']],
    [['st'], ['state', 'st']],
    [['--'], ['--version', '--help']],
    [
      ['state', '-'],
      ['-f', '--format', '--quiet', '-h', '--help'],
    ],
    [['st', '--q'], ['--quiet']],
    [
      ['state', '--format', ''],
      ['text', 'json'],
    ],
    [
      ['state', '--format', '='],
      ['text', 'json'],
    ],
    [['state', '--format', '=', 'j'], ['json']],
    [
      ['boxes', ''],
      ['open', 'colour'],
    ],
    [
      ['boxes', 'open', 'b'],
      ['bottle', 'box one'],
    ],
    [['boxes', 'open', '--into', ''], ['drawer']],
    [['boxes', 'open', '-f', 'json', 'dr'], ['drawer']],
    [
      ['boxes', 'colour', ''],
      ['red', 'green'],
    ],
    [['boxes', 'colour', '--dry', 'r'], ['red']],
    [['nothing', 'x'], []],
  ])('after demo %j it offers %j', (line, offered) => {
    expect([...bash(...line)].sort()).toEqual([...offered].sort());
  });
});

describe.skipIf(!has('fish'))('fish', () => {
  test.each<[line: string, offered: string[]]>([
    ['demo ', ['boxes', 'st', 'state']],
    ['demo --', ['--help', '--version']],
    ['demo st --format ', ['json', 'text']],
    ['demo boxes ', ['colour', 'open']],
    ['demo boxes open b', ['bottle', 'box one']],
    ['demo boxes colour ', ['green', 'red']],
  ])('after "%s" it offers %j', (line, offered) => {
    const script = `${fishCompletion(program)}\ncomplete -C ${JSON.stringify(line)}`;
    const { words, err } = run('fish', ['--no-config', '-c', script], folder());
    expect(err).toBe('');
    expect(words.map((word) => word.split('\t')[0]).sort()).toEqual(offered);
  });
});

describe.skipIf(!has('zsh'))('zsh', () => {
  test('takes the script for one of its own', () => {
    const file = path.join(folder(), '_demo');
    writeFileSync(file, zshCompletion(program));
    expect(run('zsh', ['-n', file], '/')).toEqual({ status: 0, words: [], err: '' });
    const script = `autoload -U compinit && compinit -D -u && source ${file} && print $_comps[demo]`;
    expect(run('zsh', ['-f', '-c', script], '/')).toEqual({ status: 0, words: ['_demo'], err: '' });
  });
});

test('zsh: colons and brackets of the help do not end a word', () => {
  const script = zshCompletion(program);
  expect(script).toContain("'state:how it [is]: well or not'");
  expect(script).toContain(
    `'*'{-f,--format}'[how (choices\\: "text", "json", default\\: "text")]:format:(text json)'`,
  );
});
