/**
 * The commands of a server, on control/in.
 *
 * Owns nothing but the order: the id of a command is on disk before the command is acknowledged, and it is
 * acknowledged before it is carried out, so that none is carried out twice or sent for ever.
 */
import type { Clock } from '../base/clock.ts';
import { within } from '../base/deadline.ts';
import { type ErrorCode, reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Counters } from '../counters.ts';
import type { DoneIds } from '../journal/journal.ts';
import {
  type CommandMessage,
  directivePattern,
  maxIdLength,
  parseCommand,
  peekMessage,
} from '../messages.ts';
import type { Incoming } from '../mqtt/connector.ts';

export interface CommandActions {
  pong(responseTo: string): void;
  disconnect(): void;
  /** Comes back after `delay` milliseconds. */
  reconnect(delay: number): void;
  cancel(directive: string, messageId: string): void;
}

export interface CommandsDeps {
  readonly done: DoneIds;
  readonly actions: CommandActions;
  /** When the connection came up, in milliseconds since the epoch, and whether the broker kept the session. */
  readonly connection: () => { readonly since: number; readonly resumed: boolean };
  /** Calls back when no attempt at a connection is under way: before that, nothing can be answered. */
  readonly whenUp: (act: () => void) => void;
  readonly counters: Pick<Counters, 'count'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A command that waited in the session longer than this, and comes within `resumeWindow` of resuming, is stale. */
const staleAge = 10 * 60_000;
const resumeWindow = 10_000;
/** Milliseconds after which a command is carried out although its id could not be flushed: a full disk stops none. */
const flushDeadline = 2_000;
const maxDelay = 3_600;

export class Commands {
  readonly #deps: CommandsDeps;
  readonly #unflushed = new Map<string, Promise<void>>();

  constructor(deps: CommandsDeps) {
    this.#deps = deps;
  }

  take(message: Incoming): void {
    const { counters, log } = this.#deps;
    if (message.retain) {
      counters.count('commands_retained');
      log.warn({ message_id: peekMessage(message.payload).messageId }, 'a retained command was ignored');
      message.acknowledge();
      return;
    }
    if (message.oversize !== undefined) {
      counters.count('messages_oversize');
      const sentence = `The packet has ${message.oversize} bytes, more than max-message-size allows.`;
      this.#refuse(message, 'YGG_MESSAGE_TOO_LARGE', sentence);
      return;
    }
    let command: CommandMessage;
    try {
      command = parseCommand(message.payload);
    } catch (error) {
      counters.count('commands_refused');
      this.#refuse(message, 'YGG_MESSAGE_INVALID', reasonOf(error));
      return;
    }
    if (this.#isRepetition(message, command) || this.#isStale(message, command)) return;
    void this.#carryOut(message, command);
  }

  #refuse(message: Incoming, code: ErrorCode, reason: string): void {
    const { messageId } = peekMessage(message.payload);
    this.#deps.log.warn({ message_id: messageId, code, error: reason }, 'a command was refused');
    message.acknowledge();
  }

  #isRepetition(message: Incoming, { messageId, command }: CommandMessage): boolean {
    const { done, counters, log } = this.#deps;
    if (!done.has(messageId)) return false;
    counters.count('commands_duplicate');
    log.info({ message_id: messageId, command }, 'a command came again; ignored');
    const flushed = this.#unflushed.get(messageId) ?? Promise.resolve();
    void flushed.then(() => message.acknowledge());
    return true;
  }

  #isStale(message: Incoming, { messageId, command, sent }: CommandMessage): boolean {
    const { connection, counters, clock, log } = this.#deps;
    const { since, resumed } = connection();
    if (sent === undefined || !resumed) return false;
    if (clock.now() - since > resumeWindow || sent >= since - staleAge) return false;
    counters.count('commands_stale');
    log.warn(
      { message_id: messageId, command, sent: new Date(sent).toISOString() },
      'a stale command was ignored',
    );
    message.acknowledge();
    return true;
  }

  async #carryOut(message: Incoming, command: CommandMessage): Promise<void> {
    const { done, clock, log } = this.#deps;
    const { messageId } = command;
    const step = `remembering command ${messageId}`;
    const flushed = within({ step, ms: flushDeadline, clock }, () => done.add(messageId).flushed).catch(
      (error: unknown) =>
        log.warn({ message_id: messageId, error: reasonOf(error) }, 'a command is not on disk yet'),
    );
    this.#unflushed.set(messageId, flushed);
    await flushed;
    this.#unflushed.delete(messageId);
    message.acknowledge();
    this.#deps.whenUp(() => this.#act(command));
  }

  #act(message: CommandMessage): void {
    const { actions, counters, log } = this.#deps;
    const { messageId, command } = message;
    switch (command) {
      case 'ping':
        actions.pong(messageId);
        break;
      case 'disconnect':
        actions.disconnect();
        break;
      case 'reconnect':
        actions.reconnect(this.#delayOf(message));
        break;
      case 'cancel': {
        const { directive = '', messageID: cancelled = '' } = message.arguments;
        // What can be no message is not remembered either: a packet has room for megabytes of it.
        if (!directivePattern.test(directive) || cancelled === '' || cancelled.length > maxIdLength) {
          counters.count('commands_refused');
          log.warn({ message_id: messageId, command }, 'a cancel that names no message was refused');
          return;
        }
        actions.cancel(directive, cancelled);
        break;
      }
      default:
        counters.count('commands_unknown');
        log.warn({ message_id: messageId, command: command.slice(0, 64) }, 'unknown command');
        return;
    }
    counters.count('commands_done');
    log.info({ message_id: messageId, command }, 'command');
  }

  /** Milliseconds; a delay that is not one is said and taken as 0, for staying away for ever is worse. */
  #delayOf({ messageId, arguments: { delay } }: CommandMessage): number {
    if (delay === undefined || delay === '') return 0;
    const seconds = Number(delay);
    if (!Number.isFinite(seconds)) {
      this.#deps.log.warn(
        { message_id: messageId, delay: delay.slice(0, 64) },
        'the delay is not a number; taken as 0',
      );
      return 0;
    }
    return Math.min(Math.max(seconds, 0), maxDelay) * 1000;
  }
}
