/** What every answer of a worker has to keep to, by whichever way it comes. */
import { YggError } from '../base/errors.ts';
import { maxIdLength } from '../messages.ts';

export interface BoundedAnswer {
  readonly messageId: string;
  readonly responseTo: string;
  readonly content: Uint8Array;
}

/**
 * Ids are kept in memory, named in frames and in the log; an id that is longer than any message may have answers none.
 *
 * @throws YggError `YGG_MESSAGE_INVALID`, `YGG_MESSAGE_TOO_LARGE`
 */
export function checkAnswer({ messageId, responseTo, content }: BoundedAnswer, contentLimit: number): void {
  if (messageId.length > maxIdLength) throw tooLong('message_id', messageId);
  if (responseTo.length > maxIdLength) throw tooLong('response_to', responseTo);
  if (content.length <= contentLimit) return;
  const sentence = `The answer ${messageId} has ${content.length} bytes and may have ${contentLimit}.`;
  throw new YggError('YGG_MESSAGE_TOO_LARGE', sentence);
}

function tooLong(field: string, { length }: string): YggError {
  return new YggError(
    'YGG_MESSAGE_INVALID',
    `A ${field} of ${length} characters is longer than ${maxIdLength}.`,
  );
}
