import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import type { Destination, Standing } from '../../../src/http/egress.ts';
import { statusFailure, thrownFailure } from '../../../src/http/failure.ts';

const now = Date.UTC(2026, 0, 1);

function at(standing: Standing): Destination {
  return { url: new URL('https://files.example.org/a?token=secret'), standing };
}

function fault(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

describe('answers', () => {
  test.each([
    [301, 'permanent'],
    [304, 'permanent'],
    [400, 'permanent'],
    [403, 'permanent'],
    [404, 'permanent'],
    [410, 'permanent'],
    [408, 'temporary'],
    [425, 'temporary'],
    [429, 'host'],
    [500, 'temporary'],
    [502, 'temporary'],
    [503, 'host'],
  ])('%i is %s', (status, kind) => {
    const failure = statusFailure(at('listed'), status, {}, now);
    expect(failure).toMatchObject({ ok: false, kind, error: { code: 'YGG_CONTENT_STATUS' } });
    expect(failure.error.message).toContain(String(status));
    expect(failure.error.message).not.toContain('secret');
  });

  test('Retry-After in seconds or as a date, of 429 and 503 alone', () => {
    const retryAfter = (status: number, value: string) =>
      statusFailure(at('listed'), status, { 'retry-after': value }, now).retryAfter;
    expect(retryAfter(429, '120')).toBe(120_000);
    expect(retryAfter(503, 'Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
    expect(retryAfter(503, 'Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
    expect(retryAfter(503, 'soon')).toBeUndefined();
    expect(retryAfter(500, '120')).toBeUndefined();
  });

  test('400, 401 and 403 of a host that was not shown the certificate name the line to add', () => {
    for (const status of [400, 401, 403]) {
      expect(statusFailure(at('other'), status, {}, now).error.message).toContain(
        'content-hosts = ["files.example.org"]',
      );
      expect(statusFailure(at('broker'), status, {}, now).error.message).not.toContain('content-hosts');
    }
    expect(statusFailure(at('other'), 404, {}, now).error.message).not.toContain('content-hosts');
  });
});

describe('what is thrown', () => {
  test.each([
    ['ECONNREFUSED', 'host'],
    ['ENOTFOUND', 'host'],
    ['UND_ERR_CONNECT_TIMEOUT', 'host'],
    ['UND_ERR_HEADERS_TIMEOUT', 'host'],
    ['UND_ERR_BODY_TIMEOUT', 'host'],
    ['UND_ERR_SOCKET', 'temporary'],
    ['ECONNRESET', 'temporary'],
    ['UND_ERR_HEADERS_OVERFLOW', 'permanent'],
    ['HPE_INVALID_CONSTANT', 'permanent'],
    ['CERT_HAS_EXPIRED', 'permanent'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'permanent'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'permanent'],
  ])('%s is %s', (code, kind) => {
    const failure = thrownFailure(at('listed'), fault(code));
    expect(failure).toMatchObject({ kind, error: { code: 'YGG_CONTENT_UNREACHABLE' } });
    expect(failure.error.message).toContain('files.example.org');
  });

  test('the code of the cause counts when the error has none', () => {
    const failure = thrownFailure(at('listed'), new Error('fetch failed', { cause: fault('ECONNREFUSED') }));
    expect(failure.kind).toBe('host');
  });

  test.each([
    ['YGG_CONTENT_REFUSED', 'refused'],
    ['YGG_CONTENT_TOO_LARGE', 'refused'],
    ['YGG_CONTENT_UNREACHABLE', 'host'],
    ['YGG_JOURNAL_FULL', 'disk'],
    ['YGG_JOURNAL_IO', 'disk'],
    ['YGG_CLOSED', 'aborted'],
  ] as const)('%s is %s', (code, kind) => {
    const error = new YggError(code, 'x');
    expect(thrownFailure(at('listed'), error)).toEqual({ ok: false, kind, error });
  });

  test('an alert of a host that was not shown the certificate names the line to add', () => {
    const alert = fault('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tlsv13 alert certificate required');
    expect(thrownFailure(at('other'), alert).error.message).toContain(
      'content-hosts = ["files.example.org"]',
    );
    expect(thrownFailure(at('listed'), alert).error.message).not.toContain('content-hosts');
  });
});
