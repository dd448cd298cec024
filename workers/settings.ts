/**
 * How a worker of this folder begins, and what the administrator says to it: the table `settings` of its own TOML.
 *
 * The daemon has looked at whose file that is before it started the worker, and starts the worker anew when the file
 * changes. Its name is that of the handler, so the worker file is called `<handler>.worker`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';
import type { Worker } from 'yggd/worker';

export type Table = Readonly<Record<string, unknown>>;

export interface Settings {
  /** For people. */
  readonly file: string;
  readonly table: Table;
}

/** A worker's main: its handler is its first argument, if any. What keeps it from running is said in one line. */
export async function runWorker(usual: string, create: (handler: string) => Worker): Promise<void> {
  const [word] = process.argv.slice(2);
  try {
    await create(word === undefined || word.startsWith('-') ? usual : word).run();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** Nothing is set when there is no file, or no such table in it. */
export function readSettings(
  handler: string,
  configDir: string = process.env['YGG_CONFIG_DIR'] ?? '/etc/yggdrasil',
): Settings {
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
