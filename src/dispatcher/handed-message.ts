/**
 * A message as it is handed over, read from the journal when its turn has come.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { YggError } from '../base/errors.ts';
import type { Journal } from '../journal/journal.ts';
import { type Delivery, inlineContent } from '../rpc/attach-frames.ts';
import type { Data } from '../rpc/protocol.ts';
import type { Job } from './job.ts';

export interface HandedMessage extends Data {
  /** The file with its content, when it was fetched into one; or empty. */
  readonly file: string;
}

const nothing = new Uint8Array(0);

/**
 * Content larger than `inlineLimit` is left where it is.
 *
 * @throws YggError `YGG_JOURNAL_RECORD`
 */
export function loadMessage(
  { inbox, contentDirectory }: Journal,
  job: Job,
  inlineLimit: number,
): HandedMessage | Promise<HandedMessage> {
  const { sequence, messageId, directive } = job.doc;
  const row = inbox.row(sequence);
  const body = inbox.body(sequence);
  if (!row || !body) throw new YggError('YGG_JOURNAL_RECORD', 'Its journal record is gone or damaged.');
  job.attempt = row.attempt;
  const { responseTo, content } = body;
  const metadata = body.metadata ?? {};
  const large = job.size > inlineLimit;
  if (row.contentFile === '') {
    return { messageId, metadata, responseTo, directive, content: large ? nothing : content, file: '' };
  }
  const file = path.join(contentDirectory, row.contentFile);
  const message = { messageId, metadata, responseTo, directive, file };
  if (large) return { ...message, content: nothing };
  return readFile(file).then((fetched) => ({ ...message, content: fetched }));
}

/** Bytes of its content and, at most, of its metadata. */
export function sizeOf({ content, metadata }: HandedMessage): number {
  let bytes = content.length;
  for (const name in metadata) bytes += 3 * (name.length + (metadata[name]?.length ?? 0));
  return bytes;
}

/** As it travels to an attached worker. Written out, as spreading is dear here: one for each message. */
export function deliveryOf(job: Job, message: HandedMessage, namesFile: boolean): Delivery {
  return {
    number: job.doc.sequence,
    messageId: message.messageId,
    responseTo: message.responseTo,
    directive: message.directive,
    metadata: message.metadata,
    content: message.content,
    attempt: job.attempt,
    totalSize: job.size > inlineContent ? job.size : 0,
    file: namesFile ? message.file : '',
    cancel: job.doc.cancel,
  };
}
