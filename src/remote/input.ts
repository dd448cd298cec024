/**
 * What people type, made into what goes into a message: the content argument and `--metadata` entries.
 */
import { isUtf8 } from 'node:buffer';
import { reasonOf, YggError } from '../base/errors.ts';
import { isJson } from '../base/json-text.ts';

export interface ContentSources {
  /** Bytes of a file; throws when it cannot be read. */
  readFile(path: string): Uint8Array;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
}

/** Content over this would not pass the daemon's `max-message-size` whatever it is. */
const contentLimit = 64 * 1024 * 1024;

/**
 * The bytes that `CONTENT` stands for: itself, `-` for standard input, `@FILE` for a file; empty when it was left
 * out. Throws `YGG_USAGE`.
 */
export async function readContent(
  argument: string | undefined,
  sources: ContentSources,
): Promise<Uint8Array> {
  if (argument === undefined) return new Uint8Array();
  const content = await contentBytes(argument, sources);
  if (content.length > contentLimit) {
    throw new YggError(
      'YGG_USAGE',
      `The content has ${content.length} bytes; a message takes far less than ${contentLimit}.`,
    );
  }
  return content;
}

async function contentBytes(argument: string, sources: ContentSources): Promise<Uint8Array> {
  if (argument === '-') return sources.readStdin();
  if (!argument.startsWith('@')) return Buffer.from(argument);
  const file = argument.slice(1);
  try {
    return sources.readFile(file);
  } catch (error) {
    throw new YggError('YGG_USAGE', `Content file "${file}" cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

/** Refuses what is not JSON, for `--raw`: without it, text that is not JSON is sent as a JSON string. */
export function requireJson(content: Uint8Array): void {
  if (content.length === 0 || (isUtf8(content) && isJson(content))) return;
  throw new YggError(
    'YGG_USAGE',
    'The content is not JSON, and --raw sends nothing else. Leave --raw out to send it as a JSON string.',
  );
}

/** The `--metadata NAME=VALUE` entries; the last of a repeated name counts. `null` when there are none. */
export function readMetadata(entries: readonly string[]): Readonly<Record<string, string>> | null {
  if (entries.length === 0) return null;
  const metadata: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const equals = entry.indexOf('=');
    if (equals < 1) {
      throw new YggError(
        'YGG_USAGE',
        `Metadata "${entry}" has no name and value; write --metadata NAME=VALUE.`,
      );
    }
    metadata[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return metadata;
}
