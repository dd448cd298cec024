/**
 * What can be asked of a daemon by those who look after it: the calls, and what they say.
 *
 * The daemon answers them (`control/`), its socket carries them (`rpc/control-socket.ts`, `rpc/control-client.ts`), and
 * yggctl prints them (`local/`), all in these words. `protocol/control.proto` is their form on the wire; a field that
 * has no value is empty, 0 or false there and here. Times are milliseconds since the epoch, 0 for what has not
 * happened; sizes are bytes.
 */
import type { LogLevel } from './base/log.ts';
import type { WorkerHealth } from './datastore.ts';
import type { MessageRecord, MessageState } from './journal/message-record.ts';

/** Every call may fail with `YGG_NOT_RUNNING`, `YGG_CLOSED` or `YGG_DEADLINE`. Streams end when `abort` fires. */
export interface Control extends MessageDesk, DeadLetterDesk {
  status(): Promise<DaemonStatus>;
  workers(): Promise<readonly WorkerStatus[]>;
  /**
   * Puts a message into the inbox as if a server had sent it, and tells what becomes of it. Ends when it is done or
   * dead; the message goes on when nobody listens any longer. Throws `YGG_MESSAGE_INVALID`, `YGG_MESSAGE_TOO_LARGE`,
   * `YGG_INBOX_FULL`, `YGG_JOURNAL_FULL`, `YGG_JOURNAL_IO`.
   */
  dispatch(request: DispatchRequest, abort: AbortSignal): AsyncIterable<DispatchProgress>;
  /** What happens from now on. */
  events(abort: AbortSignal): AsyncIterable<DaemonEvent>;
  /** Does what SIGHUP does. Throws `YGG_CONFIG`, `YGG_CONFIG_FILE`; what needs no configuration is done all the same. */
  reload(): Promise<Reloaded>;
  /**
   * Ends the daemon in order, so that whoever started it starts it anew. Throws `YGG_USAGE` for a daemon that is part of
   * another program.
   */
  restart(request: RestartRequest): Promise<Restarting>;
  /** Until the next reload or restart. Throws `YGG_USAGE`. */
  setLogLevel(level: LogLevel): Promise<void>;
}

/** Looks at messages; works on the journal of a stopped daemon too. */
export interface MessageDesk {
  /** The latest first. */
  listMessages(query: MessageQuery, abort: AbortSignal): AsyncIterable<MessageRecord>;
  /** Throws `YGG_NOT_FOUND`. */
  showMessage(key: MessageKey): Promise<MessageRecord>;
  /** Metadata and content of a message that is not done, dead letters included. Throws `YGG_NOT_FOUND`. */
  content(key: MessageKey, abort: AbortSignal): AsyncIterable<ContentPart>;
}

/** Looks at dead letters and settles them; works on the journal of a stopped daemon too. */
export interface DeadLetterDesk {
  /** The latest first. States are not asked for. */
  listDeadLetters(query: MessageQuery, abort: AbortSignal): AsyncIterable<MessageRecord>;
  /** Throws `YGG_NOT_FOUND`. */
  showDeadLetter(key: MessageKey): Promise<MessageRecord>;
  /**
   * Back into the inbox or outbox, as if new; says what it is there. Throws `YGG_NOT_FOUND`, `YGG_INBOX_FULL`,
   * `YGG_OUTBOX_FULL`, `YGG_JOURNAL_FULL`, `YGG_JOURNAL_IO`.
   */
  retryDeadLetter(key: MessageKey): Promise<MessageRecord>;
  /** Forgets it; says what it was. Throws `YGG_NOT_FOUND`. */
  dropDeadLetter(key: MessageKey): Promise<MessageRecord>;
}

/** Which message: by its number, or else by its id. Of several with one id the latest request is meant. */
export interface MessageKey {
  readonly sequence: number;
  readonly messageId: string;
}

/** What is left empty or 0 does not count. */
export interface MessageQuery {
  readonly directive: string;
  readonly states: readonly MessageState[];
  /** Queued at this time or later, and before this one. */
  readonly since: number;
  readonly until: number;
  /** At most {@link mostListed}, which is also meant when it is left out. */
  readonly limit: number;
}

/** How many messages a list has at most. */
export const mostListed = 1_000;

/** A piece of a content; the first one has the metadata. */
export interface ContentPart {
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
}

export interface DaemonStatus {
  readonly version: string;
  readonly clientId: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly logLevel: string;
  readonly broker: BrokerStatus;
  readonly disk: DiskStatus;
  readonly inbox: FillStatus;
  readonly outbox: FillStatus;
  /** Requests of the inbox that wait; those that are being handed over; those that workers have accepted. */
  readonly waiting: number;
  readonly offered: number;
  readonly inHand: number;
  readonly dead: number;
  readonly workers: readonly WorkerStatus[];
  /** Directives for which something waits and no worker is registered, at most {@link mostDirectives}. */
  readonly unattended: readonly DirectiveStatus[];
  /** What an operator has to know of, the latest last. */
  readonly alarms: readonly Alarm[];
  /** By name (docs/operate.md), since the start. */
  readonly counters: Readonly<Record<string, number>>;
  /** A restart is wanted: when it comes at the latest. */
  readonly restartAt: number;
}

/** How many directives without a worker are named. */
export const mostDirectives = 100;

export interface BrokerStatus {
  /** Empty: this daemon has no broker. */
  readonly state: 'connected' | 'connecting' | 'waiting' | 'away' | 'leaving' | '';
  /** Since when there is a connection, or none. */
  readonly since: number;
  /** Without user and password; empty while there is no connection. */
  readonly url: string;
  /** Why there is none, when it failed or was lost. */
  readonly reason: string;
  readonly nextAttempt: number;
}

/** Whether the disk takes messages. */
export interface DiskStatus {
  /** Empty: it does. */
  readonly trouble: 'full' | 'failing' | 'slow' | '';
  readonly since: number;
}

export interface FillStatus {
  readonly messages: number;
  readonly bytes: number;
  readonly messageLimit: number;
  readonly byteLimit: number;
}

export interface DirectiveStatus {
  readonly directive: string;
  readonly waiting: number;
}

export interface Alarm {
  readonly at: number;
  readonly sentence: string;
}

/** A registered worker, or a worker program that has not registered. */
export interface WorkerStatus {
  /** Empty while it has not registered. */
  readonly handler: string;
  /** Empty for a worker that somebody else started. */
  readonly file: string;
  /** 0 while it does not run. */
  readonly pid: number;
  readonly state: 'starting' | 'registered' | 'waiting' | 'failing' | 'stopping' | 'refused';
  /** Since it registered; of one that has not, since its last start. */
  readonly since: number;
  readonly restarts: number;
  /** Why it is not registered, for people. */
  readonly reason: string;
  readonly features: Readonly<Record<string, string>>;
  readonly detached: boolean;
  readonly redelivery: string;
  readonly slots: number;
  readonly waiting: number;
  readonly offered: number;
  readonly inHand: number;
  /** When the oldest that it was offered and has not finished was offered. */
  readonly oldestAt: number;
  /** What the checks of an attached worker say. */
  readonly health: readonly WorkerHealth[];
}

export interface DispatchRequest {
  readonly directive: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** JSON goes to the worker as it is, other text as a JSON string; empty is `null`. */
  readonly content: Uint8Array;
}

export interface DispatchProgress {
  readonly state: /** On disk; `attended` says whether there is a worker for it. */
    | 'queued'
    /** A worker took it: `pid`, `attempts`. */
    | 'accepted'
    /** What the worker says on the way: `content`. Some of it is left out for one who reads slowly. */
    | 'working'
    /** It waits again. */
    | 'back'
    /** A response: `content`, `metadata`, and its own `messageId`. */
    | 'answered'
    | 'done'
    /** `reason` and `explanation` say why. */
    | 'dead';
  readonly sequence: number;
  readonly messageId: string;
  readonly attended: boolean;
  readonly pid: number;
  readonly attempts: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
  readonly reason: string;
  readonly explanation: string;
}

export interface DaemonEvent {
  readonly at: number;
  /** A signal (docs/architecture.md), `message-dead`, `disk-trouble`, or `events-dropped`. */
  readonly name: string;
  readonly sequence: number;
  readonly messageId: string;
  readonly responseTo: string;
  readonly directive: string;
  /** Of a worker. */
  readonly pid: number;
  readonly file: string;
  readonly attempts: number;
  /** What it came to, in one word: an outcome, a reason, a kind of trouble. */
  readonly outcome: string;
  /** More about it, for people. */
  readonly explanation: string;
  /** Of `events-dropped`: how many were dropped because they were not read in time. */
  readonly dropped: number;
}

export interface Reloaded {
  /** Options that hold now. */
  readonly applied: readonly string[];
  /** Options that have changed and need a restart. */
  readonly needRestart: readonly string[];
}

export interface RestartRequest {
  /** As soon as nothing has been in hand, and no worker has sent anything, for `idleFor`; false: at once. */
  readonly whenIdle: boolean;
  /** Milliseconds; 0 is 30 s. */
  readonly idleFor: number;
  /** Milliseconds after which it comes all the same; 0 is an hour. */
  readonly within: number;
}

export interface Restarting {
  /** When it comes at the latest. */
  readonly latestAt: number;
  /** Messages that workers have, or are being given. */
  readonly inHand: number;
}
