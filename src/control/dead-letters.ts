/**
 * Looks at dead letters and settles them, in the journal of a running daemon or of one that is stopped.
 */
import type { DeadLetterDesk, MessageKey, MessageQuery } from '../control-api.ts';
import type { Journal, Receipt } from '../journal/journal.ts';
import type { MessagePage, MessageRecord, Messages } from '../journal/message-record.ts';
import { findById, findMessage, missing, select } from './messages.ts';

export interface DeadLettersDeps {
  readonly journal: Pick<Journal, 'messages' | 'inbox' | 'dead'>;
  /** It waits again, and may be handed over or delivered. */
  readonly onRetried: (record: MessageRecord) => void;
  readonly onDropped: (record: MessageRecord) => void;
}

export function createDeadLetterDesk(deps: DeadLettersDeps): DeadLetterDesk {
  const { journal, onRetried, onDropped } = deps;
  const letters: Messages = {
    page: (limit, before) => deadPage(journal, limit, before),
    get: (sequence) => journal.messages.get(sequence),
  };

  async function find(key: MessageKey): Promise<MessageRecord> {
    const record = await findMessage(journal, key);
    if (record?.state === 'dead') return record;
    // The id of a dead letter may belong to a later message by now.
    return (
      (key.sequence > 0 ? undefined : await findById(letters, key.messageId)) ?? missing(key, 'dead letter')
    );
  }

  return {
    listDeadLetters: (query, abort) =>
      select(letters, { ...query, states: [] } satisfies MessageQuery, abort),
    showDeadLetter: find,
    async retryDeadLetter(key) {
      const before = await find(key);
      const receipt = await safe(journal.dead.retry(before.sequence), key);
      const after = journal.messages.get(receipt.sequence) ?? missing(key, 'dead letter');
      onRetried(after);
      return after;
    },
    async dropDeadLetter(key) {
      const record = await find(key);
      await safe(journal.dead.drop(record.sequence), key);
      onDropped(record);
      return record;
    },
  };
}

/** It is on the disk. */
async function safe(receipt: Receipt | undefined, key: MessageKey): Promise<Receipt> {
  const written = receipt ?? missing(key, 'dead letter');
  await written.flushed;
  return written;
}

function deadPage(
  { dead, messages }: Pick<Journal, 'dead' | 'messages'>,
  limit: number,
  before: number = Number.MAX_SAFE_INTEGER,
): MessagePage {
  const letters = dead.list(before, limit);
  const records = letters
    .map(({ sequence }) => messages.get(sequence))
    .filter((record) => record !== undefined);
  return { records, next: letters.length < limit ? undefined : letters.at(-1)?.sequence };
}
