/**
 * Errors that the bus itself answers with, or that every service has, in our words.
 */
import { type ErrorCode, YggError } from '../base/errors.ts';

const prefix = 'org.freedesktop.DBus.Error.';

interface Meaning {
  readonly code: ErrorCode;
  readonly sentence: (service: string) => string;
}

const missing: Meaning = {
  code: 'YGG_SERVICE_MISSING',
  sentence: (service) => `${service} is not there`,
};
const notAllowed: Meaning = {
  code: 'YGG_NOT_ALLOWED',
  sentence: (service) => `${service} does not allow it to this user`,
};
const noAnswer: Meaning = {
  code: 'YGG_NO_ANSWER',
  sentence: (service) => `${service} did not answer`,
};
const unknown: Meaning = {
  code: 'YGG_SERVICE_MISSING',
  sentence: (service) => `${service} is of a version that does not know this`,
};

const meanings: Readonly<Record<string, Meaning>> = {
  ServiceUnknown: missing,
  NameHasNoOwner: missing,
  AccessDenied: notAllowed,
  AuthFailed: notAllowed,
  InteractiveAuthorizationRequired: notAllowed,
  NoReply: noAnswer,
  Timeout: noAnswer,
  TimedOut: noAnswer,
  UnknownMethod: unknown,
  UnknownInterface: unknown,
  UnknownObject: unknown,
  InvalidArgs: unknown,
};

/** The error for an answer that every service may give; `undefined` for one that only its caller understands. */
export function refusalOf(name: string, text: string, service: string): YggError | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const short = name.slice(prefix.length);
  const meaning = short.startsWith('Spawn.') ? missing : meanings[short];
  if (meaning === undefined) return undefined;
  const words = text === '' ? short : `"${text}"`;
  return new YggError(meaning.code, `${meaning.sentence(service)} (${words}).`);
}
