import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { postHeaders } from '../../../src/http/headers.ts';

const agent = ['User-Agent', 'yggd/1.2.3'];

describe('metadata as headers', () => {
  test('passes as the worker wrote it, trimmed', () => {
    const metadata = { 'X-Job': ' 7 \r\n', job_uuid: 'ab', Authorization: 'Bearer x', empty: '' };
    expect(postHeaders(metadata, 'yggd/1.2.3')).toEqual({
      headers: ['X-Job', '7', 'job_uuid', 'ab', 'Authorization', 'Bearer x', 'empty', '', ...agent],
      dropped: [],
    });
  });

  test('none is none', () => {
    expect(postHeaders(null, 'yggd/1.2.3')).toEqual({ headers: agent, dropped: [] });
  });

  test('the user agent of a worker stands', () => {
    expect(postHeaders({ 'user-agent': 'worker/1' }, 'yggd/1.2.3').headers).toEqual([
      'user-agent',
      'worker/1',
    ]);
  });

  test.each([
    'Content-Length',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Upgrade',
    'Host',
    'Cookie',
    'Expect',
  ])('%s is never taken, and nobody is warned', (name) => {
    expect(postHeaders({ [name]: 'x' }, 'yggd/1.2.3')).toEqual({ headers: agent, dropped: [] });
  });

  test.each([
    ['X\r\nHost', 'x'],
    ['', 'x'],
    ['X Y', 'x'],
    ['X:', 'x'],
    ['Ü', 'x'],
    ['X', 'a\r\nHost: evil'],
    ['X', 'a\nb'],
    ['X', 'a\0b'],
    ['X', 'a\x7fb'],
  ])('%j: %j is left out, named, and the rest goes on', (name, value) => {
    expect(postHeaders({ [name]: value, good: '1' }, 'yggd/1.2.3')).toEqual({
      headers: ['good', '1', ...agent],
      dropped: [name],
    });
  });

  test('a value in other letters goes as its UTF-8 bytes', () => {
    const [, value = ''] = postHeaders({ title: 'Grüße 日本' }, 'yggd/1.2.3').headers;
    expect(Buffer.from(value, 'latin1').toString()).toBe('Grüße 日本');
  });

  test('64 headers', () => {
    const metadata = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`x-${index}`, 'y']));
    const { headers, dropped } = postHeaders(metadata, 'yggd/1.2.3');
    expect(headers).toHaveLength(2 * 64 + 2);
    expect(dropped).toEqual(['x-64', 'x-65', 'x-66', 'x-67', 'x-68', 'x-69']);
  });

  test('16 KiB: what does not fit is left out, what fits after it is not', () => {
    const metadata = { first: 'a'.repeat(10_000), second: 'b'.repeat(10_000), third: 'c' };
    const { headers, dropped } = postHeaders(metadata, 'yggd/1.2.3');
    expect(headers.filter((_, index) => index % 2 === 0)).toEqual(['first', 'third', 'User-Agent']);
    expect(dropped).toEqual(['second']);
  });

  test('no metadata makes a second line or a framing header', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (metadata) => {
        const { headers } = postHeaders(metadata, 'yggd/1.2.3');
        for (const text of headers) expect(text).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 1_000 },
    );
  });
});
