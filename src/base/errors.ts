/**
 * The one error class, and the table that says what each code means.
 *
 * `docs/errors.md` lists the same table; a test keeps the two equal.
 */

/** gRPC status codes used here (https://grpc.io/docs/guides/status-codes/). */
type GrpcStatus = 3 | 5 | 6 | 7 | 8 | 9 | 10 | 13 | 14;

export interface ErrorFacts {
  /** What happened, for people who meet only the code. */
  readonly sentence: string;
  readonly grpc: GrpcStatus;
  readonly http: number;
  /** Exit status of a program that ends with this error (docs/operate.md). */
  readonly exit: 1 | 2 | 70 | 75 | 78;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retry: boolean;
}

export type ErrorCode =
  | 'YGG_INTERNAL'
  | 'YGG_USAGE'
  | 'YGG_CONFIG'
  | 'YGG_CONFIG_FILE'
  | 'YGG_UNSAFE_PATH'
  | 'YGG_PATH_TOO_LONG'
  | 'YGG_ALREADY_RUNNING'
  | 'YGG_NOT_RUNNING'
  | 'YGG_NOT_ALLOWED'
  | 'YGG_NOT_FOUND'
  | 'YGG_BUSY'
  | 'YGG_DEADLINE'
  | 'YGG_CLOSED'
  | 'YGG_LINK'
  | 'YGG_START'
  | 'YGG_STOP'
  | 'YGG_JOURNAL_FULL'
  | 'YGG_JOURNAL_IO'
  | 'YGG_JOURNAL_RECORD'
  | 'YGG_INBOX_FULL'
  | 'YGG_OUTBOX_FULL'
  | 'YGG_MESSAGE_INVALID'
  | 'YGG_MESSAGE_TOO_LARGE'
  | 'YGG_BROKER_UNREACHABLE'
  | 'YGG_BROKER_REFUSED'
  | 'YGG_BROKER_PROTOCOL'
  | 'YGG_BROKER_LOST'
  | 'YGG_BROKER_BUSY'
  | 'YGG_NO_ANSWER'
  | 'YGG_GIVEN_UP'
  | 'YGG_HANDLER_INVALID'
  | 'YGG_HANDLER_TAKEN'
  | 'YGG_NOT_REGISTERED'
  | 'YGG_FOREIGN_RESPONSE'
  | 'YGG_WORKER_START'
  | 'YGG_WORKER_FILE'
  | 'YGG_CONTENT_REFUSED'
  | 'YGG_CONTENT_TOO_LARGE'
  | 'YGG_CONTENT_STATUS'
  | 'YGG_CONTENT_UNREACHABLE'
  | 'YGG_BUS_UNREACHABLE'
  | 'YGG_SERVICE_MISSING'
  | 'YGG_SERVICE_REFUSED'
  | 'YGG_UNIT_FAILED';

export const errorTable: Readonly<Record<ErrorCode, ErrorFacts>> = {
  YGG_INTERNAL: {
    sentence: 'A fault of the program itself.',
    grpc: 13,
    http: 500,
    exit: 70,
    retry: false,
  },
  YGG_USAGE: {
    sentence: 'A command was called with words it does not take.',
    grpc: 3,
    http: 400,
    exit: 2,
    retry: false,
  },
  YGG_CONFIG: {
    sentence: 'The configuration has a mistake.',
    grpc: 9,
    http: 500,
    exit: 78,
    retry: false,
  },
  YGG_CONFIG_FILE: {
    sentence: 'A file that the configuration names is missing, unreadable or not what it should be.',
    grpc: 9,
    http: 500,
    exit: 78,
    retry: false,
  },
  YGG_UNSAFE_PATH: {
    sentence: 'A file or directory can be changed or replaced by other users.',
    grpc: 9,
    http: 500,
    exit: 78,
    retry: false,
  },
  YGG_PATH_TOO_LONG: {
    sentence: 'The runtime directory is too long for a unix socket path (107 bytes).',
    grpc: 9,
    http: 500,
    exit: 78,
    retry: false,
  },
  YGG_ALREADY_RUNNING: {
    sentence: 'Another daemon owns the state or runtime directory.',
    grpc: 9,
    http: 409,
    exit: 75,
    retry: true,
  },
  YGG_NOT_RUNNING: {
    sentence: 'No daemon was found where it was looked for.',
    grpc: 14,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_NOT_ALLOWED: {
    sentence: 'The daemon, a directory of it, or a service of the host is not for this user.',
    grpc: 7,
    http: 403,
    exit: 1,
    retry: false,
  },
  YGG_NOT_FOUND: {
    sentence: 'There is no such message, dead letter or journal.',
    grpc: 5,
    http: 404,
    exit: 1,
    retry: false,
  },
  YGG_BUSY: {
    sentence: 'Too many calls of the kind are under way.',
    grpc: 8,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_DEADLINE: {
    sentence: 'Something took longer than its deadline.',
    grpc: 14,
    http: 504,
    exit: 75,
    retry: true,
  },
  YGG_CLOSED: {
    sentence: 'The part is closed or closing.',
    grpc: 14,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_LINK: {
    sentence: 'A signal lacks a declared consumer, or has one that is not declared.',
    grpc: 13,
    http: 500,
    exit: 70,
    retry: false,
  },
  YGG_START: {
    sentence: 'A part could not be started.',
    grpc: 13,
    http: 500,
    exit: 1,
    retry: true,
  },
  YGG_STOP: {
    sentence: 'One or more parts did not stop cleanly.',
    grpc: 13,
    http: 500,
    exit: 1,
    retry: false,
  },
  YGG_JOURNAL_FULL: {
    sentence: 'The disk of the state directory is full.',
    grpc: 14,
    http: 507,
    exit: 75,
    retry: true,
  },
  YGG_JOURNAL_IO: {
    sentence: 'The journal could not be read or written.',
    grpc: 14,
    http: 500,
    exit: 75,
    retry: true,
  },
  YGG_JOURNAL_RECORD: {
    sentence: 'A journal record is damaged and was set aside.',
    grpc: 13,
    http: 500,
    exit: 1,
    retry: false,
  },
  YGG_INBOX_FULL: {
    sentence: 'The inbox, or the share of it that one directive may fill, is full.',
    grpc: 8,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_OUTBOX_FULL: {
    sentence: 'The outbox, or the share of it that one directive may fill, is full.',
    grpc: 8,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_MESSAGE_INVALID: {
    sentence: 'A message does not have the form that docs/protocol.md describes.',
    grpc: 3,
    http: 400,
    exit: 1,
    retry: false,
  },
  YGG_MESSAGE_TOO_LARGE: {
    sentence: 'A message is larger than the configured limit.',
    grpc: 3,
    http: 413,
    exit: 1,
    retry: false,
  },
  YGG_BROKER_UNREACHABLE: {
    sentence: 'No broker could be reached.',
    grpc: 14,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_BROKER_REFUSED: {
    sentence: 'The broker refused the connection or a subscription.',
    grpc: 7,
    http: 403,
    exit: 75,
    retry: true,
  },
  YGG_BROKER_PROTOCOL: {
    sentence: 'The broker sent something that MQTT does not allow.',
    grpc: 14,
    http: 502,
    exit: 75,
    retry: true,
  },
  YGG_BROKER_LOST: {
    sentence: 'The connection to the broker was lost.',
    grpc: 14,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_BROKER_BUSY: {
    sentence: 'The broker takes no more messages at the moment.',
    grpc: 8,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_NO_ANSWER: {
    sentence: 'No answer came in time.',
    grpc: 14,
    http: 504,
    exit: 75,
    retry: true,
  },
  YGG_GIVEN_UP: {
    sentence: 'The host gave the message up, and reported why.',
    grpc: 9,
    http: 502,
    exit: 1,
    retry: false,
  },
  YGG_HANDLER_INVALID: {
    sentence: 'A handler name is not one: letters, digits, dot, underscore and hyphen, at most 128.',
    grpc: 3,
    http: 400,
    exit: 1,
    retry: false,
  },
  YGG_HANDLER_TAKEN: {
    sentence: 'Another worker already registered for this handler.',
    grpc: 6,
    http: 409,
    exit: 1,
    retry: true,
  },
  YGG_NOT_REGISTERED: {
    sentence: 'The calling worker has not registered.',
    grpc: 9,
    http: 403,
    exit: 1,
    retry: true,
  },
  YGG_FOREIGN_RESPONSE: {
    sentence: 'A worker answered a message that was given to another worker.',
    grpc: 7,
    http: 403,
    exit: 1,
    retry: false,
  },
  YGG_WORKER_START: {
    sentence: 'A worker program could not be started.',
    grpc: 14,
    http: 503,
    exit: 1,
    retry: true,
  },
  YGG_WORKER_FILE: {
    sentence: 'A worker file or its configuration is not usable.',
    grpc: 9,
    http: 500,
    exit: 78,
    retry: false,
  },
  YGG_CONTENT_REFUSED: {
    sentence: 'Detached content may not be fetched from, or posted to, this address.',
    grpc: 7,
    http: 403,
    exit: 1,
    retry: false,
  },
  YGG_CONTENT_TOO_LARGE: {
    sentence: 'Detached content is larger than max-content-size.',
    grpc: 3,
    http: 413,
    exit: 1,
    retry: false,
  },
  YGG_CONTENT_STATUS: {
    sentence: 'The server of detached content answered with a failure.',
    grpc: 14,
    http: 502,
    exit: 1,
    retry: true,
  },
  YGG_CONTENT_UNREACHABLE: {
    sentence: 'The server of detached content could not be reached, or was too slow.',
    grpc: 14,
    http: 504,
    exit: 1,
    retry: true,
  },
  YGG_BUS_UNREACHABLE: {
    sentence: 'The system bus, or a private D-Bus connection of a service, could not be reached.',
    grpc: 14,
    http: 503,
    exit: 75,
    retry: true,
  },
  YGG_SERVICE_MISSING: {
    sentence: 'A D-Bus service, or what is needed of it, is not there.',
    grpc: 9,
    http: 503,
    exit: 1,
    retry: false,
  },
  YGG_SERVICE_REFUSED: {
    sentence: 'A D-Bus service refused what it was asked for.',
    grpc: 9,
    http: 502,
    exit: 1,
    retry: false,
  },
  YGG_UNIT_FAILED: {
    sentence: 'systemd could not do what it was asked for with a unit.',
    grpc: 9,
    http: 500,
    exit: 1,
    retry: true,
  },
};

/** An error with a code of {@link errorTable}; `message` says what happened, the value, and what to do. */
export class YggError extends Error {
  override readonly name = 'YggError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get facts(): ErrorFacts {
    return errorTable[this.code];
  }
}

/** The code of a {@link YggError}; `undefined` for anything else. */
export function codeOf(thrown: unknown): ErrorCode | undefined {
  return thrown instanceof YggError ? thrown.code : undefined;
}

/** What Node, or a library, calls an error: `ENOENT`, or a number; `undefined` for what has no such name. */
export function systemCodeOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
}

/** The exit status of a program that ends with it. */
export function exitOf(thrown: unknown): ErrorFacts['exit'] {
  return errorTable[codeOf(thrown) ?? 'YGG_INTERNAL'].exit;
}

/** The sentence of anything that was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
