/**
 * Where the package is that the programs are part of.
 */
import path from 'node:path';

/** Its folder, seen from `dist/cmd/`. */
export const packageRoot: string = path.resolve(import.meta.dirname, '../..');
