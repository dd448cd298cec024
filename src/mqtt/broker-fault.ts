/**
 * What went wrong with a broker, as an error with a code: the numbers of MQTT, and what sockets and TLS say.
 */
import { type ErrorCode, reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

/**
 * CONNACKs and DISCONNECTs that say no to this host: return codes of MQTT 3.1.1 (3.2.2.3), reason codes of MQTT 5
 * (3.2.2.2, 3.14.2.1), which all begin at 0x80.
 */
const refusingCodes: ReadonlySet<unknown> = new Set([
  ...[1, 2, 4, 5],
  ...[0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x90, 0x95, 0x99, 0x9a, 0x9b, 0x9d],
]);
/** Those among them that mean the protocol itself. */
const otherVersion: ReadonlySet<unknown> = new Set([1, 0x84]);
/** Not now. */
const passingCodes: ReadonlySet<unknown> = new Set([3, 0x80, 0x83, 0x88, 0x89, 0x97, 0x9c, 0x9f, 0xa0]);

/** PUBACKs of MQTT 5 (3.4.2.1): one for later, those that will not change, and one that says: nobody listens. */
const quotaExceeded = 0x97;
const refusedForGood: ReadonlySet<number> = new Set([0x87, 0x90, 0x99]);
export const noMatchingSubscribers = 0x10;
/** Reasons below it are no refusals (MQTT 5, 2.4). */
export const firstRefusal = 0x80;

/** Why a broker refuses a message or ends a connection (MQTT 5, 2.4). */
const reasons: ReadonlyMap<number, string> = new Map([
  [0x04, 'disconnected'],
  [0x81, 'malformed packet'],
  [0x82, 'protocol error'],
  [0x83, 'an error of its own'],
  [0x87, 'not authorized'],
  [0x89, 'the server is busy'],
  [0x8b, 'the server shuts down'],
  [0x8d, 'keep-alive timeout'],
  [0x8e, 'another connection has taken over the session: is there a second host with this client id?'],
  [0x8f, 'topic filter invalid'],
  [0x90, 'topic name invalid'],
  [0x93, 'receive maximum exceeded'],
  [0x94, 'topic alias invalid'],
  [0x95, 'packet too large'],
  [0x96, 'message rate too high'],
  [0x97, 'quota exceeded'],
  [0x98, 'administrative action'],
  [0x99, 'payload format invalid'],
  [0x9a, 'retain not supported'],
  [0x9b, 'QoS not supported'],
  [0x9c, 'use another server'],
  [0x9d, 'the server has moved'],
  [0x9f, 'connection rate exceeded'],
  [0xa0, 'maximum connect time'],
]);
/** Characters of what a broker says in its own words. */
const longestWords = 200;

/** The error for whatever MQTT.js or a socket threw. */
export function faultOf(error: unknown): YggError {
  if (error instanceof YggError) return error;
  const code = systemCodeOf(error);
  if (otherVersion.has(code)) {
    const sentence = `The broker refused the connection: ${reasonOf(error)}; set mqtt-version to one that it speaks.`;
    return new YggError('YGG_BROKER_REFUSED', sentence, { cause: error });
  }
  // A proxy or web server in front of the broker said no.
  const isForbidden = /^Unexpected server response: 40[13]$/.test(reasonOf(error));
  if (refusingCodes.has(code) || isForbidden)
    return refusal(`refused the connection: ${reasonOf(error)}`, error);
  return new YggError(kindOf(error, code), `${reasonOf(error)}.`, { cause: error });
}

function kindOf(error: unknown, code: unknown): ErrorCode {
  if (typeof code === 'string' && code.startsWith('WS_ERR_')) return 'YGG_BROKER_PROTOCOL';
  // Sockets and TLS say what happened in words.
  if (typeof code === 'string' || passingCodes.has(code)) return 'YGG_BROKER_UNREACHABLE';
  return /timeout/i.test(reasonOf(error)) ? 'YGG_BROKER_UNREACHABLE' : 'YGG_BROKER_PROTOCOL';
}

/** The broker said no. */
export function refusal(what: string, cause?: unknown): YggError {
  return new YggError('YGG_BROKER_REFUSED', `The broker ${what}; check client id, certificate and its ACL.`, {
    cause,
  });
}

/** The broker ended the connection and said why, perhaps in its own words too. */
export function endingFault(broker: string, code: number = 0, words: string = ''): YggError {
  const why = reasons.get(code) ?? 'for no reason that is known here';
  const said = words === '' ? '' : `, ${JSON.stringify(words.slice(0, longestWords))}`;
  const sentence = `${broker} ended the connection: ${why} (0x${code.toString(16).padStart(2, '0')}${said}).`;
  return new YggError(refusingCodes.has(code) ? 'YGG_BROKER_REFUSED' : 'YGG_BROKER_UNREACHABLE', sentence);
}

/** A PUBACK with a reason that is no success. */
export function publishFault(reason: number): YggError {
  const sentence = `The broker refused it: ${reasons.get(reason) ?? `reason ${reason}`}.`;
  if (reason === quotaExceeded) return new YggError('YGG_BROKER_BUSY', sentence);
  // Another reason may pass, or not: it is tried a few times.
  return new YggError(refusedForGood.has(reason) ? 'YGG_BROKER_REFUSED' : 'YGG_BROKER_PROTOCOL', sentence);
}
