/**
 * Looks at messages in the journal, of a running daemon or of one that is stopped. Changes nothing.
 *
 * A long journal is looked through in pages, with everything else having its turn between two of them.
 */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { YggError } from '../base/errors.ts';
import {
  type ContentPart,
  type MessageDesk,
  type MessageKey,
  type MessageQuery,
  mostListed,
} from '../control-api.ts';
import type { Journal, RequestBody, ResponseBody } from '../journal/journal.ts';
import type { MessageRecord, Messages } from '../journal/message-record.ts';

export type MessagesJournal = Pick<Journal, 'messages' | 'inbox' | 'outbox' | 'dead' | 'contentDirectory'>;

/** Messages looked at in one go: some two milliseconds. */
const page = 256;
/** Bytes of content in one piece. */
const pieceSize = 64 * 1024;

export function createMessageDesk(journal: MessagesJournal): MessageDesk {
  return {
    listMessages: (query, abort) => select(journal.messages, query, abort),
    async showMessage(key) {
      return (await findMessage(journal, key)) ?? missing(key, 'message');
    },
    async *content(key, abort) {
      const record = (await findMessage(journal, key)) ?? missing(key, 'message');
      const body = bodyOf(journal, record);
      if (!body) {
        const why = record.state === 'done' ? 'it is done' : 'its record is damaged';
        throw new YggError('YGG_NOT_FOUND', `${nameOf(key)} has no content any longer: ${why}.`);
      }
      const metadata = body.metadata ?? {};
      if (record.contentFile === '') {
        yield* piecesOf(metadata, body.content);
      } else {
        const file = path.join(journal.contentDirectory, record.contentFile);
        yield* piecesOfFile(metadata, file, abort);
      }
    },
  };
}

/** The messages that a query asks for, the latest first. */
export async function* select(
  messages: Messages,
  query: MessageQuery,
  abort: AbortSignal,
): AsyncIterable<MessageRecord> {
  const { directive, since, until, limit } = query;
  const states = new Set(query.states);
  let left = Math.min(limit > 0 ? limit : mostListed, mostListed);
  let next: number | undefined;
  do {
    const { records, next: older } = messages.page(page, next);
    for (const record of records) {
      const { queuedAt } = record;
      if (directive !== '' && record.directive !== directive) continue;
      if (states.size > 0 && !states.has(record.state)) continue;
      if (queuedAt < since || (until > 0 && queuedAt >= until)) continue;
      yield record;
      left -= 1;
      if (left === 0) return;
    }
    // Messages lie in the order in which they came; a clock that was set back within a page does not end the search.
    if (records.length > 0 && records.every(({ queuedAt }) => queuedAt < since)) return;
    next = older;
    await turn();
  } while (next !== undefined && !abort.aborted);
}

/** By its number, or by its id: the latest request with it, else the latest response. */
export async function findMessage(
  journal: Pick<Journal, 'messages' | 'inbox'>,
  { sequence, messageId }: MessageKey,
): Promise<MessageRecord | undefined> {
  if (sequence > 0) return journal.messages.get(sequence);
  const known = journal.inbox.find(messageId);
  const request = known && journal.messages.get(known.sequence);
  return request ?? (await findById(journal.messages, messageId));
}

/** The latest with this id. */
export async function findById(messages: Messages, messageId: string): Promise<MessageRecord | undefined> {
  let next: number | undefined;
  do {
    const { records, next: older } = messages.page(page, next);
    const found = records.find((record) => record.messageId === messageId);
    if (found) return found;
    next = older;
    await turn();
  } while (next !== undefined);
  return undefined;
}

/** Throws `YGG_NOT_FOUND`. */
export function missing(key: MessageKey, what: 'message' | 'dead letter'): never {
  throw new YggError('YGG_NOT_FOUND', `There is no ${what} ${nameOf(key)}, or it was forgotten.`);
}

function nameOf({ sequence, messageId }: MessageKey): string {
  return sequence > 0 ? `number ${sequence}` : `"${messageId}"`;
}

function bodyOf(
  { inbox, outbox, dead }: MessagesJournal,
  { sequence, kind, state }: MessageRecord,
): RequestBody | ResponseBody | undefined {
  if (state === 'dead') return dead.body(sequence);
  return kind === 'request' ? inbox.body(sequence) : outbox.body(sequence);
}

function* piecesOf(metadata: ContentPart['metadata'], content: Uint8Array): Iterable<ContentPart> {
  yield { metadata, content: content.subarray(0, pieceSize) };
  for (let at = pieceSize; at < content.length; at += pieceSize) {
    yield { metadata: {}, content: content.subarray(at, at + pieceSize) };
  }
}

async function* piecesOfFile(
  metadata: ContentPart['metadata'],
  file: string,
  abort: AbortSignal,
): AsyncIterable<ContentPart> {
  yield { metadata, content: new Uint8Array() };
  const stream = createReadStream(file, { highWaterMark: pieceSize, signal: abort });
  for await (const content of stream) yield { metadata: {}, content };
}
