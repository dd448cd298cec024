/**
 * Keeps a stream as a file that is there whole or not at all.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

export interface ContentFile {
  /** Ours alone (0700). */
  readonly directory: string;
  readonly name: string;
  /** Bytes. */
  readonly limit: number;
}

/**
 * Writes the chunks beside the file, flushes, and renames; returns the number of bytes. Errors of the stream come
 * through as they are; `YGG_CONTENT_TOO_LARGE` over the limit; `YGG_JOURNAL_FULL` or `YGG_JOURNAL_IO` from the disk.
 */
export async function keepContent(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  file: ContentFile,
): Promise<number> {
  const { directory, name, limit } = file;
  const target = path.join(directory, name);
  const beside = `${target}.part`;
  let size = 0;
  try {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const handle = await onDisk(open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600));
    try {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > limit) throw tooLarge(limit);
        await onDisk(handle.writeFile(chunk));
      }
      await onDisk(handle.sync());
    } finally {
      await handle.close();
    }
    await onDisk(rename(beside, target));
    await onDisk(flush(directory));
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  return size;
}

export function tooLarge(limit: number): YggError {
  return new YggError(
    'YGG_CONTENT_TOO_LARGE',
    `The content is larger than max-content-size (${limit} bytes).`,
  );
}

async function flush(directory: string): Promise<void> {
  const handle: FileHandle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function onDisk<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    const systemCode = systemCodeOf(error);
    const code = systemCode === 'ENOSPC' || systemCode === 'EDQUOT' ? 'YGG_JOURNAL_FULL' : 'YGG_JOURNAL_IO';
    throw new YggError(code, `The content could not be kept: ${reasonOf(error)}.`, { cause: error });
  }
}
