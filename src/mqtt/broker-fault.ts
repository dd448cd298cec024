/**
 * What went wrong with a broker, as an error with a code.
 */
import { type ErrorCode, reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

/** Return codes of a CONNACK (MQTT 3.1.1, 3.2.2.3) that say no to this host, and the one that says not now. */
const refusingCodes: ReadonlySet<unknown> = new Set([1, 2, 4, 5]);
const serverUnavailable = 3;

/** The error for whatever MQTT.js or a socket threw. */
export function faultOf(error: unknown): YggError {
  if (error instanceof YggError) return error;
  const code = systemCodeOf(error);
  if (refusingCodes.has(code)) return refusal(`refused the connection: ${reasonOf(error)}`, error);
  return new YggError(kindOf(error, code), `${reasonOf(error)}.`, { cause: error });
}

function kindOf(error: unknown, code: unknown): ErrorCode {
  // Sockets and TLS say what happened in words.
  if (typeof code === 'string' || code === serverUnavailable) return 'YGG_BROKER_UNREACHABLE';
  return /timeout/i.test(reasonOf(error)) ? 'YGG_BROKER_UNREACHABLE' : 'YGG_BROKER_PROTOCOL';
}

/** The broker said no. */
export function refusal(what: string, cause?: unknown): YggError {
  return new YggError('YGG_BROKER_REFUSED', `The broker ${what}; check client id, certificate and its ACL.`, {
    cause,
  });
}
