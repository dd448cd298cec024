/**
 * Tells a repetition of a message from a new message under an old id.
 */
import { hash } from 'node:crypto';

/** Over directive, metadata (in any order; none is as empty) and content. */
export function requestHash(
  directive: string,
  metadata: Readonly<Record<string, string>> | null,
  content: Uint8Array,
): string {
  const entries = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const head = Buffer.from(JSON.stringify([directive, entries]));
  return hash('sha256', Buffer.concat([head, content]), 'base64url').slice(0, 22);
}
