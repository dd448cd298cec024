/** `docs/bad-input.md` names only what there is, and leaves out nothing that is counted, coded or given up. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, errorTable } from '../../src/base/errors.ts';
import { type CounterName, counterTable } from '../../src/counters.ts';
import { reasons } from '../../src/journal/words.ts';
import { isThere, type NamedTest, namedTests } from '../helpers/named-tests.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/bad-input.md'), 'utf8');

/** What counts nothing bad; every other counter has its case. */
const good: ReadonlySet<CounterName> = new Set<CounterName>([
  'messages_received',
  'messages_dispatched',
  'messages_done',
  'commands_done',
  'responses_returned',
  'responses_published',
  'responses_posted',
  'registrations',
  'worker_starts',
  'contents_fetched',
  'broker_connects',
]);

/** What says something about the daemon itself, or is said by yggctl alone; every other code has its case. */
const inside: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'YGG_INTERNAL',
  'YGG_NOT_RUNNING',
  'YGG_DEADLINE',
  'YGG_CLOSED',
  'YGG_LINK',
  'YGG_START',
  'YGG_STOP',
  'YGG_NO_ANSWER',
  'YGG_GIVEN_UP',
]);

interface Case {
  readonly what: string;
  readonly codes: readonly string[];
  readonly counters: readonly string[];
  readonly lines: readonly string[];
  readonly tests: readonly NamedTest[];
}

const cases: readonly Case[] = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what '))
  .map((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const [what = '', , codes = '', counters = '', lines = '', tests = ''] = cells;
    expect(cells, line).toHaveLength(6);
    return {
      what,
      codes: quoted(codes),
      counters: quoted(counters),
      lines: quoted(lines),
      tests: namedTests(tests),
    };
  });

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}

/** Texts in a source as they are written there, with the quotes that end them escaped. */
function isIn(source: string, text: string): boolean {
  return source.includes(text) || source.includes(text.replaceAll("'", "\\'"));
}

const sources = ['src', 'cmd'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(path.join(root, folder, name), 'utf8')),
);

describe('what the page names is there', () => {
  test('it has cases', () => {
    expect(cases.length).toBeGreaterThan(100);
  });

  test('tests', () => {
    const missing = cases.flatMap(({ what, tests }) =>
      tests.filter((named) => !isThere(named)).map(({ file, name }) => `${what}: ${file} ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test('codes and reasons', () => {
    const known = new Set([...Object.keys(errorTable), ...Object.keys(reasons)]);
    expect(cases.flatMap(({ codes }) => codes).filter((code) => !known.has(code))).toEqual([]);
  });

  test('counters', () => {
    const known = new Set(Object.keys(counterTable));
    expect(cases.flatMap(({ counters }) => counters).filter((counter) => !known.has(counter))).toEqual([]);
  });

  test('log lines', () => {
    const lines = new Set(cases.flatMap((each) => each.lines));
    const missing = [...lines].filter((line) => !sources.some((source) => isIn(source, line)));
    expect(missing).toEqual([]);
  });
});

describe('what is there is named by the page', () => {
  test('every counter of something bad', () => {
    const named = new Set(cases.flatMap(({ counters }) => counters));
    const bad = Object.keys(counterTable).filter((name) => !good.has(name as CounterName));
    expect(bad.filter((name) => !named.has(name))).toEqual([]);
  });

  test('every reason of a dead letter', () => {
    const named = new Set(quoted(page));
    expect(Object.keys(reasons).filter((reason) => !named.has(reason))).toEqual([]);
  });

  test('every code that something from outside can lead to', () => {
    const named = new Set(cases.flatMap(({ codes }) => codes));
    const codes = Object.keys(errorTable).filter((code) => !inside.has(code as ErrorCode));
    expect(codes.filter((code) => !named.has(code))).toEqual([]);
  });
});
