import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { readTags } from '../../../src/host/tags.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

function tagsOf(content: string | undefined): {
  tags: Readonly<Record<string, string>> | undefined;
  warnings: Array<Readonly<Record<string, unknown>>>;
} {
  const tagsFile = path.join(tempDir(testScope()), 'tags.toml');
  if (content !== undefined) writeFileSync(tagsFile, content);
  const warnings: Array<Readonly<Record<string, unknown>>> = [];
  const log = { ...silentLogger, warn: (fields: Readonly<Record<string, unknown>>) => warnings.push(fields) };
  return { tags: readTags({ tagsFile, log }), warnings };
}

test('every single value becomes a text, sorted by name, as the capture shows them', () => {
  const { tags } = tagsOf(
    'site = "lab"\nrack = 4\nhot = true\nf = 1.5\nwhen = 2021-01-02T03:04:05Z\nmore = "x"\n',
  );
  expect(JSON.stringify(tags)).toBe(
    '{"f":"1.5","hot":"true","more":"x","rack":"4","site":"lab","when":"2021-01-02T03:04:05Z"}',
  );
});

test('local dates and times, fractions and large numbers', () => {
  const { tags } = tagsOf(
    'a = 2021-01-02\nb = 03:04:05\nc = 2021-01-02T03:04:05\nd = 2021-01-02T03:04:05.25+02:00\ne = inf\nf = -inf\ng = nan\n',
  );
  expect({ ...tags }).toEqual({
    a: '2021-01-02',
    b: '03:04:05',
    c: '2021-01-02T03:04:05',
    d: '2021-01-02T03:04:05.250+02:00',
    e: '+Inf',
    f: '-Inf',
    g: 'NaN',
  });
});

test('no file, no tags, nothing to say', () => {
  expect(tagsOf(undefined)).toEqual({ tags: undefined, warnings: [] });
});

test('what is no single value is left out and said with its place', () => {
  const { tags, warnings } = tagsOf('good = "yes"\nlist = [1]\n[table]\na = 1\n');
  expect({ ...tags }).toEqual({ good: 'yes' });
  expect(warnings.map(({ place }) => String(place).replace(/^.*\//, ''))).toEqual([
    'tags.toml:2:1',
    'tags.toml:3:2',
  ]);
});

test('a file that is not TOML gives no tags and is said', () => {
  const { tags, warnings } = tagsOf('site = lab\n');
  expect(tags).toBeUndefined();
  expect(String(warnings[0]?.['error'])).toMatch(/tags\.toml:1:\d+/);
});

test('a file that others could change gives no tags and is said', () => {
  const tagsFile = path.join(tempDir(testScope()), 'tags.toml');
  writeFileSync(tagsFile, 'site = "here"\n');
  chmodSync(tagsFile, 0o666);
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: Readonly<Record<string, unknown>>) => warnings.push(fields) };
  expect(readTags({ tagsFile, log })).toBeUndefined();
  expect(warnings).toEqual([{ error: expect.stringContaining(`-w ${tagsFile}`) }]);
});
