/**
 * Writes small files that are either there whole or not there, also after a crash or a power cut: beside, flushed,
 * renamed, and the directory flushed as well.
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Replaces `file`. The mode is exact whatever the umask; the directory must be one that only we write in. */
export function writeDurably(file: string, content: string | Uint8Array, mode: number): void {
  const beside = `${file}.new`;
  // `wx`: what a crash left behind is removed first, so that nobody's link is followed or mode kept.
  rmSync(beside, { force: true });
  const handle = openSync(beside, 'wx', mode);
  try {
    fchmodSync(handle, mode);
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let written = 0; written < bytes.length; ) written += writeSync(handle, bytes, written);
    fsyncSync(handle);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
  flushDirectory(path.dirname(file));
}

function flushDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
