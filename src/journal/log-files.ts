/**
 * The files of the write-ahead log, used in turn, and what a process before left in them.
 */
import path from 'node:path';
import { type LogFile, openLogFile } from './log-file.ts';
import { decodeRecord, markSize, tracesOf } from './log-record.ts';

export const logFiles: readonly string[] = Array.from({ length: 8 }, (_, index) => `log.${index}`);

/** Bytes of a file that are read to see whether the rest is needed. */
const glance = 64 * 1024;

export interface LeftSegment {
  readonly file: LogFile;
  readonly name: string;
  readonly number: number;
  readonly mark: Uint8Array;
}

export interface LogFilesDeps {
  /** Where they lie; exists and is ours alone. */
  readonly directory: string;
  /** Writes that had been flushed cannot be read any more. */
  readonly onDamaged: (file: string, reason: string) => void;
}

export class LogFiles {
  readonly #files: ReadonlyArray<{ readonly name: string; readonly file: LogFile }>;
  readonly #onDamaged: LogFilesDeps['onDamaged'];

  constructor({ directory, onDamaged }: LogFilesDeps) {
    this.#files = logFiles.map((name) => ({ name, file: openLogFile(path.join(directory, name)) }));
    this.#onDamaged = onDamaged;
  }

  /** One that is not taken, of the first so many. */
  free(taken: ReadonlySet<LogFile>, allowed: number): LogFile | undefined {
    if (taken.size >= allowed) return undefined;
    return this.#files.find(({ file }) => !taken.has(file))?.file;
  }

  /** Whether it is not one of the first so many. */
  isSpare(file: LogFile, allowed: number): boolean {
    return this.#files.findIndex((one) => one.file === file) >= allowed;
  }

  /** Segments behind the one up to which everything is in the tables, oldest first. */
  left(checkpointed: number): LeftSegment[] {
    return this.#files
      .map(({ name, file }) => ({ name, file, ...this.#glanceAt(file, name, checkpointed) }))
      .filter(({ number }) => number > checkpointed)
      .sort((a, b) => a.number - b.number);
  }

  async close(): Promise<void> {
    for (const { file } of this.#files) await file.close();
  }

  #glanceAt(file: LogFile, name: string, checkpointed: number): Pick<LeftSegment, 'number' | 'mark'> {
    const beginning = file.read(glance);
    const mark = Uint8Array.from(beginning.subarray(0, markSize));
    const first = decodeRecord(beginning, 0) ?? decodeRecord(file.read(), 0);
    if (first) return { number: first.segment, mark };
    // A segment whose first record is not whole has none; a power cut leaves one so only when nothing was flushed.
    const { segment, flushed } = tracesOf(file.read(), 0, mark);
    if (segment > checkpointed && flushed > 0) this.#onDamaged(name, unreadable(flushed, segment));
    return { number: 0, mark };
  }
}

export function unreadable(writes: number, segment: number): string {
  return `${writes} flushed writes of segment ${segment} cannot be read.`;
}
