/**
 * What each command does once the daemon is found, and what it prints.
 */
import type { LogLevel } from '../base/log.ts';
import type { Printer } from '../base/printer.ts';
import { dateAndTime } from '../base/time-text.ts';
import type {
  Control,
  DeadLetterDesk,
  MessageDesk,
  MessageKey,
  MessageQuery,
  RestartRequest,
} from '../control-api.ts';
import type { MessageRecord } from '../journal/message-record.ts';
import { contentMembers, contentText, type WholeContent, wholeContent } from './content-text.ts';
import { eventFields, eventText } from './event-text.ts';
import { isoOrNull, messageDetails, messageFields, messageLines } from './message-text.ts';
import { statusFields, statusLines, workerFields, workerLines } from './status-text.ts';

/** What an action has besides the daemon. */
export interface Surroundings {
  readonly printer: Printer;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Fires when the person has had enough. */
  readonly abort: AbortSignal;
}

export async function showStatus(control: Control, { printer, now }: Surroundings): Promise<void> {
  const status = await control.status();
  await printer.result(statusLines(status, now()), statusFields(status));
}

export async function listWorkers(control: Control, { printer, now }: Surroundings): Promise<void> {
  const workers = await control.workers();
  if (printer.format === 'text') await printer.result(workerLines(workers, now()), {});
  else for (const worker of workers) await printer.result('', workerFields(worker));
}

export async function listMessages(
  desk: MessageDesk,
  query: MessageQuery,
  surroundings: Surroundings,
): Promise<void> {
  await printRecords(desk.listMessages(query, surroundings.abort), 'messages', surroundings);
}

export async function listDeadLetters(
  desk: DeadLetterDesk,
  query: MessageQuery,
  surroundings: Surroundings,
): Promise<void> {
  await printRecords(desk.listDeadLetters(query, surroundings.abort), 'dead letters', surroundings);
}

/** With its content only when that was asked for. */
export async function showMessage(
  desk: MessageDesk & DeadLetterDesk,
  {
    key,
    what,
    content,
  }: { readonly key: MessageKey; readonly what: 'message' | 'dead letter'; readonly content: boolean },
  { printer, abort }: Surroundings,
): Promise<void> {
  const record = await (what === 'message' ? desk.showMessage(key) : desk.showDeadLetter(key));
  // By its number: its id may be another message's by now.
  const exactly = { sequence: record.sequence, messageId: '' };
  const whole = content ? await wholeContent(desk.content(exactly, abort)) : undefined;
  if (whole === undefined) await printer.result(messageDetails(record), messageFields(record));
  else await printWithContent(record, whole, printer);
}

/** Each on its own: one that fails ends it, and those before it are done. */
export async function retryDeadLetters(
  desk: DeadLetterDesk,
  keys: readonly MessageKey[],
  { printer }: Surroundings,
): Promise<void> {
  for (const key of keys) {
    const record = await desk.retryDeadLetter(key);
    const { sequence, messageId, directive } = record;
    const text = `${messageId} for ${directive} is tried again, as number ${sequence}`;
    await printer.result(text, messageFields(record));
  }
}

export async function dropDeadLetters(
  desk: DeadLetterDesk,
  keys: readonly MessageKey[],
  { printer }: Surroundings,
): Promise<void> {
  for (const key of keys) {
    const record = await desk.dropDeadLetter(key);
    const { messageId, directive, reason } = record;
    await printer.result(`${messageId} for ${directive} (${reason}) was dropped`, messageFields(record));
  }
}

/** Prints what happens until it is interrupted. Throws `YGG_CLOSED` when the daemon stops. */
export async function listen(control: Control, { printer, abort }: Surroundings): Promise<void> {
  for await (const event of control.events(abort)) {
    if (printer.format === 'json') await printer.result('', eventFields(event));
    else if (event.name === 'listening') await printer.remark('listening; Ctrl-C ends it');
    else await printer.line(eventText(event, printer.out));
  }
}

export async function reload(control: Control, { printer }: Surroundings): Promise<void> {
  const { applied, needRestart } = await control.reload();
  const lines = ['reloaded'];
  if (applied.length > 0) lines.push(`changed: ${applied.join(', ')}`);
  if (needRestart.length > 0) lines.push(`changed, and holds after a restart: ${needRestart.join(', ')}`);
  await printer.result(lines, { applied, need_restart: needRestart });
}

export async function restart(
  control: Control,
  request: RestartRequest,
  { printer }: Surroundings,
): Promise<void> {
  const { latestAt, inHand } = await control.restart(request);
  const messages = inHand === 1 ? '1 message is in hand' : `${inHand} messages are in hand`;
  const text = request.whenIdle
    ? `yggd ends when its workers are idle, at the latest at ${dateAndTime(latestAt)}; ${messages}`
    : `yggd ends; ${messages}`;
  await printer.result(text, { latest: isoOrNull(latestAt), in_hand: inHand });
}

export async function setLogLevel(
  control: Control,
  level: LogLevel,
  { printer }: Surroundings,
): Promise<void> {
  await control.setLogLevel(level);
  await printer.result(`the log level is ${level} until the next reload or restart`, { log_level: level });
}

async function printRecords(
  records: AsyncIterable<MessageRecord>,
  what: string,
  { printer }: Surroundings,
): Promise<void> {
  const listed: MessageRecord[] = [];
  for await (const record of records) {
    if (printer.format === 'json') await printer.result('', messageFields(record));
    listed.push(record);
  }
  if (listed.length === 0) await printer.remark(`no ${what}`);
  else if (printer.format === 'text') await printer.result(messageLines(listed), {});
}

async function printWithContent(record: MessageRecord, whole: WholeContent, printer: Printer): Promise<void> {
  if (printer.format === 'json') {
    await printer.line(`${JSON.stringify(messageFields(record)).slice(0, -1)},${contentMembers(whole)}}`);
    return;
  }
  await printer.result(messageDetails(record), {});
  await printer.line(contentText(whole));
}
