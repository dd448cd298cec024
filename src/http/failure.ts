/**
 * What a failed request means for the next one.
 */
import { reasonOf, YggError } from '../base/errors.ts';
import { type Destination, remedy } from './egress.ts';

/**
 * - `refused`: cannot work as things are: not an allowed address, too large.
 * - `permanent`: the answer looks final: 3xx, most of 4xx, a certificate that does not hold, nonsense.
 * - `temporary`: this request failed: 5xx, cut off.
 * - `host`: the whole host is in trouble: not reachable, too slow, or it asked to be left alone (429, 503).
 * - `disk`: the content could not be written here.
 * - `aborted`: the caller's signal fired.
 */
export type FailureKind = 'refused' | 'permanent' | 'temporary' | 'host' | 'disk' | 'aborted';

export interface Failure {
  readonly ok: false;
  readonly kind: FailureKind;
  readonly error: YggError;
  /** Milliseconds the server asked to be left alone. */
  readonly retryAfter?: number;
}

/** An answer that is not a success. `now` in milliseconds since the epoch. */
export function statusFailure(
  { url, standing }: Destination,
  status: number,
  headers: Readonly<Record<string, string>>,
  now: number,
): Failure {
  let sentence = `${url.host} answered ${status}.`;
  if (status >= 300 && status < 400) sentence = `${url.host} answered ${status}; redirects are not followed.`;
  // nginx answers 400 to a client without the certificate it wants.
  if (standing === 'other' && (status === 400 || status === 401 || status === 403))
    sentence = `${url.host} answered ${status} and was not shown the client certificate. ${remedy(url)}`;
  const error = new YggError('YGG_CONTENT_STATUS', sentence);
  if (status === 429 || status === 503) {
    const retryAfter = retryAfterOf(headers['retry-after'], now);
    return { ok: false, kind: 'host', error, ...(retryAfter !== undefined && { retryAfter }) };
  }
  const permanent = status < 500 && status !== 408 && status !== 425;
  return { ok: false, kind: permanent ? 'permanent' : 'temporary', error };
}

/** Anything that was thrown while a request was under way. */
export function thrownFailure({ url, standing }: Destination, thrown: unknown): Failure {
  if (thrown instanceof YggError) return { ok: false, kind: kindOf(thrown), error: thrown };
  const code = codeOf(thrown);
  const reason = reasonOf(thrown) || code;
  const kind = inTrouble.has(code)
    ? 'host'
    : tlsCode.test(code) || nonsense.test(code)
      ? 'permanent'
      : 'temporary';
  let sentence = `${url.host} could not be reached: ${reason}.`;
  // A peer that wants a certificate says so with an alert, in the handshake or, in TLS 1.3, right after it.
  if (standing === 'other' && /ALERT/i.test(`${code} ${reason}`) && url.protocol === 'https:')
    sentence = `${url.host} refused TLS without a client certificate (${reason}). ${remedy(url)}`;
  return { ok: false, kind, error: new YggError('YGG_CONTENT_UNREACHABLE', sentence, { cause: thrown }) };
}

function kindOf(error: YggError): FailureKind {
  if (error.code === 'YGG_CONTENT_REFUSED' || error.code === 'YGG_CONTENT_TOO_LARGE') return 'refused';
  if (error.code === 'YGG_JOURNAL_FULL' || error.code === 'YGG_JOURNAL_IO') return 'disk';
  if (error.code === 'YGG_CLOSED') return 'aborted';
  return 'host';
}

/** The name does not resolve, nobody listens, no way there, no answer in time. */
const inTrouble: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
]);

const tlsCode = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO)/;

/** Not HTTP, or more headers than the limit. */
const nonsense = /^(HPE_|HTTPParserError|UND_ERR_HEADERS_OVERFLOW)/;

function codeOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return '';
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code;
  if ('cause' in thrown) return codeOf(thrown.cause);
  // undici's parser gives no code to all of its errors.
  return thrown instanceof Error ? thrown.name : '';
}

/** RFC 9110 section 10.2.3: seconds or a date. */
function retryAfterOf(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
