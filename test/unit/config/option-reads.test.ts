/** Options are read by their names, and there is no option nobody reads. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { optionFields } from '../../../src/config/table.ts';

const root = path.resolve(import.meta.dirname, '../../..');

const sources = ['src', 'cmd']
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (file) => `${folder}/${file}`,
    ),
  )
  .filter((file) => file.endsWith('.ts') && !file.startsWith('src/config/'))
  .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));

test('what is read from the options of a daemon is in the table', () => {
  const known: ReadonlySet<string> = new Set(optionFields);
  const together = sources.filter(({ text }) =>
    /\btype \{[^}]*\bOptions\b[^}]*\} from '[./]*\/config\/options\.ts'/.test(text),
  );
  const read = together.flatMap(({ text }) =>
    [...text.matchAll(/\boptions\.(?!ts\b)(\w+)/g)].map(([, name]) => name ?? ''),
  );
  expect(read.length).toBeGreaterThan(10);
  expect(read.filter((name) => !known.has(name))).toEqual([]);
});

test('every option is read somewhere', () => {
  const unread = optionFields.filter(
    (field) => !sources.some(({ text }) => new RegExp(`\\b${field}\\b`).test(text)),
  );
  expect(unread).toEqual([]);
});
