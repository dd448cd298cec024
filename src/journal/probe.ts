/**
 * A program of its own: opens the journal in the directory it is given and reads all of it, so that damage that ends
 * a process ends this one and not the daemon.
 *
 * Ends with status 0 when everything could be read, and `unreadable` when LMDB refused; a signal says the same.
 */
import { reasonOf } from '../base/errors.ts';
import { type LmdbKey, openEnvironment, unreadable } from './lmdb-environment.ts';

/** How many records were read; throws when LMDB refuses one. */
function readAll(directory: string): number {
  const root = openEnvironment(directory, true);
  let records = 0;
  // The tables are the keys of the root database.
  for (const name of [...root.getKeys()]) {
    const table = root.openDB<Uint8Array, LmdbKey>({ name: String(name), encoding: 'binary' });
    for (const { value } of table.getRange()) if (value.length > 0) records += 1;
  }
  void root.close();
  return records;
}

const [, , directory = ''] = process.argv;
try {
  readAll(directory);
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = unreadable;
}
