/**
 * Writes small files that are either there whole or not there: beside, and renamed.
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/**
 * Replaces `file`, also for after a power cut: it is flushed before it is renamed, and the directory afterwards. The mode
 * is exact whatever the umask; the directory must be one that only we write in.
 */
export function writeDurably(file: string, content: string | Uint8Array, mode: number): void {
  replace(file, content, mode, fsyncSync);
  flushDirectory(path.dirname(file));
}

/**
 * Replaces `file`, whole also after a crash of this process. For what means nothing, or little, after a power cut: a
 * flush may take tens of milliseconds.
 */
export function writeWhole(file: string, content: string | Uint8Array, mode: number): void {
  replace(file, content, mode, () => {});
}

function replace(
  file: string,
  content: string | Uint8Array,
  mode: number,
  flush: (handle: number) => void,
): void {
  const beside = `${file}.new`;
  // `wx`: what a crash left behind is removed first, so that nobody's link is followed or mode kept.
  rmSync(beside, { force: true });
  const handle = openSync(beside, 'wx', mode);
  try {
    fchmodSync(handle, mode);
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let written = 0; written < bytes.length; ) written += writeSync(handle, bytes, written);
    flush(handle);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
}

/** What was made, renamed or removed in it survives a power cut. */
export function flushDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
