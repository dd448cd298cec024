/**
 * What the administrator says to a worker itself: the table `settings` of the worker's own TOML.
 *
 * The daemon has looked at whose file that is before it started the worker, and starts the worker anew when the file
 * changes. Its name is that of the handler, so the worker file is called `<handler>.worker`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';

export type Table = Readonly<Record<string, unknown>>;

export interface Settings {
  /** For people. */
  readonly file: string;
  readonly table: Table;
}

/** Nothing is set when there is no file, or no such table in it. */
export function readSettings(handler: string, configDir = '/etc/yggdrasil'): Settings {
  const file = path.join(configDir, 'workers', `${handler}.toml`);
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const { settings } = parse(text);
  return { file, table: isTable(settings) ? settings : {} };
}

/** The entries of one table in the settings; there has to be one at least. */
export function entriesOf({ file, table }: Settings, name: string): Array<[name: string, value: unknown]> {
  const entries = Object.entries(isTable(table[name]) ? table[name] : {});
  if (entries.length === 0) throw new Error(`${file} has no table [settings.${name}], or nothing in it.`);
  return entries;
}

/** A worker's first argument, unless that is an option. */
export function handlerName(usual: string): string {
  const [word] = process.argv.slice(2);
  return word === undefined || word.startsWith('-') ? usual : word;
}

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** What was asked for is not what the settings allow: the message has failed, and nothing was done. */
export function refused(reason: string): Error {
  return Object.assign(new Error(reason), { code: 'REFUSED' });
}
