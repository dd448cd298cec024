/**
 * One file of the write-ahead log. What is written survives a killed process; what is flushed survives a power cut.
 */
import {
  close,
  constants,
  fdatasync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writev,
} from 'node:fs';
import { promisify } from 'node:util';

export interface LogFile {
  /** What is in it: everything, or so many bytes of its beginning at most. */
  read(size?: number): Buffer;
  /** One behind the other from `at` on. The pieces are not changed before it has ended. */
  write(pieces: readonly Uint8Array[], at: number): Promise<void>;
  flush(): Promise<void>;
  /** Gives the room of everything back. */
  empty(): void;
  close(): Promise<void>;
}

const flushData = promisify(fdatasync);
const closeHandle = promisify(close);

/** Opens it, and makes it when it is not there, for our eyes only. */
export function openLogFile(file: string): LogFile {
  const handle = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  return {
    read: (size) => (size === undefined ? readFileSync(file) : readBeginning(handle, size)),
    write: (pieces, at) => writeAll(handle, pieces, at),
    flush: () => flushData(handle),
    empty: () => ftruncateSync(handle),
    close: () => closeHandle(handle),
  };
}

function readBeginning(handle: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  return bytes.subarray(0, readSync(handle, bytes, 0, size, 0));
}

function writeAll(handle: number, pieces: readonly Uint8Array[], at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    writev(handle, pieces, at, (error, written) => {
      if (error) return reject(error);
      const rest = behind(pieces, written);
      if (rest.length === 0) resolve();
      else if (written === 0) reject(new Error('the disk took nothing'));
      else writeAll(handle, rest, at + written).then(resolve, reject);
    });
  });
}

/** What is left of the pieces behind so many bytes. */
function behind(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    if (left < piece.length) rest.push(left > 0 ? piece.subarray(left) : piece);
    left = Math.max(0, left - piece.length);
  }
  return rest;
}
