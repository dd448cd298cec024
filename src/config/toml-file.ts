/**
 * TOML files with the place of everything in them, so that an error names file, line and column.
 */
import { readFileSync } from 'node:fs';
import { parse, TomlDate, TomlError } from 'smol-toml';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

/** A table as it was read: no prototype, values unchecked. */
export type TomlTable = Readonly<Record<string, unknown>>;

/** What is in one file. */
export interface TomlFile {
  readonly file: string;
  readonly table: TomlTable;
  /** `file:line:column` of a key of the top level, or of its value. */
  place(key: string, of?: 'key' | 'value'): string;
}

/** Reads a file; `undefined` when there is none. Throws `YGG_CONFIG` when it cannot be read or is not TOML. */
export function readToml(file: string): TomlFile | undefined {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw new YggError('YGG_CONFIG', `${file} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
  return parseToml(file, content);
}

/** Throws `YGG_CONFIG` when the content is not TOML. */
function parseToml(file: string, content: Uint8Array): TomlFile {
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    throw new YggError('YGG_CONFIG', `${file} is not UTF-8 text.`, { cause: error });
  }
  try {
    const table = parse(source, { maxDepth: 32 });
    return { file, table, place: (key, of = 'key') => `${file}:${placeOf(source, key, of)}` };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? 'not TOML';
    throw new YggError('YGG_CONFIG', `${file}:${error.line}:${error.column}: ${what}.`, { cause: error });
  }
}

/** A value of TOML as people write it, for messages. */
export function shown(value: unknown): string {
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return 'a table';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/**
 * The parser tells no places, but it tells whether a line begins a statement: then, and only then, everything before
 * it is TOML of its own. A key of the top level comes before every table header.
 */
function placeOf(source: string, key: string, of: 'key' | 'value'): string {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const named = new RegExp(`^(\\s*(?:\\[\\[?\\s*)?)(["']?)${escaped}\\2\\s*(?:[.\\]]|=\\s*)`);
  let begin = 0;
  for (const [index, line] of source.split('\n').entries()) {
    const match = named.exec(line);
    const isHeader = match?.[1]?.includes('[') ?? false;
    if (match && isStatement(source.slice(0, begin), isHeader)) {
      // The value of a table header is what comes in the next lines; its name stands for it.
      const column = of === 'key' || isHeader ? (match[1]?.length ?? 0) : match[0].length;
      return `${index + 1}:${column + 1}`;
    }
    begin += line.length + 1;
  }
  return '1:1';
}

function isStatement(before: string, header: boolean): boolean {
  try {
    const probe = '__a_key_nobody_has__';
    const table = parse(`${before}\n${probe} = 0`);
    return header || Object.hasOwn(table, probe);
  } catch {
    return false;
  }
}
