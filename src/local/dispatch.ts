/**
 * Dispatches a message on this host, and shows its way until it is done, dead, or no longer waited for.
 */
import type { Clock } from '../base/clock.ts';
import { within } from '../base/deadline.ts';
import { YggError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { milliseconds, type Printer } from '../base/printer.ts';
import type { Control, DispatchProgress, DispatchRequest } from '../control-api.ts';
import { contentMembers } from './content-text.ts';

export interface DispatchSurroundings {
  readonly printer: Printer;
  readonly clock: Clock;
  readonly abort: AbortSignal;
  /** Milliseconds to wait for its end. */
  readonly timeout: number;
  /** Whether to wait for its end at all. */
  readonly wait: boolean;
}

/** Throws `YGG_GIVEN_UP` when it died, `YGG_NO_ANSWER` when it took too long. */
export async function dispatch(
  control: Control,
  request: DispatchRequest,
  surroundings: DispatchSurroundings,
): Promise<void> {
  const { timeout, clock, abort: interrupted } = surroundings;
  let last: DispatchProgress | undefined;
  const way = new AbortController();
  try {
    await within({ step: 'the message', ms: timeout, clock, abort: interrupted }, async () => {
      const begun = clock.monotonic();
      for await (const progress of control.dispatch(request, way.signal)) {
        // An answer has an id of its own; what is looked for later is the message.
        if (progress.state !== 'answered') last = progress;
        await print(progress, request, clock.monotonic() - begun, surroundings);
        if (progress.state === 'queued' && !surroundings.wait) return;
      }
    });
  } catch (error) {
    if (interrupted.aborted) return;
    throw error instanceof YggError && error.code === 'YGG_DEADLINE' && last ? tooLate(last, timeout) : error;
  } finally {
    way.abort();
  }
  if (last?.state === 'dead')
    throw new YggError('YGG_GIVEN_UP', `It was given up: ${last.reason}: ${last.explanation}`);
}

async function print(
  progress: DispatchProgress,
  { directive }: DispatchRequest,
  elapsed: number,
  { printer, wait }: DispatchSurroundings,
): Promise<void> {
  if (printer.format === 'json') {
    await printer.line(progressJson(progress));
    return;
  }
  switch (progress.state) {
    case 'queued':
      if (!wait) await printer.result(progress.messageId, {});
      else if (progress.attended) await printer.remark(`${progress.messageId} is on its way to ${directive}`);
      else await printer.remark(`${progress.messageId} waits: there is no worker for ${directive}`);
      return;
    case 'accepted':
      await printer.remark(`process ${progress.pid} accepted it, attempt ${progress.attempts}`);
      return;
    case 'working':
      for (const line of Buffer.from(progress.content).toString('utf8').trimEnd().split('\n'))
        await printer.remark(printable(line));
      return;
    case 'back':
      await printer.remark('it waits again');
      return;
    case 'answered':
      await printer.content(progress.content);
      await printer.remark(`${directive} answered after ${milliseconds(elapsed)} ms`);
      return;
    case 'done':
    case 'dead':
  }
}

/** What does not belong to a state is left out. */
function progressJson(progress: DispatchProgress): string {
  const { state, sequence, messageId, attended, pid, attempts, metadata, content, reason, explanation } =
    progress;
  const fields = {
    state,
    message_id: messageId,
    number: sequence,
    ...(state === 'queued' && { attended }),
    ...(state === 'accepted' && { pid, attempts }),
    ...(state === 'dead' && { reason, explanation }),
  };
  if (state !== 'answered' && state !== 'working') return JSON.stringify(fields);
  return `${JSON.stringify(fields).slice(0, -1)},${contentMembers({ metadata, content: Buffer.from(content) })}}`;
}

const whatNow: Readonly<Partial<Record<DispatchProgress['state'], string>>> = {
  queued: 'it waits',
  back: 'it waits again',
  accepted: 'a worker has it in hand',
  working: 'a worker has it in hand',
  answered: 'it was answered',
};

function tooLate({ state, messageId }: DispatchProgress, timeout: number): YggError {
  return new YggError(
    'YGG_NO_ANSWER',
    `No end after ${timeout / 1000} s: ${whatNow[state] ?? state}. It goes on; "yggctl messages show ${messageId}" says what becomes of it (--timeout waits longer).`,
  );
}
