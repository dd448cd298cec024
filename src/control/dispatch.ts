/**
 * Takes a message from this host instead of from the broker, and tells what becomes of it.
 *
 * Signals out: `inbox-add`. From there on it is a message like any other, whether anybody listens or not; but its
 * death is not reported to the server, which knows nothing of it.
 */
import { YggError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { Channel } from '../channel.ts';
import type { DispatchProgress, DispatchRequest } from '../control-api.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Journal, NewRequest } from '../journal/journal.ts';
import { contentAsJson, directivePattern } from '../messages.ts';
import type { Signals } from '../signals.ts';

export interface DispatchDeps {
  readonly signals: Pick<Signals, 'observe' | 'emit'>;
  readonly datastore: Pick<Datastore, 'workers'>;
  readonly journal: Pick<Journal, 'inbox' | 'outbox' | 'dead'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
  /** A new UUID. */
  readonly newId: () => string;
  /** Bytes a content may have. */
  readonly maxMessageSize: number;
}

/** Far more than one message has turns. */
const capacity = 256;

export async function* dispatch(
  deps: DispatchDeps,
  given: DispatchRequest,
  abort: AbortSignal,
): AsyncIterable<DispatchProgress> {
  const { signals, datastore, journal, counters, log, newId } = deps;
  const request = requestOf(given, newId());
  checkSize(request, deps.maxMessageSize);
  checkRoom(request, journal);

  const receipt = journal.inbox.receive(request);
  const { sequence } = receipt;
  const { messageId, directive } = request;
  const feed = new Channel<DispatchProgress>({ capacity });
  const tell = (progress: Partial<DispatchProgress> & Pick<DispatchProgress, 'state'>): void => {
    feed.trySend({ ...nothing, sequence, messageId, ...progress });
  };
  const end = (): void => feed.close();
  const stops = [
    signals.observe('data-dispatch', (accepted) => {
      if (accepted.sequence !== sequence) return;
      tell({ state: 'accepted', pid: accepted.pid, attempts: accepted.attempt });
    }),
    signals.observe('message-progress', ({ sequence: of, data }) => {
      // Never so many that the end of it finds no room.
      if (of === sequence && feed.size < capacity / 2) tell({ state: 'working', content: data });
    }),
    signals.observe('data-return', (response) => {
      const answer = answerTo(messageId, response.sequence, journal);
      if (answer) tell(answer);
    }),
    signals.observe('message-settle', (settled) => {
      if (settled.sequence !== sequence) return;
      if (settled.outcome === 'back') tell({ state: 'back' });
      // The response that finished it is told in the same turn.
      if (settled.outcome === 'done') setImmediate(() => tellLast({ state: 'done' }));
    }),
    journal.dead.onDead(({ sequence: dead, reason, message }) => {
      if (dead === sequence) tellLast({ state: 'dead', reason, explanation: message });
    }),
  ];
  function tellLast(progress: Parameters<typeof tell>[0]): void {
    tell(progress);
    end();
  }

  abort.addEventListener('abort', end, { once: true });
  if (abort.aborted) end();
  try {
    await receipt.flushed;
    counters.count('messages_received');
    log.info({ message_id: messageId, directive }, 'a message was dispatched on this host');
    void signals.emit('inbox-add', { sequence, directive });
    const attended = datastore.workers.get(directive) !== undefined;
    yield { ...nothing, state: 'queued', sequence, messageId, attended };
    yield* feed;
  } finally {
    for (const stop of stops) stop();
    abort.removeEventListener('abort', end);
  }
}

/** Throws `YGG_MESSAGE_INVALID`. */
function requestOf({ directive, metadata, content }: DispatchRequest, messageId: string): NewRequest {
  if (!directivePattern.test(directive)) {
    throw new YggError(
      'YGG_MESSAGE_INVALID',
      `"${directive}" is not a directive: letters, digits, dot, underscore, hyphen, at most 128.`,
    );
  }
  const { json, base64 } = contentAsJson(content);
  const entries = base64 ? { ...metadata, 'content-encoding': 'base64' } : metadata;
  return {
    messageId,
    responseTo: '',
    directive,
    metadata: Object.keys(entries).length > 0 ? entries : null,
    content: json,
    cancel: false,
    origin: 'local',
  };
}

function checkSize({ content }: NewRequest, limit: number): void {
  if (content.length <= limit) return;
  throw new YggError(
    'YGG_MESSAGE_TOO_LARGE',
    `The content has ${content.length} bytes, and max-message-size is ${limit}.`,
  );
}

/** As for a message of the broker: the inbox has an end, and one directive may fill half of it. */
function checkRoom({ directive, content }: NewRequest, { inbox }: DispatchDeps['journal']): void {
  for (const { messages, bytes, limit } of [inbox.fill(), inbox.fill(directive)]) {
    if (messages < limit.messages && bytes + content.length <= limit.bytes) continue;
    throw new YggError(
      'YGG_INBOX_FULL',
      `The inbox, or the share of it for ${directive}, is full: ${messages} messages, ${bytes} bytes.`,
    );
  }
}

/** A response to this message, if that is what it is. */
function answerTo(
  messageId: string,
  sequence: number,
  { outbox }: DispatchDeps['journal'],
): (Partial<DispatchProgress> & Pick<DispatchProgress, 'state'>) | undefined {
  const row = outbox.row(sequence);
  if (row?.responseTo !== messageId) return undefined;
  const body = outbox.body(sequence);
  return {
    state: 'answered',
    messageId: row.messageId,
    metadata: body?.metadata ?? {},
    content: body?.content ?? new Uint8Array(),
  };
}

const nothing: DispatchProgress = {
  state: 'queued',
  sequence: 0,
  messageId: '',
  attended: false,
  pid: 0,
  attempts: 0,
  metadata: {},
  content: new Uint8Array(),
  reason: '',
  explanation: '',
};
