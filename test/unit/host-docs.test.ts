/** The pages for administrators say what the program says and takes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadOptions } from '../../src/config/load.ts';

const root = path.resolve(import.meta.dirname, '../..');

function page(name: string): string {
  return readFileSync(path.join(root, 'docs', name), 'utf8');
}

describe('a configuration that a page shows is one', () => {
  const blocks = ['install.md', 'upgrade.md'].flatMap((name) =>
    [...page(name).matchAll(/^```toml\n# \/etc\/yggdrasil\/config\.toml\n([\s\S]*?)^```$/gm)].map(
      ([, text = '']) => [name, text] as const,
    ),
  );

  test.each(blocks)('%s', (_, text) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'page-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'config.toml');
    writeFileSync(file, text);
    const environment = {
      uid: 0,
      currentDirectory: '/',
      homeDirectory: '/root',
      temporaryDirectory: '/tmp',
      variables: {},
    };
    const vendorFile = path.join(root, 'packaging', 'files', 'config.toml');
    expect(loadOptions({ flags: {}, environment, file, vendorFile }).warnings).toEqual([]);
  });

  test('on both', () => {
    expect(new Set(blocks.map(([name]) => name)).size).toBe(2);
  });
});

/** Words of other programs, and those that are no sentence of ours. */
const foreign = /^(unable to get local issuer certificate|env: node: .*)$/;

test('a symptom in quotes on the page of troubles is said by the program', () => {
  const said = ['src', 'cmd', 'packaging'].map(textBelow).join('\n');
  const symptoms = [...page('troubleshooting.md').matchAll(/^\| (?!what you see|-)(.+?) \| /gm)]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, words = '']) => words))
    .filter((words) => words.includes(' '))
    .filter(
      (words) => !words.startsWith('yggctl ') && !words.startsWith('yggd ends') && !foreign.test(words),
    );
  expect(symptoms.length).toBeGreaterThan(20);
  expect(symptoms.filter((words) => !said.includes(words))).toEqual([]);
});

function textBelow(folder: string): string {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}
