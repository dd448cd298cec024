/**
 * The control service as loaded from `protocol/control.proto`, with the types of `control-api.ts`, and how errors travel
 * with it.
 */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable, reasonOf, YggError } from '../base/errors.ts';
import type {
  ContentPart,
  DaemonEvent,
  DaemonStatus,
  DispatchProgress,
  DispatchRequest,
  MessageKey,
  MessageQuery,
  Reloaded,
  Restarting,
  RestartRequest,
  WorkerStatus,
} from '../control-api.ts';
import type { MessageRecord } from '../journal/message-record.ts';
import { loadProtoFile, type Method } from './proto-file.ts';

export interface ControlProtocol {
  readonly Status: Method<object, DaemonStatus>;
  readonly Workers: Method<object, { readonly workers: readonly WorkerStatus[] }>;
  readonly ListMessages: Method<MessageQuery, MessageRecord>;
  readonly ShowMessage: Method<MessageKey, MessageRecord>;
  readonly Content: Method<MessageKey, ContentPart>;
  readonly ListDeadLetters: Method<MessageQuery, MessageRecord>;
  readonly ShowDeadLetter: Method<MessageKey, MessageRecord>;
  readonly RetryDeadLetter: Method<MessageKey, MessageRecord>;
  readonly DropDeadLetter: Method<MessageKey, MessageRecord>;
  readonly Dispatch: Method<DispatchRequest, DispatchProgress>;
  readonly Events: Method<object, DaemonEvent>;
  readonly Reload: Method<object, Reloaded>;
  readonly Restart: Method<RestartRequest, Restarting>;
  readonly SetLogLevel: Method<{ readonly level: string }, object>;
}

/** Reads the protocol file of this package; a few milliseconds. */
export function loadControlProtocol(): ControlProtocol {
  const find = loadProtoFile('control.proto');
  const method = <Request extends object, Answer extends object>(name: string): Method<Request, Answer> =>
    find('Control', name);
  return {
    Status: method('Status'),
    Workers: method('Workers'),
    ListMessages: method('ListMessages'),
    ShowMessage: method('ShowMessage'),
    Content: method('Content'),
    ListDeadLetters: method('ListDeadLetters'),
    ShowDeadLetter: method('ShowDeadLetter'),
    RetryDeadLetter: method('RetryDeadLetter'),
    DropDeadLetter: method('DropDeadLetter'),
    Dispatch: method('Dispatch'),
    Events: method('Events'),
    Reload: method('Reload'),
    Restart: method('Restart'),
    SetLogLevel: method('SetLogLevel'),
  };
}

/** Trailing metadata of a failed call: its code. */
export const codeTrailer: string = 'ygg-code';

/** An error as a call ends with it. */
export function statusOf(error: unknown): { code: number; details: string; metadata: Metadata } {
  const code = error instanceof YggError ? error.code : 'YGG_INTERNAL';
  const metadata = new Metadata();
  metadata.set(codeTrailer, code);
  return { code: errorTable[code].grpc, details: reasonOf(error), metadata };
}

/** The error that a call ended with, as the one who called is to see it. */
export function errorOf(error: ServiceError): YggError {
  const [code] = error.metadata.get(codeTrailer).map(String);
  if (isErrorCode(code)) return new YggError(code, error.details, { cause: error });
  const fail = (own: ErrorCode, sentence: string): YggError => new YggError(own, sentence, { cause: error });
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return fail('YGG_DEADLINE', 'The daemon did not answer in time.');
    case status.UNIMPLEMENTED:
      return fail(
        'YGG_USAGE',
        'The daemon is of another version than this program, and does not know the call.',
      );
    case status.RESOURCE_EXHAUSTED:
      return fail('YGG_MESSAGE_TOO_LARGE', `The daemon does not take it: ${error.details}`);
    case status.UNAVAILABLE:
    case status.CANCELLED:
    case status.INTERNAL:
      if (error.details.startsWith('No connection established')) {
        return fail('YGG_NOT_RUNNING', 'No daemon listens on its control socket.');
      }
      return fail('YGG_CLOSED', 'The daemon has stopped.');
    default:
      return fail('YGG_INTERNAL', error.details || error.message);
  }
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(errorTable, code);
}
