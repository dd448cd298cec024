/**
 * Metadata and content of a message, for those who asked for them.
 */
import { isUtf8 } from 'node:buffer';
import { compactJson } from '../base/json-layout.ts';
import { isJson } from '../base/json-text.ts';
import { printable } from '../base/printable.ts';
import { shownContent } from '../base/printer.ts';
import type { ContentPart } from '../control-api.ts';

export interface WholeContent {
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Buffer;
}

export async function wholeContent(parts: AsyncIterable<ContentPart>): Promise<WholeContent> {
  let metadata: WholeContent['metadata'] = {};
  const pieces: Uint8Array[] = [];
  for await (const part of parts) {
    if (pieces.length === 0) metadata = part.metadata;
    pieces.push(part.content);
  }
  return { metadata, content: Buffer.concat(pieces) };
}

/** Behind the other details of a message. */
export function contentText({ metadata, content }: WholeContent): string {
  const entries = Object.entries(metadata).map(([name, value]) => `${printable(name)}=${printable(value)}`);
  const text = isUtf8(content)
    ? shownContent(content.toString(), '')
    : `${content.length} bytes that are no text`;
  return ['', 'METADATA', ...entries, '', 'CONTENT', text].join('\n');
}

/** Members to be put into an object: JSON stays as it is, big integers included; anything else is base64. */
export function contentMembers({ metadata, content }: WholeContent): string {
  const json = isUtf8(content) && isJson(content);
  const member = json
    ? `"content":${compactJson(content.toString())}`
    : `"content_base64":${JSON.stringify(content.toString('base64'))}`;
  return `"metadata":${JSON.stringify(metadata)},${member}`;
}
