/**
 * Opens the LMDB files of a journal; the store and the probe open them alike.
 */
import { open, type RootDatabase } from 'lmdb';

/** The kinds of keys that the journal's tables have. */
export type LmdbKey = number | string | [directive: string, sequence: number];

/** Names of the files in the directory. */
export const dataFile = 'data.mdb';
export const lockFile = 'lock.mdb';

/** Exit status of the probe for files that LMDB refuses to read; any other failure says nothing about them. */
export const unreadable = 65;

/** More tables than there are. */
const maxTables = 32;

export function openEnvironment(directory: string, readOnly: boolean): RootDatabase<Uint8Array, LmdbKey> {
  return open({
    path: directory,
    // A directory, also when its name has a dot in it.
    noSubdir: false,
    maxDbs: maxTables,
    encoding: 'binary',
    eventTurnBatching: false,
    readOnly,
  });
}
