/**
 * What single values must be beyond their kind.
 */
import { ValueFault } from './kinds.ts';

/** Schemes of broker URLs that servers and packages use. */
const brokerSchemes: ReadonlySet<string> = new Set([
  'tcp:',
  'mqtt:',
  'ssl:',
  'tls:',
  'mqtts:',
  'tcps:',
  'mqtt+ssl:',
  'ws:',
  'wss:',
]);

/** A URL of a broker, or `embedded`, the broker inside the daemon. */
export function checkBroker(value: string): void {
  if (value === '' || value === 'embedded') return;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !brokerSchemes.has(url.protocol) || url.hostname === '') {
    throw new ValueFault(
      `takes "embedded" or a URL such as "mqtts://broker.example.com:8883" (schemes: ${[...brokerSchemes]
        .map((scheme) => scheme.slice(0, -1))
        .join(', ')}), not ${JSON.stringify(withoutSecrets(value))}`,
    );
  }
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    throw new ValueFault(
      `is ${JSON.stringify(withoutSecrets(value))}, with a % in user name or password that begins no escape; write %25 for it`,
    );
  }
}

/** The URL without user name and password, also when these hold characters that end them in a URL. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/.*@/s, '//…@');
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The client id is one level of a topic (MQTT 3.1.1, 4.7). */
export function checkClientId(value: string): void {
  const bad = /[+#/\0]/.exec(value)?.[0];
  if (bad !== undefined) {
    throw new ValueFault(`is part of a topic and must not contain ${JSON.stringify(bad)}`);
  }
}

/** The prefix is one or more levels of a topic. */
export function checkTopicPrefix(value: string): void {
  const bad = /[+#\0]/.exec(value)?.[0];
  if (bad !== undefined) {
    throw new ValueFault(`is part of a topic and must not contain ${JSON.stringify(bad)}`);
  }
}

/** `host`, `host:port` or `[address]:port`, without a scheme. */
export function checkHost(value: string): void {
  if (value === '') return;
  const url = URL.canParse(`https://${value}/`) ? new URL(`https://${value}/`) : undefined;
  if (!url || /[/?#@\\\s]/.test(value)) {
    throw new ValueFault(
      `takes a host such as "cert.example.com" or "cert.example.com:8443", not ${JSON.stringify(withoutSecrets(value))}`,
    );
  }
}

export function checkProtocol(word: string): void {
  if (word === 'http') {
    throw new ValueFault('"http" (polling) is not supported; use "mqtt", or "none" to run without a server');
  }
}
