import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import {
  createEgress,
  createLiveEgress,
  type EgressOptions,
  parentDomain,
} from '../../../src/http/egress.ts';

function egress(options: Partial<EgressOptions> = {}) {
  return createEgress({
    dataHost: undefined,
    contentHosts: [],
    contentHostsOnly: false,
    brokerHosts: ['mqtt.cloud.example.com'],
    ...options,
  });
}

function refusal(address: string, options: Partial<EgressOptions> = {}): string {
  try {
    egress(options).route(address);
  } catch (error) {
    expect(error).toMatchObject({ code: 'YGG_CONTENT_REFUSED' });
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`${address} was allowed`);
}

test('rules that are made of options that change follow them', () => {
  const options = {
    dataHost: undefined,
    contentHosts: ['a.example'],
    contentHostsOnly: false,
    brokerHosts: [],
  };
  const live = createLiveEgress(options);
  const standing = (host: string): string => live.route(`https://${host}/`).standing;
  expect([standing('a.example'), standing('b.example')]).toEqual(['listed', 'other']);
  options.contentHosts = ['b.example'];
  expect([standing('a.example'), standing('b.example')]).toEqual(['other', 'listed']);
  options.contentHostsOnly = true;
  expect(() => standing('a.example')).toThrow('content-hosts-only');
});

describe('standing', () => {
  test.each([
    ['https://mqtt.cloud.example.com/a', 'broker'],
    ['https://MQTT.cloud.example.com:8443/a', 'broker'],
    ['https://mqtt.cloud.example.com./a', 'broker'],
    ['https://files.cloud.example.com/a', 'broker'],
    ['https://a.b.cloud.example.com/a', 'broker'],
    ['https://cloud.example.com/a', 'other'],
    ['https://www.example.com/a', 'other'],
    ['https://notcloud.example.com/a', 'other'],
    ['https://evilcloud.example.com.example.org/a', 'other'],
    ['https://192.0.2.1/a', 'other'],
  ])('%s is %s', (address, standing) => {
    expect(egress().route(address).standing).toBe(standing);
  });

  test('a listed host is listed at any port, one with a port at that port', () => {
    const { route } = egress({
      contentHosts: ['files.example.org', 'cdn.example.org:8443', '[::1]:9000', '10.0.0.1'],
    });
    expect(route('https://files.example.org:1234/').standing).toBe('listed');
    expect(route('https://cdn.example.org:8443/').standing).toBe('listed');
    expect(route('https://cdn.example.org/').standing).toBe('other');
    expect(route('http://[::1]:9000/').standing).toBe('listed');
    expect(route('http://10.0.0.1/').standing).toBe('listed');
  });

  test('the default port is a port too', () => {
    const { route } = egress({ contentHosts: ['cdn.example.org:443'] });
    expect(route('https://cdn.example.org/').standing).toBe('listed');
    expect(route('https://cdn.example.org:8443/').standing).toBe('other');
  });

  test.each([
    ['mqtt.example.com', 'example.com'],
    ['a.mqtt.example.com', 'mqtt.example.com'],
    ['example.com', undefined],
    ['localhost', undefined],
    ['example.co.uk', undefined],
    ['mqtt.example.co.uk', 'example.co.uk'],
    ['service.gouv.fr', undefined],
    ['mqtt.example.de', 'example.de'],
    ['192.0.2.1', undefined],
    ['2001:db8::1', undefined],
  ])('the parent domain of %s is %s', (host, parent) => {
    expect(parentDomain(host)).toBe(parent);
  });
});

describe('data-host', () => {
  test('takes the place of host and port, and counts as listed', () => {
    const { route } = egress({ dataHost: 'proxy.example.net:8443' });
    const { url, standing } = route('https://files.example.org:1/a/b?c=d');
    expect(url.href).toBe('https://proxy.example.net:8443/a/b?c=d');
    expect(standing).toBe('listed');
  });

  test('without a port the one of the address goes too', () => {
    expect(egress({ dataHost: 'proxy.example.net' }).route('https://x.example.org:1/a').url.href).toBe(
      'https://proxy.example.net/a',
    );
  });

  test('works with an IPv6 address', () => {
    expect(egress({ dataHost: '[::1]:8080' }).route('http://x.example.org/a').url.href).toBe(
      'http://[::1]:8080/a',
    );
    expect(egress({ dataHost: '::1' }).route('http://x.example.org/a').url.href).toBe('http://[::1]/a');
  });
});

describe('refusals', () => {
  test.each(['', 'no address', 'https://', '/path', 'https://exa mple.com/', 'https://[::1/'])(
    '%j is no URL',
    (address) => {
      expect(refusal(address)).toContain('not a URL');
    },
  );

  test.each(['file:///etc/passwd', 'ftp://example.com/', 'data:text/plain,x', 'unix:/run/x', 'javascript:1'])(
    'the scheme of %s',
    (address) => {
      expect(refusal(address)).toContain('instead of https:');
    },
  );

  test('user info, which is not repeated', () => {
    for (const address of [
      'https://user@example.org/',
      'https://user:secret@example.org/',
      'https://:secret@example.org/',
    ]) {
      const message = refusal(address, { contentHosts: ['example.org'], dataHost: 'proxy.example.net' });
      expect(message).toContain('user name or password');
      expect(message).not.toContain('secret');
    }
  });

  test('plain http to a host that is not listed names the line', () => {
    for (const host of ['www.example.org', 'files.cloud.example.com']) {
      expect(refusal(`http://${host}/`)).toContain(`content-hosts = ["${host}"]`);
      expect(egress({ contentHosts: [host] }).route(`http://${host}/`).standing).toBe('listed');
    }
  });

  test.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://0/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fe80::1]/',
  ])('%s unless it is listed', (address) => {
    expect(refusal(address)).toContain('loopback or link-local');
    const { hostname } = new URL(address);
    expect(egress({ contentHosts: [hostname] }).route(address).standing).toBe('listed');
  });

  test('a broker on loopback does not open loopback', () => {
    expect(refusal('https://127.0.0.1/', { brokerHosts: ['127.0.0.1'] })).toContain('loopback');
  });

  test('with content-hosts-only, other hosts', () => {
    const only = { contentHosts: ['files.example.org'], contentHostsOnly: true };
    expect(refusal('https://www.example.org/', only)).toContain('content-hosts = ["www.example.org"]');
    expect(egress(only).route('https://files.example.org/').standing).toBe('listed');
    expect(egress(only).route('https://mqtt.cloud.example.com/').standing).toBe('broker');
  });

  test.each(['https://example.com', 'a b', 'host:99999', 'host:', '', 'user@host', 'a/b', '*.example.com:x'])(
    '%j is no entry of content-hosts',
    (entry) => {
      expect(() => egress({ contentHosts: [entry] })).toThrow(
        expect.objectContaining({
          code: 'YGG_CONFIG',
          message: expect.stringContaining(`content-hosts: "${entry}"`),
        }),
      );
    },
  );
});

test('any text is allowed or refused with a code, and what is allowed keeps the rules', () => {
  const { route } = egress({ contentHosts: ['files.example.org'] });
  const address = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.webUrl({ withQueryParameters: true }),
    fc.ipV4().map((ip) => `https://${ip}/`),
    fc.ipV6().map((ip) => `http://[${ip}]/`),
  );
  fc.assert(
    fc.property(address, (text) => {
      try {
        const { url, standing } = route(text);
        expect(url.username + url.password).toBe('');
        expect(standing === 'listed' ? ['http:', 'https:'] : ['https:']).toContain(url.protocol);
      } catch (error) {
        expect(error).toBeInstanceOf(YggError);
        expect(error).toMatchObject({ code: 'YGG_CONTENT_REFUSED' });
      }
    }),
    { numRuns: 2_000 },
  );
});
